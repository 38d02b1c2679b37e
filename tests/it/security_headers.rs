//! Headers for browsers: every answer has them.

use rollcall_tests::{App, KEY};

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_browsers_may_not_do_with_it() {
    let app = App::start_without_workers(Vec::new()).await;
    let strict = "default-src 'none'; frame-ancestors 'none'";
    for (path, status, policy, is_stored) in [
        ("/stats/dau", 200, strict, false),
        ("/stats/dau?format=csv", 200, strict, false),
        ("/stats/dau?nonsense=1", 400, strict, false),
        ("/nothing", 404, strict, false),
        ("/health", 200, strict, false),
        ("/metrics", 200, strict, false),
        ("/docs", 200, "default-src 'self'; ", true),
        ("/docs/swagger-ui/swagger-ui-bundle.js", 200, "default-src 'self'; ", true),
        ("/graphql", 200, "default-src 'none'; script-src 'self'; ", false),
        ("/ui/session", 200, strict, false),
    ] {
        let answer = app.http.get(format!("{}{path}", app.url)).header("X-API-Key", KEY).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(header("content-security-policy").starts_with(policy), "{path}: {}", header("content-security-policy"));
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("cache-control"), if is_stored { "private, max-age=600" } else { "no-store" }, "{path}");
        // Only a service that speaks TLS may say that there must be TLS.
        assert_eq!(header("strict-transport-security"), "", "{path}");
    }
}

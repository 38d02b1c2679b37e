//! A page on another port of the same host, to whose requests browsers add the cookie although it is `SameSite=Strict`.

use rollcall_tests::{App, Dashboard, OtherPage, wait_until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_on_another_port_can_neither_write_nor_read_nor_sign_out() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    let page = OtherPage::serve(format!(
        r#"<title>waiting</title><script>
        const url = "{}", seen = [];
        const ask = (path, init) => fetch(url + path, {{ credentials: "include", ...init }}).then(
            async (answer) => seen.push(answer.type === "opaque" ? "opaque" : await answer.text()), () => seen.push("refused"));
        const event = JSON.stringify({{ event_type: "forged", user_id: "mallory" }});
        (async () => {{
            await ask("/events", {{ method: "POST", mode: "no-cors", headers: {{ "Content-Type": "text/plain" }}, body: event }});
            await ask("/events", {{ method: "POST", mode: "no-cors", body: new Blob([event]) }});
            await ask("/events", {{ method: "POST", headers: {{ "Content-Type": "application/json" }}, body: event }});
            await ask("/stats/dau", {{}});
            await ask("/ui/session", {{ method: "DELETE" }});
            document.title = "done: " + seen.join(" ");
        }})();
        </script>"#,
        app.url
    ))
    .await;
    dashboard.browser.open(&page.url).await;
    let title = wait_until("the page has tried everything", async || {
        let title = dashboard.browser.run("return document.title", &[]).await;
        title.as_str().filter(|title| title.starts_with("done")).map(str::to_owned)
    })
    .await;
    // The browser sends the first two, but shows the page nothing of the answers.
    assert_eq!(title, "done: refused refused refused refused refused");
    // An event of our own is stored after all that were sent before it.
    app.send(&json!([{"event_id": "own", "event_type": "own", "user_id": "u"}])).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1, "nothing was forged");
    dashboard.show("send-event").await;
    assert_eq!(dashboard.ask("/ui/session").await["project"], "default", "still signed in");
}

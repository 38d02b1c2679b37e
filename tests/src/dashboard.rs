//! The dashboard in a browser, signed in.

use serde_json::{Value, json};

use crate::{App, Browser, KEY, Look};

/// axe-core, which finds what keeps people with disabilities out.
const AXE: &str = include_str!("../assets/axe.min.js");
/// Runs it on what is shown. The guidelines are those of WCAG 2.2 at level AA, and the best practices of the library.
const RUN_AXE: &str = "const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations.map((one) =>
        `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join('; ')}`)),
        (error) => done([String(error)]));";
/// Whether everything that the page asked for has come, and every chart is painted.
const IS_SETTLED: &str = "document.querySelector('h1') && !document.querySelector('.skeleton, [aria-busy=true]') && \
    [...document.querySelectorAll('.chart-room')].every((room) => room.querySelector('[data-painted]'))";

/// A browser at the dashboard of a service.
pub struct Dashboard {
    /// The browser.
    pub browser: Browser,
    /// Address of the service, without a slash at the end.
    pub url: String,
}

impl Dashboard {
    /// Opens the dashboard of the service and signs in with the key of the installation.
    ///
    /// # Panics
    /// If it cannot.
    pub async fn open(app: &App) -> Self {
        Self::open_as(&app.url, KEY, Look::DESK).await
    }

    /// The same with another address, key and look.
    ///
    /// # Panics
    /// If it cannot.
    pub async fn open_as(url: &str, key: &str, look: Look) -> Self {
        let dashboard = Self { browser: Browser::start(look).await, url: url.to_owned() };
        dashboard.browser.open(&format!("{url}/ui/")).await;
        dashboard.sign_in(key).await;
        dashboard
    }

    /// Fills in the form and waits for the page that follows.
    ///
    /// # Panics
    /// If it does not follow.
    pub async fn sign_in(&self, key: &str) {
        self.browser.type_into("API key", key).await;
        self.browser.click("button", "Sign in").await;
        self.browser.wait_until("the frame is shown", "document.querySelector('.frame')").await;
        self.settled().await;
    }

    /// Opens a page by its address below the dashboard, "retention?window_type=week", and waits for all of it.
    ///
    /// # Panics
    /// If it does not come.
    pub async fn show(&self, page: &str) {
        self.browser.open(&format!("{}/ui/{page}", self.url)).await;
        self.settled().await;
    }

    /// Waits until everything that the page asked for is shown.
    ///
    /// # Panics
    /// If it is not in time.
    pub async fn settled(&self) {
        self.browser.wait_until("the page is complete", IS_SETTLED).await;
    }

    /// What a page got from the service when it asks as the pages do, with the session of this browser.
    ///
    /// # Panics
    /// If the answer is not JSON.
    pub async fn ask(&self, path_and_query: &str) -> Value {
        let script = "const done = arguments[1]; fetch(arguments[0]).then((answer) => answer.json()).then(done, (error) => done(String(error)))";
        self.browser.run_async(script, &[json!(format!("{}{path_and_query}", self.url))]).await
    }

    /// What keeps people out of what is shown, one line for each rule that is broken.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn barriers(&self) -> Vec<String> {
        if self.browser.run("return typeof axe", &[]).await == "undefined" {
            self.browser.run(AXE, &[]).await;
        }
        let found = self.browser.run_async(RUN_AXE, &[]).await;
        found.as_array().expect("a list").iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Checks what holds for every page at any time: nothing was written to the console, no policy was violated, and no
    /// request has left the service.
    ///
    /// # Panics
    /// If one of these does not hold.
    pub async fn check(&self) {
        assert_eq!(self.browser.console().await, Vec::<String>::new());
        let own = format!("{}/", self.url);
        let requested = self.browser.requested().await;
        assert!(requested.iter().any(|url| url.starts_with(&own)), "{requested:?}");
        let elsewhere: Vec<_> = requested.iter().filter(|url| !url.starts_with(&own) && !is_local(url)).collect();
        assert!(elsewhere.is_empty(), "{elsewhere:?}");
    }
}

/// Whether an address is about something in the browser itself: files that a page saves, and what it shows at the start.
fn is_local(url: &str) -> bool {
    ["blob:", "data:", "about:", "chrome:"].iter().any(|scheme| url.starts_with(scheme))
}

//! A real browser: Chromium, driven by WebDriver, with a profile of its own.
//!
//! It keeps what a test must know about a page: what was written to the console, among it every violation of a
//! content security policy, and which addresses were requested. `stack/chromium.sh` installs it.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use rollcall_stack::Scratch;
use serde_json::{Value, json};
use thirtyfour::{By, Capabilities, WebDriver, WebElement};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{WAIT_TIMEOUT, free_port, wait_until};

/// Where the programs are, and under which names; stack/chromium.sh knows the same.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const DRIVERS: [&str; 2] = ["chromedriver", "/usr/lib/chromium-browser/chromedriver"];
/// Browsers at a time in one test program. Each takes some 300 MB.
static PLACES: Semaphore = Semaphore::const_new(4);
/// Without a user's own things, and without what a browser does besides showing pages. Root, which containers often are,
/// can only run it without its sandbox; it loads nothing but our own pages.
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    // What it shows first.
    "about:blank",
];

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Width of the window in pixels. Below 600, it is a phone that is touched.
    pub width: u32,
    /// Height of the window in pixels.
    pub height: u32,
    /// Whether the system prefers dark colours.
    pub is_dark: bool,
    /// IANA name of the browser's own time zone.
    pub zone: &'static str,
}

impl Look {
    /// A window on a desk.
    pub const DESK: Self = Self { width: 1280, height: 900, is_dark: false, zone: "UTC" };
    /// A phone, held upright.
    pub const PHONE: Self = Self { width: 390, height: 844, is_dark: false, zone: "UTC" };

    /// The same in dark colours.
    #[must_use]
    pub const fn dark(self) -> Self {
        Self { is_dark: true, ..self }
    }
}

/// A running browser.
pub struct Browser {
    driver: WebDriver,
    /// Address of the session in the driver, for what the library does not offer.
    session_url: String,
    http: reqwest::Client,
    seen: Mutex<Seen>,
    /// In this order when it ends: the processes, their folder, their place.
    _processes: Processes,
    _folder: Scratch,
    _place: SemaphorePermit<'static>,
}

/// What pages have caused so far.
#[derive(Debug, Default, Clone)]
struct Seen {
    console: Vec<String>,
    requested: Vec<String>,
}

/// The driver and the browsers that it starts: a group of processes, which ends as a whole.
struct Processes(Child);

impl Drop for Processes {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.0.id()) {
            let _ = signal::killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

impl Browser {
    /// Starts a browser that looks at pages in this way.
    ///
    /// # Panics
    /// If there is none, or it does not start.
    pub async fn start(look: Look) -> Self {
        let place = PLACES.acquire().await.expect("the semaphore is never closed");
        let folder = Scratch::make().expect("a temporary folder");
        let port = free_port();
        let processes = Processes(start_driver(port, &folder));
        let driver_url = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::new();
        wait_until("the driver is ready", async || {
            let status: Value = http.get(format!("{driver_url}/status")).send().await.ok()?.json().await.ok()?;
            (status["value"]["ready"] == true).then_some(())
        })
        .await;
        let driver = WebDriver::new(&driver_url, capabilities(&folder)).await.expect("a browser");
        let session = driver.session_id().to_string();
        let session_url = format!("{driver_url}/session/{session}");
        let browser =
            Self { driver, session_url, http, seen: Mutex::default(), _processes: processes, _folder: folder, _place: place };
        browser.set_look(look).await;
        browser
    }

    /// Looks at pages in another way from now on.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn set_look(&self, look: Look) {
        let is_phone = look.width < 600;
        let metrics = json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": is_phone})).await;
        self.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": look.zone})).await;
        let scheme = if look.is_dark { "dark" } else { "light" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            // Pictures are of what a page comes to, not of the way to it.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Opens an address.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Runs the body of a function in the page and returns what it returns.
    ///
    /// # Panics
    /// If it throws.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let answer = self.driver.execute(script, arguments.to_vec()).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// The same for a function that calls its last argument when it is done.
    ///
    /// # Panics
    /// If it throws or does not end.
    pub async fn run_async(&self, script: &str, arguments: &[Value]) -> Value {
        let answer = self.driver.execute_async(script, arguments.to_vec()).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// Waits until an expression is true in the page, and returns its value.
    ///
    /// # Panics
    /// If it is not in time. The message has the text of the page.
    pub async fn wait_until(&self, what: &str, expression: &str) -> Value {
        let script = format!("try {{ return ({expression}) }} catch {{ return null }}");
        let started = std::time::Instant::now();
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        while started.elapsed() < WAIT_TIMEOUT {
            tick.tick().await;
            // While a page is being replaced, nothing can be run in it.
            let Ok(answer) = self.driver.execute(&*script, Vec::new()).await else { continue };
            let value = answer.json().clone();
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
        }
        let shown = self.driver.execute("return document.body.innerText", Vec::new()).await;
        let shown = shown.map(|text| text.json().to_string()).unwrap_or_default();
        panic!("{what}: not within {WAIT_TIMEOUT:?}; the page shows {shown}; {:?}", self.console().await);
    }

    /// The first element that a CSS selector finds, as soon as there is one.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn find(&self, css: &str) -> WebElement {
        self.wait_until(&format!("there is {css}"), &format!("document.querySelector({}) !== null", json!(css))).await;
        self.driver.find(By::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// The element of a role with this accessible name, as somebody with a screen reader finds it: a button, a link, a
    /// field by its label.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn named(&self, css: &str, name: &str) -> WebElement {
        let find = include_str!("browser/named.js");
        let what = format!("there is {css} named {name}");
        self.wait_until(&what, &format!("({find})({}, {}) !== undefined", json!(css), json!(name))).await;
        let script = format!("return ({find})({}, {})", json!(css), json!(name));
        let found = self.driver.execute(&*script, Vec::new()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        found.element().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Clicks what a CSS selector and an accessible name find.
    ///
    /// # Panics
    /// If there is no such thing in time, or something covers it.
    pub async fn click(&self, css: &str, name: &str) {
        self.named(css, name).await.click().await.unwrap_or_else(|error| panic!("{css} {name}: {error}"));
    }

    /// Types into the field with this label, after whatever is in it.
    ///
    /// # Panics
    /// If there is no such field in time.
    pub async fn type_into(&self, label: &str, text: &str) {
        let field = self.named("input, textarea", label).await;
        field.send_keys(text).await.unwrap_or_else(|error| panic!("{label}: {error}"));
    }

    /// Presses a key, such as `d`, `ArrowLeft` or `Escape`, wherever the focus is.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn press(&self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            " " => 32,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            other => other.to_uppercase().bytes().next().map_or(0, u32::from),
        };
        let text = if key == "Enter" { "\r" } else { text };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "text": if kind == "keyDown" { text } else { "" }, "windowsVirtualKeyCode": code});
            self.devtools("Input.dispatchKeyEvent", event).await;
        }
    }

    /// The text of the first element that a CSS selector finds, as it is shown.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// The texts of all elements that a CSS selector finds now, in their order; empty where an element is not shown.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        // Of an element that is not shown, `innerText` is all its text.
        let script = "return [...document.querySelectorAll(arguments[0])].map((element) => (element.getClientRects().length > 0 ? element.innerText.trim() : ''))";
        let texts = self.run(script, &[json!(css)]).await;
        texts.as_array().expect("a list").iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The address that is shown.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn address(&self) -> String {
        self.driver.current_url().await.expect("an address").to_string()
    }

    /// Goes back in the history.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn back(&self) {
        self.driver.back().await.expect("a step back");
    }

    /// Closes the question that stops a page, as soon as there is one.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn accept_alert(&self) {
        wait_until("there is a question", async || self.driver.accept_alert().await.ok()).await;
    }

    /// A picture of the whole page as PNG.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn picture(&self) -> Vec<u8> {
        use base64::Engine;
        let answer = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64")
    }

    /// Sends a command of the Chrome DevTools Protocol.
    ///
    /// # Panics
    /// If it fails.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.driver_call("goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    /// Warnings and errors of the console since the start, which include violations of policies.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn console(&self) -> Vec<String> {
        self.look().await.console
    }

    /// The addresses that pages have requested since the start.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub async fn requested(&self) -> Vec<String> {
        self.look().await.requested
    }

    /// Takes what the browser has logged since the last look.
    async fn look(&self) -> Seen {
        let console = self.driver_call("se/log", &json!({"type": "browser"})).await;
        let network = self.driver_call("se/log", &json!({"type": "performance"})).await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = console.as_array().into_iter().flatten();
        let grave = entries.filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        seen.console.extend(grave.filter_map(|entry| entry["message"].as_str().map(str::to_owned)));
        for entry in network.as_array().into_iter().flatten() {
            let Ok(event) = serde_json::from_str::<Value>(entry["message"].as_str().unwrap_or_default()) else { continue };
            if event["message"]["method"] == "Network.requestWillBeSent" {
                let url = &event["message"]["params"]["request"]["url"];
                seen.requested.extend(url.as_str().map(str::to_owned));
            }
        }
        seen.clone()
    }

    async fn driver_call(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/{path}", self.session_url)).json(body);
        let mut answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {}", answer["value"]["message"]);
        answer["value"].take()
    }
}

fn start_driver(port: u16, folder: &Scratch) -> Child {
    let driver = program(&DRIVERS, "a driver of Chromium");
    let log = std::fs::File::create(folder.path().join("driver.log")).expect("a log can be written");
    let mut command = Command::new(driver);
    command.arg(format!("--port={port}")).process_group(0).stdin(Stdio::null());
    // Whatever the browser writes disappears with the folder.
    command.env("TMPDIR", folder.path()).env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
    command.stdout(log.try_clone().expect("a log can be shared")).stderr(log);
    command.spawn().expect("the driver can be started")
}

fn capabilities(folder: &Scratch) -> Capabilities {
    let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
    let arguments: Vec<_> = ARGUMENTS.into_iter().chain([&*profile]).collect();
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": program(&BROWSERS, "Chromium"), "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    });
    serde_json::from_value(wanted).expect("capabilities are an object")
}

/// The first of these programs that is on this machine.
fn program(names: &[&str], what: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let mut found = candidates.filter(|program| program.is_file());
    found.next().unwrap_or_else(|| panic!("{what} is missing; run `make browser`"))
}

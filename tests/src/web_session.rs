//! A client that has a session of the dashboard instead of a key, as a browser does.

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::App;

/// What a browser sends with the requests of the dashboard's own pages.
pub const SAME_ORIGIN: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

/// A session, as the cookie that stands for it.
#[derive(Debug, Clone)]
pub struct WebSession {
    /// `name=token`.
    pub cookie: String,
    /// What else the service said about the cookie.
    pub attributes: String,
}

impl WebSession {
    /// Signs in at an API with a key.
    ///
    /// # Panics
    /// Unless a session begins.
    pub async fn begin(app: &App, url: &str, key: &str) -> Self {
        let response = Self::ask(app, url, key, &[]).await;
        assert_eq!(response.status(), StatusCode::CREATED, "{:?}", response.text().await);
        let cookie = response.headers()[header::SET_COOKIE].to_str().expect("ASCII").to_owned();
        let (cookie, attributes) = cookie.split_once("; ").expect("attributes");
        Self { cookie: cookie.to_owned(), attributes: attributes.to_owned() }
    }

    /// The answer to somebody who signs in with a key.
    ///
    /// # Panics
    /// If there is none.
    pub async fn ask(app: &App, url: &str, key: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = app.http.post(format!("{url}/ui/session")).json(&json!({"key": key}));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    /// A request with the cookie and nothing else.
    pub fn request(&self, app: &App, method: Method, url: &str) -> RequestBuilder {
        app.http.request(method, url).header(header::COOKIE, &self.cookie)
    }

    /// The status of a question that a page of the dashboard asks.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn status(&self, app: &App, url: &str, path: &str) -> u16 {
        let request = self.request(app, Method::GET, &format!("{url}{path}")).header(SAME_ORIGIN.0, SAME_ORIGIN.1);
        request.send().await.expect("an answer").status().as_u16()
    }

    /// Who the service says is signed in.
    ///
    /// # Panics
    /// If there is no answer or it is not JSON.
    pub async fn shown(&self, app: &App, url: &str) -> Value {
        let request = self.request(app, Method::GET, &format!("{url}/ui/session")).header(SAME_ORIGIN.0, SAME_ORIGIN.1);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.expect("JSON")
    }

    /// Signs out.
    ///
    /// # Panics
    /// Unless the session ends.
    pub async fn end(&self, app: &App, url: &str) {
        let request = self.request(app, Method::DELETE, &format!("{url}/ui/session")).header(SAME_ORIGIN.0, SAME_ORIGIN.1);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }
}

//! An API that speaks TLS.

use std::path::{Path, PathBuf};

use rollcall_stack::Scratch;
use tokio::net::TcpStream;

use crate::{App, Authority, Process, wait_until};

/// An API with TLS, in a process of its own.
pub struct TlsApi {
    /// The service around it.
    pub app: App,
    /// Where its certificate is.
    pub folder: Scratch,
    /// The process.
    pub process: Process,
    /// `https://127.0.0.1:port`.
    pub url: String,
    /// The file of the certificate.
    pub certificate: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
}

impl TlsApi {
    /// Starts it with a certificate of this authority and these further variables.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(authority: &Authority, further: &[(&'static str, &str)]) -> Self {
        let app = App::start_without_workers(Vec::new()).await;
        let folder = Scratch::make().expect("a temporary folder");
        let (certificate, key) = authority.certificate().write(folder.path(), "server");
        let path = |path: &Path| path.display().to_string();
        let (certificate_path, key_path) = (path(&certificate), path(&key));
        let files = [("API_TLS_CERT_FILE", &*certificate_path), ("API_TLS_KEY_FILE", &key_path)];
        let (mut process, url) = app.process_with("api", &[&files[..], further].concat());
        process.start();
        let api = Self { app, folder, process, url: url.replace("http://", "https://"), certificate, key };
        let client = authority.client().build().expect("a client");
        wait_until("the API is ready", async || {
            let answer = client.get(format!("{}/health/ready", api.url)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        api
    }

    /// Connects to it, without a handshake.
    ///
    /// # Panics
    /// If there is no connection.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.trim_start_matches("https://")).await.expect("a connection")
    }

    /// Whether a client that trusts only this authority, and that uses a new connection, is served.
    ///
    /// # Panics
    /// If no client can be made.
    pub async fn is_trusted(&self, authority: &Authority) -> bool {
        authority.client().build().expect("a client").get(format!("{}/health", self.url)).send().await.is_ok()
    }
}

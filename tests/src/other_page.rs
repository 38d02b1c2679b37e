//! A page of somebody else, on another port of the same host.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A server that answers every request with one page. It ends when it is dropped.
pub struct OtherPage {
    /// Address of the page.
    pub url: String,
    _accepting: AbortOnDropHandle<()>,
}

impl OtherPage {
    /// Serves this page.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn serve(html: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{html}",
                    html.len()
                );
                tokio::spawn(async move {
                    // The request is the same whatever it says.
                    let _ = client.read(&mut [0; 4096]).await;
                    let _ = client.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { url, _accepting: AbortOnDropHandle::new(accepting) }
    }
}

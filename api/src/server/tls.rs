//! TLS: the server's certificate, and its replacement while the server runs.
//!
//! The files are read every few seconds. A pair that has not changed between two reads, and that fits together, replaces
//! the one in use; connections that are open keep theirs. So it does not matter in which order somebody replaces the two
//! files, or how long it takes to write them. Versions 1.2 and 1.3 are all that rustls speaks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::settings::Environment;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

/// What a client may speak, the best first.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
/// The name of HTTP/2 in the handshake.
pub(super) const HTTP2: &[u8] = b"h2";
/// Time between two reads of the files. A new certificate is in use after twice this time at most.
const READ_INTERVAL: Duration = Duration::from_secs(2);
/// Most bytes of a file. A chain of certificates has a few kilobytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where the certificate and its key are.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// PEM file with the certificate, followed by those that connect it with one that clients trust.
    pub certificate: PathBuf,
    /// PEM file with the key of the certificate.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads `API_TLS_CERT_FILE` and `API_TLS_KEY_FILE`.
    pub(crate) fn from_env(environment: &mut Environment) -> Option<Self> {
        let certificate = environment.read_path(
            "API_TLS_CERT_FILE",
            "PEM file with the API's certificate and the chain after it; the API speaks TLS, and only TLS, if it is set",
        );
        let key = environment.read_path("API_TLS_KEY_FILE", "PEM file with the key of API_TLS_CERT_FILE");
        if certificate.is_some() != key.is_some() {
            environment.report("API_TLS_CERT_FILE and API_TLS_KEY_FILE belong together; set both or none".to_owned());
        }
        certificate.zip(key).map(|(certificate, key)| Self { certificate, key })
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file is so large that it must be another one.
    #[error("{} has more than {MAX_FILE_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// A file is not in PEM, or the file with the key has none.
    #[error("{} is not a PEM file of the right kind", path.display())]
    NotPem {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    /// There is no certificate, the key belongs to another one, or its kind is not supported.
    #[error("the certificate and the key cannot be used together")]
    Refused(#[from] rustls::Error),
}

/// The certificate in use.
pub(crate) struct Tls {
    files: TlsFiles,
    /// What was in the files when they were read first.
    first: Pair,
    current: Mutex<Arc<ServerConfig>>,
}

/// The content of both files. It has no Debug because it contains a key.
#[derive(Clone, PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Each of [`TlsError`].
    pub(crate) async fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let first = Pair::read(&files).await?;
        let current = Mutex::new(Arc::new(first.config(&files)?));
        Ok(Self { files, first, current })
    }

    /// Accepts connections with the certificate in use.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone().into()
    }

    /// Uses new certificates when they appear. Runs until it is dropped.
    pub(crate) async fn keep_current(&self) {
        let mut tick = tokio::time::interval(READ_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What was found last, and what was acted upon last: a problem is logged once.
        let (mut found, mut settled) = (Ok(self.first.clone()), Ok(self.first.clone()));
        loop {
            tick.tick().await;
            let pair = Pair::read(&self.files).await.map_err(|error| format!("{:#}", anyhow::Error::new(error)));
            if pair == found && pair != settled {
                self.replace(&pair);
                settled = pair.clone();
            }
            found = pair;
        }
    }

    fn replace(&self, pair: &Result<Pair, String>) {
        let config = pair
            .as_ref()
            .map_err(String::clone)
            .and_then(|pair| pair.config(&self.files).map_err(|error| format!("{:#}", anyhow::Error::new(error))));
        match config {
            Ok(config) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("the new certificate is in use");
            }
            Err(error) => tracing::warn!(error, "the new certificate cannot be used; the one before stays in use"),
        }
    }
}

impl Pair {
    async fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { certificate: read(&files.certificate).await?, key: read(&files.key).await? })
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let not_pem = |path: &Path, source| TlsError::NotPem { path: path.to_owned(), source };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|source| not_pem(&files.certificate, source))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| not_pem(&files.key, source))?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(config)
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut content = Vec::new();
    let file = File::open(path).await.map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).await.map_err(unreadable)?;
    if content.len() as u64 > MAX_FILE_BYTES { Err(TlsError::TooLarge(path.to_owned())) } else { Ok(content) }
}

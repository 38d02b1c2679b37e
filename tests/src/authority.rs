//! Certificates for 127.0.0.1, by an authority that only one test trusts.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate.
    pub pem: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    /// If the system has no random numbers.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for 127.0.0.1 and localhost.
    ///
    /// # Panics
    /// If the system has no random numbers.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        let mut params = CertificateParams::new(["127.0.0.1", "localhost"].map(str::to_owned)).expect("valid names");
        params.distinguished_name.push(DnType::CommonName, "a test");
        let key = KeyPair::generate().expect("a key");
        let pem = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Certificate { pem, key: key.serialize_pem() }
    }

    /// The authority's own certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// An HTTP client that trusts this authority and no other.
    ///
    /// # Panics
    /// If no client can be made.
    pub fn client(&self) -> reqwest::ClientBuilder {
        // Two crates with a TLS provider each are in the tree; reqwest wants to be told which.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = reqwest::Certificate::from_pem(self.pem.as_bytes()).expect("PEM");
        reqwest::Client::builder().tls_certs_only([own])
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    /// Writes both to files of this name, and returns the paths of the certificate and the key.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, &self.pem).expect("a file");
        std::fs::write(&key, &self.key).expect("a file");
        (certificate, key)
    }
}

//! Access to NATS: where the servers are, who connects, and what proves that each is who it claims to be.

use std::path::PathBuf;

use async_nats::{ConnectOptions, ServerAddr};

use super::QueueError;
use crate::settings::{Environment, Secret};

const URL_MEANING: &str = "nats-server, as nats://user:password@host:port; separate several servers with commas";
const ADMIN_URL_MEANING: &str = "like NATS_URL, with a user who may create the streams and the consumers, as nats://user:password@host:port; \
                                 NATS_URL when empty";

/// How one user reaches NATS.
#[derive(Debug, Clone)]
pub struct NatsAccess {
    /// The servers, as `nats://user:password@host:port`, separated by commas.
    pub url: Secret,
    /// How the user logs in.
    pub login: NatsLogin,
    /// Whom both sides trust.
    pub tls: NatsTls,
}

/// How a user logs in.
#[derive(Debug, Clone)]
pub enum NatsLogin {
    /// With the user and the password of the URL, or not at all.
    Url,
    /// With the content of a credentials file: a JWT and the seed of its key.
    Credentials(Secret),
    /// With the seed of an nkey.
    Nkey(Secret),
    /// With the token that all clients of the server share.
    Token(Secret),
}

/// Whom the two sides of a connection trust. With either of these, the connection must be encrypted. The files are
/// read for every connection, so a certificate can be replaced without a restart.
#[derive(Debug, Clone, Default)]
pub struct NatsTls {
    /// PEM file with the certificates that the server's certificate must descend from. The system's when absent.
    pub ca_file: Option<PathBuf>,
    /// PEM files with the certificate and the key that identify this process to the server.
    pub client_files: Option<(PathBuf, PathBuf)>,
}

impl NatsAccess {
    /// Access with this URL and nothing else, for programs that read no environment.
    #[must_use]
    pub fn of_url(url: impl Into<String>) -> Self {
        Self { url: Secret::new(url), login: NatsLogin::Url, tls: NatsTls::default() }
    }

    /// Reads the access of this process and that of the administrator, who may create the streams and the consumer.
    pub(super) fn from_env(environment: &mut Environment) -> (Self, Self) {
        let url = environment.read_url("NATS_URL", "nats://127.0.0.1:4222", URL_MEANING, check_url);
        let login = NatsLogin::from_env(environment);
        let admin_url = environment.read_optional_url("NATS_ADMIN_URL", ADMIN_URL_MEANING, check_url);
        let admin_login = NatsLogin::of_admin_from_env(environment);
        let tls = NatsTls::from_env(environment);
        let access = Self { url, login, tls };
        let mut admin = access.clone();
        if let Some(url) = admin_url {
            admin = Self { url, login: NatsLogin::Url, ..admin };
        }
        if let Some(login) = admin_login {
            admin.login = login;
        }
        (access, admin)
    }

    /// The servers, and the options of a connection to them.
    ///
    /// # Errors
    /// [`QueueError::Url`] or [`QueueError::Credentials`].
    pub(super) fn options(&self) -> Result<(Vec<ServerAddr>, ConnectOptions), QueueError> {
        let addresses = addresses(self.url.expose()).map_err(QueueError::Url)?;
        let options = self.tls.apply(ConnectOptions::new());
        let options = match &self.login {
            NatsLogin::Url => {
                let user = addresses.iter().find_map(|address| Some((address.username()?, address.password()?)));
                match user {
                    Some((user, password)) => options.user_and_password(user.to_owned(), password.to_owned()),
                    None => options,
                }
            }
            NatsLogin::Credentials(content) => options.credentials(content.expose()).map_err(QueueError::Credentials)?,
            NatsLogin::Nkey(seed) => options.nkey(seed.expose().to_owned()),
            NatsLogin::Token(token) => options.token(token.expose().to_owned()),
        };
        Ok((addresses, options))
    }
}

impl NatsLogin {
    fn from_env(environment: &mut Environment) -> Self {
        let credentials = read_credentials(
            environment,
            "NATS_CREDS",
            "content of a NATS credentials file (.creds), instead of a user in NATS_URL",
        );
        let nkey = environment.read_optional_secret("NATS_NKEY", "seed of an nkey of NATS, instead of a user in NATS_URL");
        let token = environment.read_optional_secret("NATS_TOKEN", "token of nats-server, instead of a user in NATS_URL");
        if [&credentials, &nkey, &token].into_iter().flatten().count() > 1 {
            environment.report("NATS_CREDS, NATS_NKEY and NATS_TOKEN exclude each other; set one of them".to_owned());
        }
        let logins = [credentials.map(Self::Credentials), nkey.map(Self::Nkey), token.map(Self::Token)];
        logins.into_iter().flatten().next().unwrap_or(Self::Url)
    }

    /// The login of the administrator, if it is not the one of `NATS_ADMIN_URL`. There is no token: it makes no
    /// difference between users.
    fn of_admin_from_env(environment: &mut Environment) -> Option<Self> {
        let credentials = read_credentials(
            environment,
            "NATS_ADMIN_CREDS",
            "like NATS_CREDS, of a user who may create the streams and the consumers",
        );
        let nkey = environment
            .read_optional_secret("NATS_ADMIN_NKEY", "like NATS_NKEY, of a user who may create the streams and the consumers");
        if credentials.is_some() && nkey.is_some() {
            environment.report("NATS_ADMIN_CREDS and NATS_ADMIN_NKEY exclude each other; set one of them".to_owned());
        }
        credentials.map(Self::Credentials).or(nkey.map(Self::Nkey))
    }
}

impl NatsTls {
    fn from_env(environment: &mut Environment) -> Self {
        let ca_file = environment.read_path(
            "NATS_CA_FILE",
            "PEM file with the certificates that nats-server's must descend from; the system's when empty. Encryption is required with it",
        );
        let certificate =
            environment.read_path("NATS_CERT_FILE", "PEM file with the certificate that identifies this process to nats-server");
        let key = environment.read_path("NATS_KEY_FILE", "PEM file with the key of NATS_CERT_FILE");
        if certificate.is_some() != key.is_some() {
            environment.report("NATS_CERT_FILE and NATS_KEY_FILE belong together; set both or none".to_owned());
        }
        Self { ca_file, client_files: certificate.zip(key) }
    }

    fn apply(&self, mut options: ConnectOptions) -> ConnectOptions {
        if let Some(ca_file) = &self.ca_file {
            options = options.add_root_certificates(ca_file.clone());
        }
        if let Some((certificate, key)) = &self.client_files {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        // Without this, somebody between the two could say that the server speaks plain text.
        options.require_tls(self.ca_file.is_some() || self.client_files.is_some())
    }
}

fn read_credentials(environment: &mut Environment, name: &'static str, meaning: &str) -> Option<Secret> {
    let content = environment.read_optional_secret(name, meaning)?;
    // The text of the error may repeat a part of the content.
    if ConnectOptions::new().credentials(content.expose()).is_err() {
        environment.report(format!("{name} is not the content of a credentials file: {meaning}"));
        return None;
    }
    Some(content)
}

/// The addresses of servers separated by commas.
fn addresses(urls: &str) -> std::io::Result<Vec<ServerAddr>> {
    urls.split(',').map(|url| url.trim().parse()).collect()
}

fn check_url(urls: &str) -> Result<(), String> {
    // The error's text may repeat a part of the URL.
    addresses(urls).map(drop).map_err(|_| "is not one or more URLs that begin with nats:// or tls://".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(variables: &[(&str, &str)]) -> String {
        let mut environment = Environment::from_pairs(variables.iter().copied());
        NatsAccess::from_env(&mut environment);
        environment.finish().unwrap_err().to_string()
    }

    #[test]
    fn a_url_of_something_else_is_refused_without_its_password() {
        for name in ["NATS_URL", "NATS_ADMIN_URL"] {
            let message = problems(&[(name, "nats://fine:4222,http://user:hush@host:80")]);
            assert!(message.starts_with(name) && message.contains("nats://user:password@host:port"), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn two_ways_to_log_in_are_refused_and_so_is_half_a_certificate() {
        let exclude = "NATS_CREDS, NATS_NKEY and NATS_TOKEN exclude each other; set one of them";
        assert_eq!(problems(&[("NATS_NKEY", "seed"), ("NATS_TOKEN", "token")]), exclude);
        let belong = "NATS_CERT_FILE and NATS_KEY_FILE belong together; set both or none";
        assert_eq!(problems(&[("NATS_CERT_FILE", "a.pem")]), belong);
        let message = problems(&[("NATS_CREDS", "hush")]);
        assert!(
            message.starts_with("NATS_CREDS is not the content of a credentials file") && !message.contains("hush"),
            "{message}"
        );
    }

    #[test]
    fn the_administrator_is_this_user_unless_another_is_named() {
        let read = |variables: &[(&str, &str)]| NatsAccess::from_env(&mut Environment::from_pairs(variables.iter().copied())).1;
        let own = [("NATS_URL", "nats://host"), ("NATS_NKEY", "own")];
        let same = read(&own);
        assert!(same.url.expose() == "nats://host" && matches!(same.login, NatsLogin::Nkey(seed) if seed.expose() == "own"));
        let by_url = read(&[&own[..], &[("NATS_ADMIN_URL", "nats://admin:hush@host")]].concat());
        assert!(by_url.url.expose().contains("admin") && matches!(by_url.login, NatsLogin::Url));
        let by_key = read(&[&own[..], &[("NATS_ADMIN_NKEY", "other")]].concat());
        assert!(
            by_key.url.expose() == "nats://host" && matches!(by_key.login, NatsLogin::Nkey(seed) if seed.expose() == "other")
        );
    }
}

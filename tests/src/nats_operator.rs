//! A nats-server whose users have credentials files: an operator, an account and a user, each signed by the one before.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// The operator of a server with one account.
pub struct NatsOperator {
    operator: KeyPair,
    account: KeyPair,
}

impl NatsOperator {
    /// A new operator.
    #[must_use]
    pub fn new() -> Self {
        Self { operator: KeyPair::new_operator(), account: KeyPair::new_account() }
    }

    /// The part of the server's configuration that names operator and account.
    ///
    /// # Panics
    /// If nothing can be signed.
    #[must_use]
    pub fn configuration(&self) -> String {
        let operator = jwt(&self.operator, &self.operator, &json!({"type": "operator", "version": 2}));
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1
        });
        let account = jwt(&self.operator, &self.account, &json!({"type": "account", "version": 2, "limits": limits}));
        let id = self.account.public_key();
        format!("operator: {operator}\nresolver: MEMORY\nresolver_preload: {{ {id}: {account} }}\n")
    }

    /// The content of a credentials file of a new user of the account.
    ///
    /// # Panics
    /// If nothing can be signed.
    #[must_use]
    pub fn credentials(&self) -> String {
        let user = KeyPair::new_user();
        let jwt = jwt(&self.account, &user, &json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}));
        let seed = user.seed().expect("a new key has a seed");
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

impl Default for NatsOperator {
    fn default() -> Self {
        Self::new()
    }
}

/// What the issuer says about the subject, signed.
fn jwt(issuer: &KeyPair, subject: &KeyPair, claims: &Value) -> String {
    let encode = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let subject = subject.public_key();
    let payload = json!({"jti": subject, "iat": 1, "iss": issuer.public_key(), "name": "test", "sub": subject, "nats": claims});
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
    let signature = issuer.sign(signed.as_bytes()).expect("a new key can sign");
    format!("{signed}.{}", encode(&signature))
}

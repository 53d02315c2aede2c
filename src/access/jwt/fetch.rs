//! Gets a set of keys from where it is kept, as often as that is worth it.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::limits::{JWKS_AGAIN, JWKS_BYTES, JWKS_EVERY, JWKS_KEYS, JWKS_TIMEOUT};

/// Where a set of keys is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    Url(String),
    File(PathBuf),
}

pub(super) struct Fetcher {
    source: JwksSource,
    http: Option<reqwest::Client>,
    last: Instant,
    failed: bool,
}

impl Fetcher {
    pub fn new(source: JwksSource) -> Self {
        // A redirect could lead anywhere, also to where nobody proves who they are.
        let redirect = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().timeout(JWKS_TIMEOUT).redirect(redirect).build().ok();
        Self { source, http, last: Instant::now(), failed: false }
    }

    /// Gets the keys; `None` if they cannot be had now, and then those before are kept.
    pub async fn fetch(&mut self) -> Option<JwkSet> {
        self.last = Instant::now();
        let fetched = match self.text().await {
            Ok(text) => read_set(&text).map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match fetched {
            Ok(keys) => {
                self.failed = false;
                Some(keys)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    tracing::warn!(%error, from = ?self.source, "the keys of tokens cannot be fetched; those before are kept");
                }
                None
            }
        }
    }

    async fn text(&self) -> Result<Vec<u8>, String> {
        let url = match &self.source {
            JwksSource::File(path) => {
                return tokio::fs::read(path).await.map_err(|error| error.to_string());
            }
            JwksSource::Url(url) => url,
        };
        let http = self.http.as_ref().ok_or("there is no client for HTTP")?;
        let answer = http.get(url).send().await.and_then(reqwest::Response::error_for_status);
        let mut answer = answer.map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| error.to_string())? {
            text.extend_from_slice(&piece);
            if text.len() > JWKS_BYTES {
                return Err(format!("the answer has more than {JWKS_BYTES} bytes"));
            }
        }
        Ok(text)
    }

    /// Waits until the keys should be looked at again: soon if they could not be had.
    pub async fn due(&self) {
        let pause = if self.failed { JWKS_AGAIN } else { JWKS_EVERY };
        self.wait(pause).await;
    }

    /// Waits until they may be looked at again, however much somebody wants that.
    pub async fn allowed(&self) {
        self.wait(JWKS_AGAIN).await;
    }

    async fn wait(&self, pause: Duration) {
        tokio::time::sleep_until(self.last + pause).await;
    }
}

/// Reads a set of keys. What is of another kind than ours, or is not for signatures, is left out (RFC 7517, 5):
/// one key of an algorithm that nobody knew before must not take the others with it.
fn read_set(text: &[u8]) -> serde_json::Result<JwkSet> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let all = serde_json::from_slice::<Set>(text)?.keys.into_iter();
    let known = all.filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let signs = known.filter(|key| {
        !matches!(key.algorithm, AlgorithmParameters::OctetKey(_))
            && !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
    });
    Ok(JwkSet { keys: signs.take(JWKS_KEYS).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_set_what_can_sign_is_taken_and_the_rest_left_out() {
        let text = r#"{"keys": [
            {"kty": "AKP", "alg": "ML-DSA-44", "kid": "later", "pub": "AAAA"},
            {"kty": "EC", "crv": "secp256k1", "kid": "curve", "x": "AA", "y": "AA"},
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "seals", "use": "enc", "x": "AA"},
            17,
            {"kty": "OKP", "crv": "Ed25519", "kid": "signs", "use": "sig", "x": "AA"},
            {"kty": "RSA", "kid": "also", "n": "AQAB", "e": "AQAB"}
        ]}"#;
        let set = read_set(text.as_bytes()).expect("a set");
        let kids: Vec<_> = set.keys.iter().filter_map(|key| key.common.key_id.as_deref()).collect();
        assert_eq!(kids, ["signs", "also"]);
        assert!(read_set(b"{}").is_err() && read_set(b"<html>").is_err());
    }
}

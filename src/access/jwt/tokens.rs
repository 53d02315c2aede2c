//! Decides on tokens: pinned algorithms, signature, issuer, audience and times, then what is permitted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::fetch::{Fetcher, JwksSource};
use crate::access::grant::{Buckets, Holder};
use crate::access::key::Rate;
use crate::limits::{JWT_KNOWN, JWT_LEEWAY_S};

/// What tokens must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtOptions {
    pub issuer: String,
    pub audience: String,
    /// `ES256`, `RS256`, `EdDSA` and so on; never one with a shared secret.
    pub algorithms: Vec<String>,
    pub source: JwksSource,
}

/// Decides on tokens with the keys as they were fetched last.
pub struct Tokens {
    options: JwtOptions,
    algorithms: Vec<Algorithm>,
    keys: watch::Sender<Arc<JwkSet>>,
    /// Somebody showed a token of a key that is not known.
    unknown: Notify,
    /// Tokens that were found right, by their hash, until their end: a signature costs a tenth of a millisecond.
    known: Mutex<HashMap<[u8; 32], (Arc<Holder>, i64)>>,
}

/// The algorithms that may be chosen: all asymmetric.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::EdDSA,
];

/// Why tokens cannot be decided on.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    #[error(
        "access.jwt.algorithms: {0} is not taken; use ES256, RS256, EdDSA or another asymmetric one"
    )]
    Algorithm(String),
}

impl Tokens {
    pub fn new(options: JwtOptions) -> Result<Self, JwtError> {
        let named = |name: &String| {
            let found = ALGORITHMS.into_iter().find(|known| format!("{known:?}") == *name);
            found.ok_or_else(|| JwtError::Algorithm(name.clone()))
        };
        let algorithms = options.algorithms.iter().map(named).collect::<Result<_, _>>()?;
        let keys = watch::channel(Arc::new(JwkSet { keys: Vec::new() })).0;
        let known = Mutex::new(HashMap::new());
        Ok(Self { options, algorithms, keys, unknown: Notify::new(), known })
    }

    /// Finds what a token permits; `None` if it is not valid, whatever is wrong with it.
    pub(in crate::access) fn holder(&self, token: &str, now_ms: i64) -> Option<Arc<Holder>> {
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
        if let Some((holder, end_ms)) = known
            && now_ms < end_ms
        {
            return Some(holder);
        }
        let claims = self.verified(token)?;
        let rate = Rate::default();
        let holder = Arc::new(Holder {
            // No id of a key has a colon, so nobody's subject can be taken for one.
            id: format!("jwt:{}", claims.subject()),
            rules: claims.rules(),
            buckets: Arc::new(Buckets::new(rate)),
        });
        let end_ms = (claims.exp * 1e3) as i64;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= JWT_KNOWN {
            known.clear();
        }
        known.insert(hash, (Arc::clone(&holder), end_ms));
        Some(holder)
    }

    fn verified(&self, token: &str) -> Option<Claims> {
        let header = decode_header(token).ok()?;
        if !self.algorithms.contains(&header.alg) {
            return None;
        }
        let keys = self.keys.borrow().clone();
        let jwk = match &header.kid {
            Some(kid) => keys.find(kid),
            None if keys.keys.len() == 1 => keys.keys.first(),
            None => None,
        };
        let Some(jwk) = jwk else {
            self.unknown.notify_one();
            return None;
        };
        // A key that says what it is for is for nothing else.
        let own = jwk.common.key_algorithm.map(|own| own.to_string());
        if own.is_some_and(|own| own != format!("{:?}", header.alg)) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let decoded = decode::<Claims>(token, &key, &self.validation(header.alg));
        decoded
            .inspect_err(|error| tracing::debug!(%error, "a token is not valid"))
            .ok()
            .map(|data| data.claims)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = JWT_LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_audience(&[&self.options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation
    }

    /// Fetches the keys now and then, and soon after somebody showed a token of an unknown key.
    pub(in crate::access) async fn follow(&self, stop: CancellationToken) {
        let mut fetcher = Fetcher::new(self.options.source.clone());
        loop {
            if let Some(keys) = fetcher.fetch().await {
                self.keys.send_replace(Arc::new(keys));
                // What was right by a key that is gone is not right any more.
                self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = fetcher.due() => {}
                () = self.unknown.notified() => tokio::select! {
                    () = stop.cancelled() => return,
                    () = fetcher.allowed() => {}
                },
            }
        }
    }

    #[cfg(test)]
    pub(super) fn know(&self, keys: JwkSet) {
        self.keys.send_replace(Arc::new(keys));
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

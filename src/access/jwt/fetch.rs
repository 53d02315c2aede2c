//! Gets a set of keys from where it is kept, as often as that is worth it.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use tokio::time::Instant;

use crate::limits::{JWKS_AGAIN, JWKS_BYTES, JWKS_EVERY, JWKS_TIMEOUT};

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
        let http = reqwest::Client::builder().timeout(JWKS_TIMEOUT).build().ok();
        Self { source, http, last: Instant::now(), failed: false }
    }

    /// Gets the keys; `None` if they cannot be had now, and then those before are kept.
    pub async fn fetch(&mut self) -> Option<JwkSet> {
        self.last = Instant::now();
        let fetched = match self.text().await {
            Ok(text) => serde_json::from_slice::<JwkSet>(&text).map_err(|error| error.to_string()),
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

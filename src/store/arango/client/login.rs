//! From user and password to a token, by one request at a time.

use std::time::Instant;

use bytes::Bytes;
use http::{Request, StatusCode};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::exchange::{Trouble, exchange};
use super::password::Known;
use super::session::{Kind, record};
use super::token::Token;
use crate::secret::{Secret, SecretSource};
use crate::store::arango::classify::Wire;

/// Who logs in, and the token it has.
#[derive(Debug)]
pub struct Login {
    url: Url,
    user: String,
    password: SecretSource,
    /// Held while a token is fetched: whoever needs one waits for it.
    current: Mutex<Current>,
}

#[derive(Debug, Default)]
struct Current {
    token: Option<Token>,
    password: Known,
}

#[derive(Serialize)]
struct Credentials<'a> {
    username: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    jwt: String,
}

impl Login {
    pub fn new(url: &Url, user: String, password: SecretSource) -> Self {
        let url = url.join("/_open/auth").expect("a path of ASCII letters");
        Self { url, user, password, current: Mutex::default() }
    }

    /// The token, or a new one where it is about to end or the password was replaced. One that cannot be
    /// replaced is used to its end.
    pub async fn token(&self, http: &Client) -> Result<Token, Trouble> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        let replaced = current.password.is_replaced(&self.password, now);
        let Some(token) = current.token.clone() else {
            return self.first(&mut current, http).await;
        };
        if token.is_fresh(now) && !replaced {
            return Ok(token);
        }
        let (fresh, token) = match self.fetch(&mut current.password, http).await {
            Ok(fresh) => (fresh.clone(), fresh),
            Err(trouble) => {
                tracing::warn!(%trouble, "the token of ArangoDB cannot be renewed yet");
                let mut kept = token.clone();
                if !token.is_fresh(now) {
                    kept.postpone(now);
                }
                (kept, token)
            }
        };
        current.token = Some(fresh);
        Ok(token)
    }

    /// A token other than one that was refused: fetched now, unless another request has done so.
    pub async fn renewed(&self, http: &Client, refused: &Token) -> Result<Token, Trouble> {
        let mut current = self.current.lock().await;
        match &current.token {
            Some(token) if !token.is_same(refused) => Ok(token.clone()),
            _ => self.first(&mut current, http).await,
        }
    }

    async fn first(&self, current: &mut Current, http: &Client) -> Result<Token, Trouble> {
        current.token = None;
        let token = self.fetch(&mut current.password, http).await?;
        Ok(current.token.insert(token).clone())
    }

    /// Asks for a token with the password as it is now; where that is refused, with the one that worked before:
    /// file and server do not change at the same moment.
    async fn fetch(&self, known: &mut Known, http: &Client) -> Result<Token, Trouble> {
        let before = known.worked().cloned();
        let now = match (self.password.read(), before.clone()) {
            (Ok(now), _) | (Err(_), Some(now)) => now,
            (Err(error), None) => {
                let text = format!("ArangoDB's password: {error}");
                return Err(Trouble::wire(Wire::Secret, text));
            }
        };
        let first = self.ask(&now, http).await;
        if !matches!(first, Err(Trouble::Login { status: 401, .. })) {
            if first.is_ok() {
                known.works(now);
            }
            return first;
        }
        let Some(before) = before.filter(|before| *before != now) else { return first };
        let token = self.ask(&before, http).await.or(first)?;
        if known.refuses(now) {
            tracing::warn!(
                "ArangoDB does not take the new password yet: the one before still counts"
            );
        }
        Ok(token)
    }

    async fn ask(&self, password: &Secret, http: &Client) -> Result<Token, Trouble> {
        let credentials = Credentials { username: &self.user, password: password.expose() };
        let body = serde_json::to_vec(&credentials).expect("two texts are JSON");
        let (began, sent) = (Instant::now(), body.len());
        let request = Request::post(self.url.as_str())
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .expect("the address is checked");
        let outcome = exchange(http, request).await;
        record(Kind::Login, began.elapsed(), sent, &outcome);
        let answer = outcome?;
        let granted = serde_json::from_str::<Granted>(answer.body());
        let token = granted.ok().and_then(|granted| Token::new(&granted.jwt, Instant::now()));
        match (answer.status(), token) {
            (StatusCode::OK, Some(token)) => Ok(token),
            // The body of a success would hold the token.
            (StatusCode::OK, None) => Err(Trouble::Login { status: 200, body: String::new() }),
            (status, _) => {
                Err(Trouble::Login { status: status.as_u16(), body: answer.into_body() })
            }
        }
    }
}

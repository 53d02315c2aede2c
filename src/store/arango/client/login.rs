//! From user and password to a token, by one request at a time.

use std::time::Instant;

use bytes::Bytes;
use http::{Request, StatusCode};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::exchange::{Trouble, exchange};
use super::session::{Kind, record};
use super::token::Token;
use crate::secret::SecretSource;
use crate::store::arango::classify::Wire;

/// Who logs in, and the token it has.
#[derive(Debug)]
pub struct Login {
    url: Url,
    user: String,
    password: SecretSource,
    /// Held while a token is fetched: whoever needs one waits for it.
    current: Mutex<Option<Token>>,
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
        Self { url, user, password, current: Mutex::new(None) }
    }

    /// The token, or a new one where it is about to end. One that cannot be replaced is used to its end.
    pub async fn token(&self, http: &Client) -> Result<Token, Trouble> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        match &mut *current {
            Some(token) if token.is_fresh(now) => Ok(token.clone()),
            Some(token) => {
                match self.fetch(http).await {
                    Ok(fresh) => *token = fresh,
                    Err(trouble) => {
                        tracing::warn!(%trouble, "the token of ArangoDB cannot be renewed yet");
                        token.postpone(now);
                    }
                }
                Ok(token.clone())
            }
            None => Ok(current.insert(self.fetch(http).await?).clone()),
        }
    }

    /// A token other than one that was refused: fetched now, unless another request has done so.
    pub async fn renewed(&self, http: &Client, refused: &Token) -> Result<Token, Trouble> {
        let mut current = self.current.lock().await;
        match &*current {
            Some(token) if !token.is_same(refused) => Ok(token.clone()),
            _ => {
                *current = None;
                Ok(current.insert(self.fetch(http).await?).clone())
            }
        }
    }

    /// Reads the password as it is now and asks for a token.
    async fn fetch(&self, http: &Client) -> Result<Token, Trouble> {
        let password = self.password.read().map_err(|error| {
            Trouble::wire(Wire::Secret, format!("ArangoDB's password: {error}"))
        })?;
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

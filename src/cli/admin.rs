//! The admin listener of a running weir, as commands ask it.
//!
//! A token comes from `WEIR_ADMIN_TOKEN`, else from the file that `WEIR_ADMIN_TOKEN_FILE` names; never from a
//! flag, which every process of the machine could read.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::secret::{Secret, SecretError, SecretSource};

const DEADLINE: Duration = Duration::from_secs(10);

/// Asks one admin listener.
#[derive(Debug)]
pub(super) struct AdminClient {
    http: reqwest::Client,
    url: String,
    token: Option<SecretSource>,
}

/// Why there is no answer to go on with.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error(
        "no weir answers at {url}; start one with weir dev, or name another with --admin-url: {source}"
    )]
    Unreachable { url: String, source: reqwest::Error },
    /// In the words of the one that refuses.
    #[error("{detail}")]
    Refused { status: StatusCode, detail: String },
    #[error("{url} does not answer as a weir does: {source}")]
    Strange { url: String, source: serde_json::Error },
    #[error(transparent)]
    Token(#[from] SecretError),
}

impl AdminError {
    /// Says whether it may pass by itself: the process starts again, or something that it needs is away.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Strange { .. } | Self::Token(_) => false,
        }
    }
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
    code: String,
}

/// What every listener answers where it has nothing at all.
const NOTHING_THERE: &str = "not_found";

impl AdminClient {
    /// Takes the token from this process's environment.
    pub fn from_environment(url: &str) -> reqwest::Result<Self> {
        Self::new(url, token_of(|name| std::env::var(name).ok()))
    }

    fn new(url: &str, token: Option<SecretSource>) -> reqwest::Result<Self> {
        // The listener is near and a proxy is not meant for it.
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        self.send(self.http.request(Method::GET, self.at(path)), path).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AdminError> {
        self.send(self.http.request(Method::POST, self.at(path)).json(body), path).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        path: &str,
    ) -> Result<T, AdminError> {
        let unreachable = |source| AdminError::Unreachable { url: self.url.clone(), source };
        let token = self.token.as_ref().map(SecretSource::read).transpose()?;
        let request = match &token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(self.refusal(response, path).await);
        }
        let body = response.bytes().await.map_err(unreachable)?;
        serde_json::from_slice(&body)
            .map_err(|source| AdminError::Strange { url: self.at(path), source })
    }

    async fn refusal(&self, response: Response, path: &str) -> AdminError {
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        let told = serde_json::from_slice::<Problem>(&body).ok();
        let told = told.filter(|problem| problem.code != NOTHING_THERE);
        let strange =
            || format!("{} answers {status}; is --admin-url the admin listener?", self.at(path));
        let mut detail = told.map_or_else(strange, |problem| problem.detail);
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            detail.push_str("; its token is taken from WEIR_ADMIN_TOKEN or WEIR_ADMIN_TOKEN_FILE");
        }
        AdminError::Refused { status, detail }
    }
}

/// Finds the token among variables.
fn token_of(variable: impl Fn(&str) -> Option<String>) -> Option<SecretSource> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let value = set("WEIR_ADMIN_TOKEN").map(|token| SecretSource::Value(Secret::new(token)));
    value.or_else(|| set("WEIR_ADMIN_TOKEN_FILE").map(|path| SecretSource::File(path.into())))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use http::HeaderMap;
    use serde_json::{Value, json};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::http::{App, Problem, ServeOptions, bind, serve};

    async fn site() -> String {
        let bound = bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", bound.address());
        let told = async |headers: HeaderMap| match headers.get("authorization") {
            Some(value) if value == "Bearer open sesame" => Ok(axum::Json(json!({"well": true}))),
            _ => {
                Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "a token is asked for"))
            }
        };
        let router = Router::new().route("/admin", get(told));
        let (app, options) = (App::new(router), ServeOptions::default());
        tokio::spawn(serve(bound, app, options, CancellationToken::new()));
        url
    }

    #[tokio::test]
    async fn the_token_is_sent_and_its_lack_is_told_with_what_to_do() {
        let url = site().await;
        let without = AdminClient::new(&url, None).unwrap();
        let error = without.get::<Value>("/admin").await.unwrap_err();
        assert!(!error.may_pass());
        assert_eq!(
            error.to_string(),
            "a token is asked for; its token is taken from WEIR_ADMIN_TOKEN or WEIR_ADMIN_TOKEN_FILE"
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "open sesame\n").unwrap();
        let value = SecretSource::Value(Secret::new("open sesame"));
        for token in [value, SecretSource::File(file)] {
            let with = AdminClient::new(&url, Some(token)).unwrap();
            assert_eq!(with.get::<Value>("/admin").await.unwrap(), json!({"well": true}));
        }
    }

    #[test]
    fn a_variable_wins_over_a_file_and_empty_is_none() {
        let of = |set: &'static [(&str, &str)]| {
            token_of(|name| {
                let found = set.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let value = Some(SecretSource::Value(Secret::new("t")));
        assert_eq!(of(&[("WEIR_ADMIN_TOKEN", "t"), ("WEIR_ADMIN_TOKEN_FILE", "f")]), value);
        let file = of(&[("WEIR_ADMIN_TOKEN", ""), ("WEIR_ADMIN_TOKEN_FILE", "f")]);
        assert_eq!(file, Some(SecretSource::File("f".into())));
        assert_eq!(of(&[]), None);
    }
}

//! The admin listener of a running weir, as commands ask it.
//!
//! A token comes from `WEIR_ADMIN_TOKEN`, else from the file that `WEIR_ADMIN_TOKEN_FILE` names; never from a
//! flag, which every process of the machine could read. Over TLS, `WEIR_ADMIN_CA_FILE` names the authority of the
//! listener, `WEIR_ADMIN_CERT_FILE` and `WEIR_ADMIN_KEY_FILE` what the operator shows.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Identity, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
        "no weir answers at {url}; start one with weir dev, or name another with --admin-url: {}",
        cause(source)
    )]
    Unreachable { url: String, source: reqwest::Error },
    /// In the words of the one that refuses.
    #[error("{detail}")]
    Refused { status: StatusCode, detail: String },
    #[error("{url} does not answer as a weir does: {source}")]
    Strange { url: String, source: serde_json::Error },
    #[error(transparent)]
    Token(#[from] SecretError),
    #[error("{path}, by {variable}, cannot be used: {reason}")]
    File { variable: &'static str, path: PathBuf, reason: String },
    #[error("the client cannot be made: {0}")]
    Client(reqwest::Error),
}

/// The innermost cause, which tells more of TLS than that sending failed.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let (told, inner) = (error.to_string(), cause.to_string());
    if told.contains(&inner) { told } else { format!("{told}: {inner}") }
}

impl AdminError {
    /// Says whether it may pass by itself: the process starts again, or something that it needs is away.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Strange { .. } | Self::Token(_) | Self::File { .. } | Self::Client(_) => false,
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
    /// Takes the token and the certificates from this process's environment.
    pub fn from_environment(url: &str) -> Result<Self, AdminError> {
        let variable = |name: &str| std::env::var(name).ok();
        Self::new(url, token_of(variable), &Certificates::of(variable))
    }

    fn new(
        url: &str,
        token: Option<SecretSource>,
        certificates: &Certificates,
    ) -> Result<Self, AdminError> {
        // The listener is near and a proxy is not meant for it.
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE);
        let http = certificates.used_by(http)?.build().map_err(AdminError::Client)?;
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

    /// Returns the text of an answer that is no JSON, up to a number of bytes.
    pub async fn text(&self, path: &str, most: usize) -> Result<String, AdminError> {
        let unreachable = |source| AdminError::Unreachable { url: self.url.clone(), source };
        let mut response = self.answer(self.http.request(Method::GET, self.at(path))).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response, path).await);
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&piece);
            if body.len() > most {
                let detail = format!("{} answers more than {most} bytes", self.at(path));
                return Err(AdminError::Refused { status: StatusCode::OK, detail });
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Returns why the process is not ready; none if it is.
    pub async fn unready(&self) -> Result<Option<String>, AdminError> {
        let path = "/health/ready";
        let response = self.answer(self.http.request(Method::GET, self.at(path))).await?;
        match response.status() {
            StatusCode::OK => Ok(None),
            StatusCode::SERVICE_UNAVAILABLE => {
                let body = response.bytes().await.unwrap_or_default();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                let degraded = body["roles"].as_array().into_iter().flatten();
                let degraded =
                    degraded.flat_map(|role| role["degraded"].as_array().into_iter().flatten());
                let told: Vec<&str> = degraded.filter_map(Value::as_str).collect();
                Ok(Some(if told.is_empty() {
                    "it is not ready".to_owned()
                } else {
                    told.join("; ")
                }))
            }
            _ => Err(self.refusal(response, path).await),
        }
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
        let response = self.answer(request).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response, path).await);
        }
        let body = response.bytes().await.map_err(unreachable)?;
        serde_json::from_slice(&body)
            .map_err(|source| AdminError::Strange { url: self.at(path), source })
    }

    /// Sends a request with the token.
    async fn answer(&self, request: RequestBuilder) -> Result<Response, AdminError> {
        let token = self.token.as_ref().map(SecretSource::read).transpose()?;
        let request = match &token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let unreachable = |source| AdminError::Unreachable { url: self.url.clone(), source };
        request.send().await.map_err(unreachable)
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

const CA: &str = "WEIR_ADMIN_CA_FILE";
const CERT: &str = "WEIR_ADMIN_CERT_FILE";
const KEY: &str = "WEIR_ADMIN_KEY_FILE";

/// Whom the commands trust, and who they are, over TLS.
#[derive(Debug, Default, PartialEq, Eq)]
struct Certificates {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Certificates {
    /// Finds the files among variables.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let file = |name| variable(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { ca: file(CA), cert: file(CERT), key: file(KEY) }
    }

    fn used_by(
        &self,
        mut http: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, AdminError> {
        let failed = |variable, path: &PathBuf, reason: String| AdminError::File {
            variable,
            path: path.clone(),
            reason,
        };
        let read = |variable, path: &PathBuf| {
            fs::read(path).map_err(|error| failed(variable, path, error.to_string()))
        };
        if let Some(path) = &self.ca {
            let trusted = Certificate::from_pem_bundle(&read(CA, path)?)
                .map_err(|error| failed(CA, path, cause(&error)))?;
            if trusted.is_empty() {
                return Err(failed(CA, path, "it holds no certificate".into()));
            }
            http = http.tls_built_in_root_certs(false);
            http = trusted.into_iter().fold(http, reqwest::ClientBuilder::add_root_certificate);
        }
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let mut pem = read(CERT, cert)?;
                pem.push(b'\n');
                pem.extend(read(KEY, key)?);
                let identity =
                    Identity::from_pem(&pem).map_err(|error| failed(CERT, cert, cause(&error)))?;
                Ok(http.identity(identity))
            }
            (Some(cert), None) => Err(failed(CERT, cert, format!("set {KEY} too"))),
            (None, Some(key)) => Err(failed(KEY, key, format!("set {CERT} too"))),
            (None, None) => Ok(http),
        }
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
    use serde_json::json;
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
        let without = AdminClient::new(&url, None, &Certificates::default()).unwrap();
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
            let with = AdminClient::new(&url, Some(token), &Certificates::default()).unwrap();
            assert_eq!(with.get::<Value>("/admin").await.unwrap(), json!({"well": true}));
        }
    }

    #[test]
    fn certificates_that_cannot_be_used_are_told_by_their_variable() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(file("empty"), "").unwrap();
        let told = |set: &[(&str, String)]| {
            let find = |name: &str| set.iter().find(|(of, _)| *of == name);
            let certificates = Certificates::of(|name| find(name).map(|(_, path)| path.clone()));
            let made = AdminClient::new("https://127.0.0.1:1", None, &certificates);
            made.err().map_or_else(String::new, |error| error.to_string())
        };
        assert_eq!(told(&[]), "");
        let missing = told(&[(CA, file("none"))]);
        assert!(missing.contains(CA) && missing.contains("No such file"), "{missing}");
        let empty = told(&[(CA, file("empty"))]);
        assert!(empty.contains("it holds no certificate"), "{empty}");
        let half = told(&[(CERT, file("empty"))]);
        assert!(half.contains("set WEIR_ADMIN_KEY_FILE too"), "{half}");
        let both = told(&[(CERT, file("empty")), (KEY, file("empty"))]);
        assert!(both.contains(CERT), "{both}");
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

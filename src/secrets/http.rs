//! One request to a keeper of secrets, and its answer with a bound.
//!
//! No redirects and no proxies: what is sent opens doors and goes to the configured address alone. Neither a
//! request nor an answer has a Debug.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, Method};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use tokio::sync::OnceCell;

use super::contract::Fault;
use crate::limits::SECRETS_ANSWER_BYTES;

/// A request, ready to be sent.
#[derive(Clone)]
pub(super) struct Ask {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Ask {
    pub fn get(url: String) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), body: String::new() }
    }

    pub fn post(url: String, body: String) -> Self {
        Self { method: Method::POST, url, headers: Vec::new(), body }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer as it came.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// A client that is made when it is needed first.
pub(super) struct Http {
    /// What a person calls the other side.
    name: &'static str,
    ca_file: Option<PathBuf>,
    timeout: Duration,
    client: OnceCell<Client>,
}

impl Http {
    pub fn new(name: &'static str, ca_file: Option<PathBuf>, timeout: Duration) -> Self {
        Self { name, ca_file, timeout, client: OnceCell::new() }
    }

    /// Sends a request and reads the answer to its end, whatever its status. What is wrong on the way may pass.
    pub async fn send(&self, ask: Ask) -> Result<Answer, Fault> {
        let client = self.client.get_or_try_init(async || self.make()).await?;
        let wrong = |error: &reqwest::Error| self.wrong(error);
        let mut request = client.request(ask.method, &ask.url).body(ask.body);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        let mut answer = request.send().await.map_err(|error| wrong(&error))?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| wrong(&error))? {
            if body.len() + piece.len() > SECRETS_ANSWER_BYTES {
                let text = format!("{} answers with more than 1 MiB", self.name);
                return Err(Fault::person(text));
            }
            body.extend_from_slice(&piece);
        }
        let status = answer.status().as_u16();
        Ok(Answer { status, headers: std::mem::take(answer.headers_mut()), body })
    }

    fn make(&self) -> Result<Client, Fault> {
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .http1_only()
            .timeout(self.timeout)
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &self.ca_file {
            let wrong = |why: String| {
                Fault::person(format!(
                    "the certificates in {} cannot be used: {why}",
                    path.display()
                ))
            };
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let all =
                Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            if all.is_empty() {
                return Err(wrong("there is none in PEM form".to_owned()));
            }
            builder = builder.tls_built_in_root_certs(false);
            builder = all.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        builder.build().map_err(|error| Fault::person(format!("no client can be made: {error}")))
    }

    /// Says what went wrong on the wire; the address is in it, the request is not.
    fn wrong(&self, error: &reqwest::Error) -> Fault {
        let name = self.name;
        let place = error.url().map_or_else(String::new, |url| {
            let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
            format!(" at {}{port}", url.host_str().unwrap_or_default())
        });
        if error.is_builder() {
            let text =
                format!("the request to {name}{place} cannot be made: is the address right?");
            return Fault::person(text);
        }
        if error.is_timeout() {
            let text = format!("{name}{place} has not answered within {:?}", self.timeout);
            return Fault::retry(text);
        }
        let mut cause: &dyn Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Fault::retry(format!("{name}{place} cannot be reached: {cause}"))
    }
}

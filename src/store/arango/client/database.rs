//! One database on a server: requests below its path.

use http::{Method, Request, Response};
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::exchange::Trouble;
use super::server::{Arango, ServerFacts, check_version};
use super::session::{Call, Kind};
use crate::store::Failure;
use crate::store::arango::classify::{Evidence, Finding, classify};

/// One generation's database. Clones are handles.
#[derive(Debug, Clone)]
pub struct Database {
    arango: Arango,
    name: String,
    /// With a `/` at its end.
    url: String,
}

impl Database {
    pub(super) fn new(arango: Arango, name: &str) -> Self {
        let mut url = Url::parse(arango.url()).expect("the address is checked");
        url.path_segments_mut().expect("it has a host").clear().extend(["_db", name, ""]);
        Self { url: url.into(), name: name.to_owned(), arango }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn arango(&self) -> &Arango {
        &self.arango
    }

    /// Asks the server for its version, as [`Arango::server`] does, with rights on this database alone.
    pub async fn server(&self) -> Result<ServerFacts, Failure> {
        check_version(&self.ask(Method::GET, "_api/version", None).await?)
    }

    /// A request for a path below the database, such as `_api/version`.
    pub(in crate::store::arango) fn request(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Request<String> {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .body(body)
            .expect("the address is checked, and paths are weir's own")
    }

    /// Asks for something about the schema, and reads the answer.
    pub(in crate::store::arango) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<T, Finding> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut request = self.request(method, path, body);
        let within = self.arango.request_timeout();
        request.extensions_mut().insert(Call { kind: Kind::Schema, within });
        read_answer(self.arango.session().send(request).await)
    }

    /// Sends a write once there is a place for it. The answer is a success, and may hold failures.
    pub(in crate::store::arango) async fn write(
        &self,
        path: &str,
        body: String,
    ) -> Result<Response<String>, Finding> {
        success(self.arango.write(self.request(Method::POST, path, body)).await)
    }
}

/// Tells an answer of success from all others.
pub(super) fn success(
    outcome: Result<Response<String>, Trouble>,
) -> Result<Response<String>, Finding> {
    let answer = outcome?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    Err(classify(Evidence::Answer { status: answer.status().as_u16(), body: answer.body() }))
}

/// Reads the body of a success.
pub(super) fn read_answer<T: DeserializeOwned>(
    outcome: Result<Response<String>, Trouble>,
) -> Result<T, Finding> {
    let answer = success(outcome)?;
    serde_json::from_str(answer.body()).map_err(|error| {
        let status = answer.status().as_u16();
        classify(Evidence::Shape { status, problem: &error.to_string() })
    })
}

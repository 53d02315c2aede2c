//! The documents that describe this process, put together once, and the routes that serve them.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::Value;

use super::describe;
use super::roles::{Role, Roles};
use crate::describe::{Document, Subjects, asyncapi, put_event_schemas};
use crate::event::EventTypes;
use crate::http::problem_schema;
use crate::{gateway, query};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What there is to describe.
pub(super) struct Described<'a> {
    pub roles: Roles,
    pub types: &'a EventTypes,
    pub nats_url: &'a str,
    /// The process runs jobs.
    pub jobs: bool,
}

impl Described<'_> {
    /// The documents of the public listener; `open` if nobody has to show a key there.
    pub fn public_routes(&self, open: bool) -> Router {
        // Where NATS is inside is nobody's business outside.
        let subjects = asyncapi(&Subjects { url: None }, self.types, VERSION);
        document("/openapi.json", &self.public(open)).merge(document("/asyncapi.json", &subjects))
    }

    /// The documents of the operators' listener.
    pub fn admin_routes(&self, open: bool) -> Router {
        let subjects = Subjects { url: Some(self.nats_url.to_owned()) };
        let subjects = asyncapi(&subjects, self.types, VERSION);
        document("/openapi.json", &self.admin(open)).merge(document("/asyncapi.json", &subjects))
    }

    fn public(&self, open: bool) -> Value {
        let text =
            "Takes events of users and items, and answers with recommendations and histories.";
        let mut document = Document::new("weir", text, problem_schema()).open(open);
        if self.roles.has(Role::Gateway) {
            document = document
                .components(|components| put_event_schemas(self.types, components))
                .operations(gateway::operations(self.types));
        }
        if self.roles.has(Role::Api) {
            document = document.operations(query::operations(self.types));
        }
        document
            .operations(describe::health(self.roles))
            .operations(describe::documents())
            .build(VERSION)
    }

    fn admin(&self, open: bool) -> Value {
        let text = "What operators ask of one process of weir.";
        Document::new("weir, for operators", text, problem_schema())
            .open(open)
            .operations(describe::admin(self.jobs))
            .operations(describe::health(self.roles))
            .operations(describe::documents())
            .build(VERSION)
    }
}

/// Serves a document at its path, written once.
fn document(path: &str, value: &Value) -> Router {
    let bytes = Bytes::from(value.to_string());
    Router::new().route(path, get(async move || json(bytes.clone())))
}

fn json(bytes: Bytes) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, content_type)], bytes).into_response()
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;

//! Problem details (RFC 9457): every error answer of every listener.
//!
//! `type` stays `about:blank`; the stable, machine-readable tag is `code`. Details are written by us and
//! never contain text of the request's body.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::openapi::schema::Object;
use uuid::Uuid;

use crate::describe::{Code, EVENT_CODES, PARAMETER_CODES, Schema, one_of};
use crate::limits::PROBLEM_ERRORS;

/// One error answer; becomes `application/problem+json` with a fresh `requestId`.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<ProblemError>,
    total: usize,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One of several errors, of one event of a batch or of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ProblemError {
    /// Position in the batch, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The event's id, once it is known to be valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// RFC 6901, relative to the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// A stable `snake_case` tag.
    #[schema(schema_with = error_code)]
    pub code: &'static str,
    /// For people; no text of the request.
    pub detail: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    request_id: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ProblemError],
    #[serde(skip_serializing_if = "Option::is_none")]
    total_errors: Option<usize>,
}

fn error_code() -> Object {
    one_of(EVENT_CODES.iter().chain(PARAMETER_CODES))
}

/// The form of every error answer.
pub fn problem_schema() -> Schema {
    Schema::of::<Wire<'static>>()
}

/// What a body that is read may lead to.
pub const BODY_PROBLEMS: [Code; 4] = [
    (400, "body_incomplete"),
    (408, "body_too_slow"),
    (413, "body_too_large"),
    (503, "overloaded"),
];

impl Problem {
    /// Makes a problem; `code` is a stable `snake_case` tag that clients may match.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            total: 0,
            headers: Vec::new(),
        }
    }

    /// Adds the errors behind the problem; those past [`PROBLEM_ERRORS`] are only counted.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = ProblemError>) -> Self {
        for error in errors {
            self.total += 1;
            if self.errors.len() < PROBLEM_ERRORS {
                self.errors.push(error);
            }
        }
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`, in whole seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Ends the connection after the answer: what follows on it cannot be trusted or is not wanted.
    #[must_use]
    pub fn close(self) -> Self {
        self.header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// Returns the answer's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the stable tag.
    pub fn code(&self) -> &'static str {
        self.code
    }

    fn to_json(&self, request_id: String) -> Vec<u8> {
        let wire = Wire {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            errors: &self.errors,
            total_errors: (self.total > 0).then_some(self.total),
        };
        serde_json::to_vec(&wire).expect("strings and numbers always serialize")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let request_id = Uuid::now_v7().simple().to_string();
        if self.status.is_server_error() {
            tracing::warn!(%request_id, status = self.status.as_u16(), code = self.code, detail = self.detail, "request failed");
        } else {
            tracing::debug!(%request_id, status = self.status.as_u16(), code = self.code, "request refused");
        }
        let mut response = Response::new(Body::from(self.to_json(request_id)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(index: usize) -> ProblemError {
        ProblemError {
            index: Some(index),
            pointer: Some("/userId".into()),
            code: "missing_field",
            detail: "the field is required".into(),
            ..ProblemError::default()
        }
    }

    #[test]
    fn a_problem_has_the_members_of_the_rfc_and_ours() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_event", "one is missing")
            .errors([error(0)]);
        let json: serde_json::Value =
            serde_json::from_slice(&problem.to_json("r1".into())).unwrap();
        insta::assert_json_snapshot!(json, @r#"
        {
          "code": "invalid_event",
          "detail": "one is missing",
          "errors": [
            {
              "code": "missing_field",
              "detail": "the field is required",
              "index": 0,
              "pointer": "/userId"
            }
          ],
          "requestId": "r1",
          "status": 400,
          "title": "Bad Request",
          "totalErrors": 1,
          "type": "about:blank"
        }
        "#);
    }

    #[test]
    fn errors_past_the_cap_are_counted_but_not_listed() {
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_valid_event", "none")
            .errors((0..PROBLEM_ERRORS + 5).map(error));
        let json: serde_json::Value =
            serde_json::from_slice(&problem.to_json("r1".into())).unwrap();
        assert_eq!(json["errors"].as_array().unwrap().len(), PROBLEM_ERRORS);
        assert_eq!(json["totalErrors"], PROBLEM_ERRORS + 5);
    }

    #[test]
    fn headers_reach_the_answer() {
        let response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "wal_full", "full")
            .retry_after(2)
            .into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }
}

//! What a producer gets to hear.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::openapi::schema::Object;

use super::prepare::Verdict;
use super::shape::ACCEPTED;
use crate::describe::{EVENT_CODES, one_of};
use crate::event::{Issue, ParseError};
use crate::http::{Problem, ProblemError, json};
use crate::limits::EVENT_BYTES;
use crate::wal::AppendError;

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// How the events of a request were received, once the valid ones are synced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub accepted: usize,
    pub duplicates: usize,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted<'a> {
    #[schema(schema_with = whole)]
    status: &'static str,
    accepted: usize,
    duplicates: usize,
    /// What was promised: the event is on this machine's disk.
    #[schema(schema_with = ack)]
    ack: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<EventResult<'a>>>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct EventResult<'a> {
    /// Position in the batch, from 0.
    index: usize,
    #[schema(schema_with = each)]
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<EventError<'a>>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct EventError<'a> {
    /// RFC 6901, relative to the event.
    pointer: &'a str,
    #[schema(schema_with = code)]
    code: &'a str,
    detail: &'a str,
}

fn whole() -> Object {
    one_of(&["accepted", "partial"])
}

fn ack() -> Object {
    one_of(&["disk", "stream"])
}

fn each() -> Object {
    one_of(&["accepted", "duplicate", "invalid", "too_large", "retry"])
}

fn code() -> Object {
    one_of(EVENT_CODES)
}

/// 202: all events are synced, or were before.
pub(super) fn accepted(counts: Counts, event_id: Option<&str>) -> Response {
    let Counts { accepted, duplicates } = counts;
    json(
        StatusCode::ACCEPTED,
        &Accepted {
            status: "accepted",
            accepted,
            duplicates,
            ack: "disk",
            event_id,
            results: None,
        },
    )
}

/// 207: the valid events are synced; each event's result says which those are.
pub(super) fn mixed(
    counts: Counts,
    verdicts: &[Verdict],
    is_duplicate: impl Fn(&Verdict) -> bool,
) -> Response {
    let Counts { accepted, duplicates } = counts;
    let too_large = format!("is larger than {EVENT_BYTES} bytes");
    let results = verdicts
        .iter()
        .enumerate()
        .map(|(index, verdict)| result(index, verdict, is_duplicate(verdict), &too_large));
    let body = Accepted {
        status: "partial",
        accepted,
        duplicates,
        ack: "disk",
        event_id: None,
        results: Some(results.collect()),
    };
    json(StatusCode::MULTI_STATUS, &body)
}

fn result<'a>(
    index: usize,
    verdict: &'a Verdict,
    duplicate: bool,
    too_large: &'a str,
) -> EventResult<'a> {
    let (status, errors) = match verdict {
        Verdict::Valid { .. } if duplicate => ("duplicate", Vec::new()),
        Verdict::Valid { .. } => ("accepted", Vec::new()),
        Verdict::Invalid(issues) => {
            let errors = issues.iter().map(|issue| EventError {
                pointer: &issue.pointer,
                code: issue.code,
                detail: &issue.detail,
            });
            ("invalid", errors.collect())
        }
        Verdict::TooLarge(_) => (
            "too_large",
            vec![EventError { pointer: "", code: "event_too_large", detail: too_large }],
        ),
    };
    EventResult { index, status, errors }
}

/// 400 or 413: the one event of the request is not valid.
pub(super) fn invalid(verdict: &Verdict) -> Problem {
    match verdict {
        Verdict::TooLarge(actual) => {
            let detail = format!(
                "an event may have {EVENT_BYTES} bytes as it is stored, this one has {actual}"
            );
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "event_too_large", detail)
        }
        Verdict::Invalid(issues) => {
            let errors = issues.iter().map(|issue| error(None, issue));
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_event",
                "the event is not valid; errors tells why",
            )
            .errors(errors)
        }
        Verdict::Valid { .. } => unreachable!("only what is not valid is told so"),
    }
}

/// 422: a batch without one valid event.
pub(super) fn none_valid(verdicts: &[Verdict]) -> Problem {
    let errors = verdicts.iter().enumerate().flat_map(|(index, verdict)| match verdict {
        Verdict::Invalid(issues) => issues.iter().map(|issue| error(Some(index), issue)).collect(),
        Verdict::TooLarge(actual) => {
            let detail = format!("has {actual} bytes; an event may have {EVENT_BYTES}");
            vec![error(Some(index), &Issue::new("", "event_too_large", detail))]
        }
        Verdict::Valid { .. } => Vec::new(),
    });
    let detail = if verdicts.is_empty() {
        "the batch holds no event"
    } else {
        "no event of the batch is valid; errors tells why"
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_valid_event", detail).errors(errors)
}

fn error(index: Option<usize>, issue: &Issue) -> ProblemError {
    ProblemError {
        index,
        id: None,
        pointer: Some(issue.pointer.to_string()),
        code: issue.code,
        detail: issue.detail.to_string(),
    }
}

pub(super) fn malformed(error: &ParseError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", error.to_string())
}

pub(super) fn empty() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "empty_body", "the body is empty; send an event as JSON")
}

pub(super) fn unknown_content_type() -> Problem {
    let detail = format!("the content type is not one of {ACCEPTED}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type", detail)
        .header(ACCEPT_POST, HeaderValue::from_static(ACCEPTED))
}

pub(super) fn unknown_encoding() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        "a compressed body is not taken: send it plain",
    )
    .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

pub(super) fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "events are sent with POST")
        .header(header::ALLOW, HeaderValue::from_static("POST"))
}

pub(super) fn too_many(limit: usize, actual: usize) -> Problem {
    let detail = format!("a batch may have {limit} events, this one has {actual}");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_events", detail)
}

/// 503: nothing of the request is promised; the same request may be sent again.
pub(super) fn not_stored(error: &AppendError) -> Problem {
    let unavailable = |code, detail: String, seconds| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(seconds)
    };
    match error {
        AppendError::Full { retry_after } => {
            let seconds = u32::try_from(retry_after.as_secs().max(1)).unwrap_or(u32::MAX);
            unavailable(
                "log_full",
                "the write-ahead log has no room: it takes events again once the stream has taken some, or the disk has room".to_owned(),
                seconds,
            )
        }
        AppendError::Closed => unavailable(
            "draining",
            "this gateway is stopping: send again, to another if there is one".to_owned(),
            1,
        )
        .close(),
        AppendError::TooLarge { .. } | AppendError::Empty | AppendError::Io(_) => {
            tracing::error!(%error, "events could not be stored");
            unavailable(
                "not_stored",
                "the events could not be stored on disk; nothing of them is promised".to_owned(),
                1,
            )
        }
    }
}

impl IntoResponse for super::service::Refused {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

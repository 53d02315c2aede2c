//! What a producer gets to hear.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::openapi::schema::Object;

use super::prepare::Verdict;
use super::shape::ACCEPTED;
use super::wanted::Ack;
use crate::describe::{EVENT_CODES, one_of};
use crate::event::{Issue, ParseError};
use crate::http::{Problem, ProblemError, json};
use crate::limits::EVENT_BYTES;
use crate::wal::AppendError;

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const LOG_FULL: &str = "the write-ahead log has no room: it takes events again once the stream has taken \
                        some, or the disk has room";

/// What is wrong with an event that is right, for the key alone.
const NOT_PERMITTED: [&str; 2] = ["type_not_permitted", "source_not_permitted"];

/// The encodings that are taken, for `Accept-Encoding`.
const ENCODINGS: &str = "gzip, zstd";

/// How the events of a request were received, once the valid ones are synced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub accepted: usize,
    pub duplicates: usize,
    /// What is true of all of them.
    pub ack: Ack,
}

impl Ack {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Stream => "stream",
        }
    }

    /// The status of an answer that all is well: 200 once nothing is left to be done.
    fn status(self) -> StatusCode {
        match self {
            Self::Disk => StatusCode::ACCEPTED,
            Self::Stream => StatusCode::OK,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted<'a> {
    #[schema(schema_with = whole)]
    status: &'static str,
    accepted: usize,
    duplicates: usize,
    /// What is promised: on this machine's disk, or in the stream.
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

/// 202 or 200: all events are synced, or were before.
pub(super) fn accepted(counts: Counts, event_id: Option<&str>) -> Response {
    let Counts { accepted, duplicates, ack } = counts;
    json(
        ack.status(),
        &Accepted {
            status: "accepted",
            accepted,
            duplicates,
            ack: ack.name(),
            event_id,
            results: None,
        },
    )
}

/// 204: the same, to whom only that matters.
pub(super) fn minimal(preferred: bool) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if preferred {
        let applied = HeaderValue::from_static("return=minimal");
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    response
}

/// 207: the valid events are synced; each event's result says which those are.
pub(super) fn mixed(
    counts: Counts,
    verdicts: &[Verdict],
    is_duplicate: impl Fn(&Verdict) -> bool,
) -> Response {
    let Counts { accepted, duplicates, ack } = counts;
    let too_large = format!("is larger than {EVENT_BYTES} bytes");
    let results = verdicts
        .iter()
        .enumerate()
        .map(|(index, verdict)| result(index, verdict, is_duplicate(verdict), &too_large));
    let body = Accepted {
        status: "partial",
        accepted,
        duplicates,
        ack: ack.name(),
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

/// 400, 403 or 413: the one event of the request is not taken.
pub(super) fn invalid(verdict: &Verdict) -> Problem {
    match verdict {
        Verdict::Invalid(issues)
            if let [issue] = issues.as_slice()
                && NOT_PERMITTED.contains(&issue.code) =>
        {
            let detail = "the key that was shown may not send this event; errors tells why";
            Problem::new(StatusCode::FORBIDDEN, issue.code, detail).errors([error(None, issue)])
        }
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

/// 422: a batch that was to be stored whole or not at all.
pub(super) fn not_atomic(verdicts: &[Verdict]) -> Problem {
    let detail = "not every event of the batch is valid, so none is stored; errors tells why";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "batch_not_valid", detail)
        .errors(errors(verdicts))
}

/// 422: a batch without one valid event.
pub(super) fn none_valid(verdicts: &[Verdict]) -> Problem {
    let detail = if verdicts.is_empty() {
        "the batch holds no event"
    } else {
        "no event of the batch is valid; errors tells why"
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_valid_event", detail)
        .errors(errors(verdicts))
}

fn errors(verdicts: &[Verdict]) -> impl Iterator<Item = ProblemError> {
    verdicts.iter().enumerate().flat_map(|(index, verdict)| match verdict {
        Verdict::Invalid(issues) => issues.iter().map(|issue| error(Some(index), issue)).collect(),
        Verdict::TooLarge(actual) => {
            let detail = format!("has {actual} bytes; an event may have {EVENT_BYTES}");
            vec![error(Some(index), &Issue::new("", "event_too_large", detail))]
        }
        Verdict::Valid { .. } => Vec::new(),
    })
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
        format!("the content encoding is not one of {ENCODINGS}, or there are several"),
    )
    .header(header::ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS))
    .close()
}

pub(super) fn unpacked_too_large(limit: usize) -> Problem {
    let detail = format!("the body may have {limit} bytes once it is unpacked, it has more");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).close()
}

pub(super) fn wrong_method(allowed: &'static str) -> Problem {
    let detail = format!("this path takes {allowed}");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        .header(header::ALLOW, HeaderValue::from_static(allowed))
}

pub(super) fn too_many(limit: usize, actual: usize) -> Problem {
    let detail = format!("a batch may have {limit} events, this one has {actual}");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_events", detail)
}

/// 503: a rule of the key cannot be kept here.
pub(super) fn no_hash_key() -> Problem {
    let detail = "this key has fields hashed, and the gateway has no secret to hash them with: an operator \
                  sets privacy.hash_key_file";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "hash_key_missing", detail).retry_after(60)
}

/// 503: the clock of this gateway is wrong, so no event can be given a time.
pub(super) fn clock_is_wrong() -> Problem {
    let detail = "this gateway's clock is outside the years 1990 to 2069: send again, to another if there is one";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "gateway_clock", detail).retry_after(10)
}

/// 503: the same as before, told before the body is read.
pub(super) fn still_full(seconds: u32) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "log_full", LOG_FULL).retry_after(seconds).close()
}

/// 503: nothing of the request is promised; the same request may be sent again.
pub(super) fn not_stored(error: &AppendError) -> Problem {
    let unavailable = |code, detail: String, seconds| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(seconds)
    };
    match error {
        AppendError::Full { retry_after } => {
            let seconds = u32::try_from(retry_after.as_secs().max(1)).unwrap_or(u32::MAX);
            unavailable("log_full", LOG_FULL.to_owned(), seconds)
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

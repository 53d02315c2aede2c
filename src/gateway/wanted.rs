//! What a request asks for beside its events: from its query and its headers. Pure.

use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::http::{Problem, ProblemError};
use crate::limits::IDEMPOTENCY_KEY_BYTES;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Parameters that others read, or that producers of other collectors send along.
const OF_OTHERS: [&str; 4] = ["key", "api_secret", "measurement_id", "firebase_app_id"];

/// How far an event has to be before it is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ack {
    /// On this machine's disk.
    #[default]
    Disk,
    /// In the stream too, or else the answer says that it is not yet.
    Stream,
}

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub ack: Ack,
    /// All events, or none.
    pub atomic: bool,
    /// No body where there is nothing to tell.
    pub minimal: bool,
    /// What the sender calls this request: sent again under it, its events count once.
    pub idempotency_key: Option<String>,
}

impl Wanted {
    /// Reads a request's query and headers, or tells everything that is wrong with them.
    pub fn of(head: &Parts) -> Result<Self, Problem> {
        let mut wanted = Self { minimal: is_minimal(&head.headers), ..Self::default() };
        if let Some(query) = head.uri.query().filter(|query| !query.is_empty()) {
            wanted.read_query(query)?;
        }
        if let Some(value) = head.headers.get(IDEMPOTENCY_KEY) {
            wanted.idempotency_key = Some(idempotency_key(value.to_str().unwrap_or_default())?);
        }
        Ok(wanted)
    }

    fn read_query(&mut self, query: &str) -> Result<(), Problem> {
        let mut errors = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let wrong = match (name, value) {
                ("ack", "disk") => continue,
                ("ack", "stream") => {
                    self.ack = Ack::Stream;
                    continue;
                }
                ("ack", _) => "ack is disk (the default) or stream",
                ("atomic", "true" | "false") => {
                    self.atomic = value == "true";
                    continue;
                }
                ("atomic", _) => "atomic is true or false",
                (known, _) if OF_OTHERS.contains(&known) => continue,
                _ => "there is no such parameter; there are ack and atomic",
            };
            errors.push(ProblemError {
                code: "invalid_parameter",
                detail: wrong.to_owned(),
                ..ProblemError::default()
            });
        }
        if errors.is_empty() {
            return Ok(());
        }
        let detail = "a query parameter is not right; errors tells which";
        Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail).errors(errors))
    }
}

/// Tells whether a browser sends without reading the answer, as `navigator.sendBeacon` does.
pub(super) fn is_beacon(headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, text: &[u8]| {
        headers.get(name).is_some_and(|value| value.as_bytes().starts_with(text))
    };
    is(&SEC_FETCH_MODE, b"no-cors") && is(&header::CONTENT_TYPE, b"text/plain")
}

/// `Prefer: return=minimal` (RFC 7240), or a beacon.
fn is_minimal(headers: &HeaderMap) -> bool {
    let prefers = |value: &http::HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split([',', ';']).any(|each| each.trim().eq_ignore_ascii_case("return=minimal"))
    };
    headers.get_all(PREFER).iter().any(prefers) || is_beacon(headers)
}

/// The value of `Idempotency-Key`; the quotes of a structured field are left out.
fn idempotency_key(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if (1..=IDEMPOTENCY_KEY_BYTES).contains(&bare.len())
        && bare.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Ok(bare.to_owned());
    }
    let detail = format!(
        "Idempotency-Key has 1 to {IDEMPOTENCY_KEY_BYTES} printable ASCII characters without spaces"
    );
    Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn wanted(uri: &str, headers: &[(&str, &str)]) -> Result<Wanted, &'static str> {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        Wanted::of(&head).map_err(|problem| problem.code())
    }

    #[test]
    fn nothing_said_means_disk_each_event_for_itself_and_a_body() {
        assert_eq!(wanted("/ingest", &[]), Ok(Wanted::default()));
        assert_eq!(wanted("/ingest?", &[("prefer", "respond-async")]), Ok(Wanted::default()));
        assert_eq!(
            wanted("/ingest?key=weir_a_b&api_secret=x&ack=disk&atomic=false", &[]),
            Ok(Wanted::default())
        );
    }

    #[test]
    fn all_that_can_be_asked_is_understood() {
        let told = wanted(
            "/ingest?ack=stream&atomic=true",
            &[("prefer", "wait=5, return=minimal"), ("idempotency-key", "\"a-1\"")],
        );
        let expected = Wanted {
            ack: Ack::Stream,
            atomic: true,
            minimal: true,
            idempotency_key: Some("a-1".to_owned()),
        };
        assert_eq!(told, Ok(expected));
    }

    #[test]
    fn a_beacon_reads_no_answer() {
        let beacon = [("content-type", "text/plain;charset=UTF-8"), ("sec-fetch-mode", "no-cors")];
        assert!(wanted("/ingest", &beacon).expect("valid").minimal);
        assert!(!wanted("/ingest", &beacon[..1]).expect("valid").minimal);
    }

    #[test]
    fn what_is_misspelled_is_refused() {
        for uri in ["/ingest?atmoic=true", "/ingest?ack=memory", "/ingest?atomic", "/ingest?a=1&b"]
        {
            assert_eq!(wanted(uri, &[]), Err("invalid_parameter"), "{uri}");
        }
        let long = "x".repeat(IDEMPOTENCY_KEY_BYTES + 1);
        for key in ["", "a b", "\"\"", &long] {
            let told = wanted("/ingest", &[("idempotency-key", key)]);
            assert_eq!(told, Err("invalid_idempotency_key"), "{key}");
        }
    }
}

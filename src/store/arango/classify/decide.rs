//! One function from evidence to what is done about it.

use serde::Deserialize;

use super::table::{UNKNOWN, action_of, advice_of};
use crate::limits::ARANGO_MESSAGE_BYTES;
use crate::store::{Failure, Remedy};

/// What an answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// The same again, soon.
    Retry,
    /// The unit (cursor, transaction) from its beginning, soon.
    Restart,
    /// The same later, and less at once.
    BackOff,
    /// Half of it at a time.
    Split,
    /// A new token, once; then stop.
    Refresh,
    /// It is there already: a success, after a comparison.
    Exists,
    /// Never again: this document is impossible.
    Park,
    /// Never again before somebody changes something.
    Stop,
}

/// What is known of something that did not succeed.
#[derive(Debug, Clone, Copy)]
pub enum Evidence<'a> {
    /// An answer other than the one hoped for. The body may be anything.
    Answer { status: u16, body: &'a str },
    /// An element of a bulk answer.
    Element { number: u32, message: &'a str },
    /// A success whose body is not what the API promises.
    Shape { status: u16, problem: &'a str },
    /// No answer.
    Wire { wire: Wire, text: &'a str },
}

/// How a request can end without a usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// The deadline passed; what was sent may have been done.
    TimedOut,
    /// The connection ended; what was sent may have been done.
    Cut,
    /// The answer has more bytes than are read.
    TooLarge,
    /// The password cannot be read.
    Secret,
    /// All places for requests of this kind were taken until the deadline.
    Crowded,
}

impl Wire {
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timeout",
            Self::Cut => "connection_cut",
            Self::TooLarge => "answer_too_large",
            Self::Secret => "secret_unreadable",
            Self::Crowded => "crowded",
        }
    }
}

/// What to do, and what to tell if it does not help or there is nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub action: Action,
    pub failure: Failure,
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        finding.failure
    }
}

/// Decides what an unhappy answer asks for.
///
/// An error number decides, but for a 503, which is overload or a start whatever it says besides. Without
/// a known number the status decides, and without a known status it is tried again later.
pub fn classify(evidence: Evidence<'_>) -> Finding {
    match evidence {
        Evidence::Answer { status, body } => answer(status, body),
        Evidence::Element { number, message } => numbered(None, number, message),
        Evidence::Shape { status, problem } => finding(
            Action::BackOff,
            "answer_shape".to_owned(),
            format!("the answer (HTTP {status}) is not one of ArangoDB: {}", shortened(problem)),
        ),
        Evidence::Wire { wire, text } => {
            let action = match wire {
                Wire::Cut => Action::Retry,
                Wire::Unreachable | Wire::TimedOut | Wire::Crowded => Action::BackOff,
                Wire::TooLarge => Action::Split,
                Wire::Secret => Action::Stop,
            };
            finding(action, wire.code().to_owned(), text.to_owned())
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    error_num: u32,
    #[serde(default)]
    error_message: String,
}

fn answer(status: u16, body: &str) -> Finding {
    // serde would take an array for the object too.
    let error = body.trim_start().starts_with('{').then(|| serde_json::from_str::<ErrorBody>(body));
    match error {
        Some(Ok(error)) => numbered(Some(status), error.error_num, &error.error_message),
        _ => bare(status, body),
    }
}

fn numbered(status: Option<u16>, number: u32, message: &str) -> Finding {
    let by_number = action_of(number);
    let action = match (status, by_number) {
        (Some(503), _) => Action::BackOff,
        // A refusal by an API that weir does not call, or calls wrongly, keeps its number.
        (Some(status), None) => action_of_status(status).unwrap_or(UNKNOWN),
        (_, Some(action)) => action,
        (None, None) => UNKNOWN,
    };
    let status = status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
    let advice = advice_of(number).map(|advice| format!("; {advice}")).unwrap_or_default();
    finding(
        action,
        format!("arango_{number}"),
        format!("ArangoDB says {:?} (error {number}{status}){advice}", shortened(message)),
    )
}

/// An answer that is none of ArangoDB's: of a proxy before it, or of a server that starts.
fn bare(status: u16, body: &str) -> Finding {
    let action = action_of_status(status).unwrap_or(UNKNOWN);
    let advice = match status {
        300..=399 => "; redirects are not followed: configure the address they lead to",
        401 | 403 => {
            "; check the user and its password, and that the user has rights on the database"
        }
        413 => "; a proxy before the server limits requests: raise its limit",
        _ => "",
    };
    finding(
        action,
        format!("http_{status}"),
        format!("HTTP {status} without an error of ArangoDB: {:?}{advice}", shortened(body)),
    )
}

fn action_of_status(status: u16) -> Option<Action> {
    match status {
        300..=399 | 403 | 405 | 501 => Some(Action::Stop),
        401 => Some(Action::Refresh),
        409 => Some(Action::Retry),
        410 => Some(Action::Restart),
        412 | 503 => Some(Action::BackOff),
        413 => Some(Action::Split),
        _ => None,
    }
}

fn finding(action: Action, code: String, text: String) -> Finding {
    Finding { action, failure: Failure { remedy: remedy_of(action, &code), code, text } }
}

/// What is left where an action is not possible or did not help.
///
/// Memory (32) that is short for a single document is short for now. A proxy that refuses one (413) would refuse
/// it for ever while the others pass: it is set aside, and redriven once the proxy is changed.
fn remedy_of(action: Action, code: &str) -> Remedy {
    match action {
        Action::Retry | Action::Restart => Remedy::Retry,
        Action::Split if code.ends_with("_413") => Remedy::Park,
        Action::BackOff | Action::Split => Remedy::BackOff,
        Action::Park => Remedy::Park,
        Action::Refresh | Action::Exists | Action::Stop => Remedy::Stop,
    }
}

/// The beginning of a text from outside.
fn shortened(text: &str) -> &str {
    let text = text.trim();
    &text[..text.floor_char_boundary(ARANGO_MESSAGE_BYTES)]
}

//! Why something is not granted, and the answer that tells so.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};

use super::grant::Quota;
use super::key::Scope;
use crate::http::Problem;

/// Why something is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("a key is needed and none was shown")]
    Missing,
    /// Unknown, revoked, ended, or with another secret: nobody is told which.
    #[error("what was shown is no valid key")]
    Wrong,
    #[error("the key does not have the scope {}", .0.name())]
    Scope(Scope),
    #[error("the key is not for this origin")]
    Origin,
    #[error("the key's rate is used up")]
    Rate { wait: Duration, quota: Option<Quota> },
    #[error("the keys are not known yet")]
    Unknown,
}

impl From<Denied> for Problem {
    /// All but a 429 end the connection: what follows of the request is not read.
    fn from(denied: Denied) -> Self {
        let goes_on = matches!(denied, Denied::Rate { .. });
        let challenge =
            (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"weir\""));
        let problem = match denied {
            Denied::Missing => Self::new(
                StatusCode::UNAUTHORIZED,
                "key_required",
                "show a key, as Authorization: Bearer weir_…; an operator makes one with weir keys create",
            )
            .header(challenge.0, challenge.1),
            Denied::Wrong => Self::new(
                StatusCode::UNAUTHORIZED,
                "key_not_valid",
                "the key that was shown is not valid: it may be unknown, revoked or at its end",
            )
            .header(challenge.0, challenge.1),
            Denied::Scope(scope) => Self::new(
                StatusCode::FORBIDDEN,
                "scope_missing",
                format!("the key does not have the scope {}", scope.name()),
            ),
            Denied::Origin => Self::new(
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "the key is for pages of other origins",
            ),
            Denied::Rate { wait, quota } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let problem = Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    "the key has sent as much as its rate allows: send the same again later",
                )
                .retry_after(u32::try_from(seconds).unwrap_or(u32::MAX));
                let headers = quota.map(Quota::headers).into_iter().flatten();
                headers.fold(problem, |problem, (name, value)| problem.header(name, value))
            }
            Denied::Unknown => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "keys_not_known",
                "this process has not read the keys yet, since NATS does not answer: send again",
            )
            .retry_after(1),
        };
        if goes_on { problem } else { problem.close() }
    }
}

//! Why a new version is sent back. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a new version is sent back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "code")]
pub enum Reason {
    /// It fails more often (5xx).
    Errors {
        new: f64,
        old: f64,
        p_value: f64,
    },
    /// It refuses more often (4xx).
    Refusals {
        new: f64,
        old: f64,
        p_value: f64,
    },
    /// More of its answers are slower than nearly all of the old one's.
    Slow {
        bound_s: f64,
        new: f64,
        old: f64,
        p_value: f64,
    },
    /// With all of the traffic, it fails more often than is allowed.
    ErrorsAlone {
        new: f64,
        most: f64,
    },
    /// With all of the traffic, more of its answers are slower than nearly all of the old one's were.
    SlowAlone {
        bound_s: f64,
        new: f64,
        most: f64,
    },
    /// What it takes does not get into the stream in time.
    Lag {
        new: u64,
        old: u64,
        most: u64,
    },
    /// It has no connection to NATS, and the old one has.
    Apart,
    /// Its admin listener did not answer for too long.
    Unreachable {
        detail: String,
    },
    /// Its process or instance is gone.
    Ended {
        detail: String,
    },
    /// Its process began again by itself.
    Restarted {
        instance: String,
    },
    /// It was not ready in time.
    NotReady {
        detail: String,
    },
    /// The step had its time, and there were too few requests to judge it, or it was not well at its end.
    Deadline {
        requests: u64,
        wanted: u64,
    },
    /// The generation of its projection could not be made.
    Projection {
        detail: String,
    },
    Aborted {
        why: String,
    },
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { new, old, p_value } => write!(
                f,
                "{} of its answers are errors, {} of the old version's (p {p_value:.1e})",
                percent(*new),
                percent(*old)
            ),
            Self::Refusals { new, old, p_value } => write!(
                f,
                "it refuses {} of the requests, the old version {} (p {p_value:.1e})",
                percent(*new),
                percent(*old)
            ),
            Self::Slow { bound_s, new, old, p_value } => write!(
                f,
                "{} of its answers take more than {:.1} ms, {} of the old version's (p {p_value:.1e})",
                percent(*new),
                bound_s * 1e3,
                percent(*old)
            ),
            Self::ErrorsAlone { new, most } => write!(
                f,
                "with all of the traffic {} of its answers are errors, and {} is allowed",
                percent(*new),
                percent(*most)
            ),
            Self::SlowAlone { bound_s, new, most } => write!(
                f,
                "with all of the traffic {} of its answers take more than {:.1} ms, and {} is allowed",
                percent(*new),
                bound_s * 1e3,
                percent(*most)
            ),
            Self::Lag { new, old, most } => write!(
                f,
                "{new} events wait for the stream (the old version: {old}), and {most} is allowed"
            ),
            Self::Apart => f.write_str("it has no connection to NATS, and the old version has"),
            Self::Unreachable { detail } => write!(f, "it does not answer: {detail}"),
            Self::Ended { detail } => write!(f, "it has ended: {detail}"),
            Self::Restarted { instance } => write!(f, "{instance} began again by itself"),
            Self::NotReady { detail } => write!(f, "it was not ready in time: {detail}"),
            Self::Deadline { requests, wanted } if requests < wanted => write!(
                f,
                "the step had its time, and the new version answered {requests} of {wanted} requests: there is \
                 too little traffic, or it does not answer"
            ),
            Self::Deadline { .. } => {
                f.write_str("the step had its time, and the new version was not well at its end")
            }
            Self::Projection { detail } => write!(f, "its projection has no generation: {detail}"),
            Self::Aborted { why } => write!(f, "somebody ended it: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_with_its_figures() {
        let slow = Reason::Slow { bound_s: 0.02, new: 0.31, old: 0.004, p_value: 0.0004 };
        insta::assert_snapshot!(slow, @"31.00 % of its answers take more than 20.0 ms, 0.40 % of the old version's (p 4.0e-4)");
        let few = Reason::Deadline { requests: 3, wanted: 100 };
        insta::assert_snapshot!(few, @"the step had its time, and the new version answered 3 of 100 requests: there is too little traffic, or it does not answer");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for reason in [
            Reason::Lag { new: 3, old: 1, most: 2 },
            Reason::Apart,
            Reason::Slow { bound_s: 0.02, new: 0.31, old: 0.004, p_value: 0.000_4 },
        ] {
            let text = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), reason, "{text}");
        }
    }
}

//! What one look saw of both versions since the look before. Pure.

use serde::{Deserialize, Serialize};

use super::evidence::{Sample, Share};

/// One look at both versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    pub at_ms: i64,
    pub new: Seen,
    /// Absent if there is no old version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Seen>,
    /// What counts as slow: chosen from what the old version did before this look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_s: Option<f64>,
    /// An instance of the new version that began again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<String>,
}

/// What one version did since the look before, and how it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub requests: u64,
    /// Answered with 5xx.
    pub errors: u64,
    /// Answered with 4xx.
    pub refused: u64,
    /// Answered later than the bound.
    pub slow: u64,
    /// Events on disk that are not in the stream, now.
    pub lag: u64,
    /// Whether all instances have a connection to NATS.
    pub connected: bool,
}

impl Seen {
    /// How many of the requests were bad in one way.
    pub(super) fn share(&self, bad: fn(&Self) -> u64) -> Share {
        // What is counted while it is read may be ahead of the sum.
        Share { bad: bad(self).min(self.requests), of: self.requests }
    }
}

impl Look {
    /// What both versions did in one way; nothing to compare without an old one.
    pub(super) fn sample(&self, bad: fn(&Seen) -> u64) -> Option<Sample> {
        let old = self.old.as_ref()?;
        Some(Sample { new: self.new.share(bad), old: old.share(bad) })
    }
}

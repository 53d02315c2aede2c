//! What the log has lost or saved over its life: told in the status, kept across restarts.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files;
use super::scan::{LostRange, holes};
use crate::limits::WAL_LOST_RANGES;

const NAME: &str = "DAMAGE";

/// Totals since the log was created, and the newest lost ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Damage {
    pub quarantined: u64,
    pub salvaged: u64,
    pub lost_entries: u64,
    pub lost: Vec<LostRange>,
}

impl Damage {
    /// Reads it; a missing or unreadable file is no damage.
    pub fn read(root: &Path) -> Damage {
        let bytes = std::fs::read(root.join(NAME)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Replaces the file durably.
    pub fn write(&self, root: &Path) -> std::io::Result<()> {
        files::replace(root, NAME, &serde_json::to_vec(self)?)
    }

    /// Returns what of a range is not known as lost.
    pub fn unknown(&self, range: LostRange) -> Vec<LostRange> {
        let known = self.lost.iter().map(|known| (known.first, known.last));
        holes(known, range.first..=range.last)
    }

    /// Counts what of a lost range is not known already, and returns how many entries that is.
    pub fn lose(&mut self, range: LostRange) -> u64 {
        let news = self.unknown(range);
        let count = news.iter().map(|range| range.count()).sum();
        self.lost_entries += count;
        self.lost.extend(news);
        self.lost.sort_unstable_by_key(|range| range.first);
        self.lost.dedup_by(|later, earlier| {
            let adjacent = later.first == earlier.last + 1;
            if adjacent {
                earlier.last = later.last;
            }
            adjacent
        });
        if self.lost.len() > WAL_LOST_RANGES {
            self.lost.remove(0);
        }
        count
    }

    /// Returns the lost ranges within `from .. next`, cut to it.
    pub fn lost_within(&self, from: u64, next: u64) -> Vec<LostRange> {
        let cut = |range: &LostRange| LostRange {
            first: range.first.max(from),
            last: range.last.min(next.saturating_sub(1)),
        };
        self.lost.iter().map(cut).filter(|range| range.first <= range.last).collect()
    }
}

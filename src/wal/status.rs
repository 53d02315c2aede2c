//! What the log tells about itself.

use serde::Serialize;

use super::scan::LostRange;
use super::shared::Shared;
use crate::limits::WAL_FULL_FOR;

/// The log's state at one moment. Sequences begin at 1; 0 means none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = LogStatus)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The highest synced sequence.
    pub high_water: u64,
    /// Everything up to here was published.
    pub published: u64,
    /// The first sequence that is kept; `high_water + 1` if none is.
    pub oldest: u64,
    /// Size of all segments on disk.
    pub bytes: u64,
    pub max_bytes: Option<u64>,
    pub segments: usize,
    /// Segments found damaged and put aside, over the log's life.
    pub quarantined: u64,
    /// Entries saved from damaged segments.
    pub salvaged: u64,
    /// Entries that were answered, not published, and are gone: a broken promise.
    pub lost_entries: u64,
    /// Where these were, the newest of them.
    pub lost: Vec<LostRange>,
    /// What keeps the log from its full promise now, or broke it since it was opened.
    pub degraded: Option<String>,
    /// Whether an append was refused for want of room in the last seconds, and none was taken since.
    pub full: bool,
}

impl Shared {
    pub fn status(&self) -> Status {
        let high_water = self.committed();
        let state = self.state();
        let hurt = state.hurt.then(|| {
            let damage = &state.damage;
            format!(
                "damage was found: {} segments quarantined, {} entries salvaged, {} lost",
                damage.quarantined, damage.salvaged, damage.lost_entries
            )
        });
        Status {
            high_water,
            published: state.published,
            oldest: state.ledger.oldest().unwrap_or(high_water + 1),
            bytes: state.ledger.bytes(),
            max_bytes: Some(self.options.max_bytes),
            segments: state.ledger.segments(),
            quarantined: state.damage.quarantined,
            salvaged: state.damage.salvaged,
            lost_entries: state.damage.lost_entries,
            lost: state.damage.lost.clone(),
            degraded: state.writing.clone().or_else(|| state.keeping.clone()).or(hurt),
            full: state.full_at.is_some_and(|at| at.elapsed() < WAL_FULL_FOR),
        }
    }
}

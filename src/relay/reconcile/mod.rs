//! Brings back what the stream lost out of a WAL that no process runs, and tells of each.
//!
//! Pure: `index` (the WAL's entries and where the stream has them), `gaps` (where it has nothing), `judge` (lost,
//! trimmed, or erased), `report`. Shells: `entries` reads the WAL, `survey` the stream, `publish` sends, `run` puts them together.

mod entries;
mod gaps;
mod index;
mod judge;
mod publish;
mod report;
mod run;
mod survey;

pub use report::{Finding, Found, Report, Stage};
pub use run::{Options, ReconcileError, Told, reconcile};

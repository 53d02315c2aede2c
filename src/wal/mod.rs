//! The write-ahead log: an append is answered only once it is truly on the disk.
//!
//! Layers, bottom up: what is persisted (`record`, `marks`, `damage`, `files`), what is decided without
//! I/O (`scan`, `ledger`, `tail`), one segment (`segment`, the only user of sled), opening (`repair`,
//! `recover`), the running log (`queue`, `committer`, `keeper`, `readers`), its `handle`, and `offline`.

mod committer;
mod damage;
mod error;
mod files;
pub(crate) mod fuzzing;
mod handle;
mod keeper;
mod ledger;
mod marks;
mod offline;
mod options;
mod queue;
mod readers;
mod record;
mod recover;
mod repair;
mod scan;
mod segment;
mod shared;
mod status;
mod tail;

pub use error::{AppendError, InUse, IoCause, OfflineError, OpenError, ReadError};
pub use handle::{AppendOutcome, ReadOutcome, Wal};
pub use offline::{
    ExportReport, SegmentFault, VerifyProgress, VerifyReport, export, inspect, verify, walk,
};
pub use options::Options;
pub use scan::LostRange;
pub use status::Status;

#[cfg(test)]
mod tests;

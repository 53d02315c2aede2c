//! Logs and metrics: how they are set up, and the one list of metric names.

mod logs;
mod recorder;

pub mod names;

pub use logs::{InitError, LogFormat, LogOptions, init_logs};
pub use recorder::{Metrics, MetricsError, UPKEEP};

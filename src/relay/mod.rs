//! Moves events from the write-ahead log to the stream, and brings back what the stream lost.
//!
//! Decisions are pure: `settle` (what an answer means), `window` (what is done), `marks` (what to
//! remember). `check` asks the stream whether it still holds what it acknowledged, `marks_file` keeps the
//! marks across restarts, `flight` sends, `engine` is the loop over all of them, `reactions` what it does
//! with what it hears, `service` its owner's view. `reconcile` does all at once what the loop does bit by bit, for
//! a WAL that no process runs.

mod check;
mod engine;
mod flight;
mod marks;
mod marks_file;
mod reactions;
pub mod reconcile;
mod service;
mod settle;
mod status;
mod window;

pub use marks::{MarksFileError, PublishMark};
pub use service::{BuildError, Handle, Options, Relay};
pub use status::Status;

//! The commands that begin jobs and look after them, over the admin listener of a running weir.
//!
//! Pure: `arguments` and `lifecycle` (what is typed), `point` (places of the log), `request` (what is asked
//! for), `text`, `account`, `report`, `plan` (what is printed). Shells: `start` begins, `watch` follows to the
//! end on a `screen`, `control` pauses, limits and lists.

mod account;
mod arguments;
mod control;
mod lifecycle;
mod plan;
mod point;
mod report;
mod request;
mod screen;
mod start;
#[cfg(test)]
mod tests;
mod text;
mod watch;

pub use arguments::{JumpArguments, RebuildArguments, ReplayArguments, VerifyArguments};
pub use control::JobCommand;
pub use lifecycle::{PromoteArguments, RedriveArguments, RetireArguments, RollbackArguments};
pub(super) use start::start;
pub(super) use text::span;

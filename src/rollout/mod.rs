//! Rollouts: a new version beside the old one, more and more of the traffic, and a judge that sends it back.
//!
//! What is decided is pure: the plan, the table of what may happen (`state`), the test (`evidence`, `judge`), and
//! what a journal comes to (`record`). The engine does what they say through a provider: processes behind nginx
//! (`local`) or groups behind a load balancer of AWS (`aws`). Whatever happened is in the journal before it is
//! built upon, so another process goes on where one was killed.

pub mod aws;
mod engine;
mod evidence;
mod jobs;
mod journal;
mod judge;
pub mod local;
mod look;
mod plan;
mod provider;
mod reading;
mod reason;
mod record;
#[cfg(test)]
mod simulation;
mod state;
mod watch;

pub use engine::{Engine, EngineError};
pub use evidence::{Evidence, Sample, Share};
pub use journal::{Journal, JournalError, latest, request_abort};
pub use judge::{Judge, Judgement, LagLimits, SlowLimits, Tolerance, Verdict};
pub use look::{Look, Seen};
pub use plan::{Plan, PlanError, Step};
pub use provider::{Admin, AdminFailure, Provider, ProviderError, Sides, Up};
pub use reading::{Instance, Reading};
pub use reason::Reason;
pub use record::{Begun, Entry, Event, Record, RecordError};
pub use state::{IllegalMove, Move, State};

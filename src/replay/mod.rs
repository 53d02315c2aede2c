//! Jobs: reading old events again, building graphs anew, and proving that they are right.
//!
//! `job` is what is written of a job, `state` what may happen to it, `request` what is asked for; all pure.
//! `ground` is what a job needs of the process it runs in. `verify` proves a graph equal to its log, `explain` says
//! why a document is there; both read the log by a `pass`.

mod explain;
mod ground;
mod job;
mod pass;
mod request;
mod state;
mod verify;

pub use explain::{ExplainError, Explained, Explanation, Question, Step, explain};
pub use ground::{Graph, Ground, Live, Target, Unready};
pub use job::{
    Chunk, Control, Filter, Found, Job, JobId, Missing, MissingWhy, Pace, Range, Redriven, Report,
    Run, Tally, Verb,
};
pub use request::{Point, Request};
pub use state::{IllegalMove, Move, State};
pub use verify::{Aside, VerifyError, verify};

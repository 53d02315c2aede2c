//! Jobs: reading old events again, building graphs anew, and proving that they are right.
//!
//! `job` is what is written of a job, `state` what may happen to it, `request` what is asked for. What is decided is
//! pure too: `split` and `fold` a range, its `account` and what is `missing`, `governor`, `wanted`, `point`,
//! `promotion`, `collide`. `planner` tells what a job would do, `jobs` keeps it in KV, `lease` says who runs it,
//! `worker` does. `ground` is what a job needs of the process it runs in.
//! `verify` proves a graph equal to its log, `explain` says why a document is there; both read by a `pass`.

mod account;
mod collide;
mod explain;
mod fold;
pub(crate) mod fuzzing;
mod governor;
mod ground;
mod job;
mod jobs;
mod lease;
mod missing;
mod pacer;
mod pass;
mod planner;
mod point;
mod promotion;
mod redrive;
mod request;
mod split;
mod state;
mod verify;
mod wanted;
mod worker;

pub use account::AccountError;
pub use explain::{ExplainError, Explained, Explanation, Question, Step, explain};
pub use ground::{Graph, Ground, Live, Target, Unready};
pub use job::{
    Chunk, Control, Filter, Found, Job, JobId, Missing, MissingWhy, Pace, Range, Redriven, Report,
    Run, Tally, Verb,
};
pub use jobs::{Collision, JobError, Jobs, JobsWatch};
pub use planner::{Estimate, Plan, PlanError, Planner, Sample, Undecodable};
pub use point::{NoPlace, Place};
pub use promotion::{Facts, Refused};
pub use redrive::{Redrove, redrive};
pub use request::{Point, Request};
pub use state::{IllegalMove, Move, State};
pub use verify::{Aside, VerifyError, verify};
pub use wanted::UnknownType;
pub use worker::{JobWorker, Options as WorkerOptions};

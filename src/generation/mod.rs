//! Generations: which graphs there are, and which one answers.
//!
//! `record` is pure: what is written of them and what may be done. `handle` keeps it in a KV bucket and
//! follows it.

mod handle;
mod record;
mod types;

pub use handle::{ChangeError, Generations};
pub use record::{Active, GenerationId, InvalidId, Record, Refusal, Verified, View};
pub use types::EventTypeSpec;

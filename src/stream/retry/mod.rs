//! Events that failed for a while: each waits at the server as a schedule and comes back by itself when it is due.

mod backoff;
mod queue;
mod room;

pub use backoff::{backoff, jittered};
pub use queue::{Retried, RetryOptions, RetryPage, RetryQueue};

//! Why a document is in the graph: the events of the log that put it, and which of them decides.
//!
//! Pure: `question` says which documents are meant, `trail` gathers what made them, `explanation` is the answer.
//! `run` reads the log.

mod explanation;
mod question;
mod run;
mod trail;

#[cfg(test)]
mod tests;

pub use explanation::{Explained, Explanation, Step};
pub use question::Question;
pub use run::{ExplainError, explain};

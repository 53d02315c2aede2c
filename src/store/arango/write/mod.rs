//! Writes: puts into bulk requests, answers into verdicts.
//!
//! Pure but for `apply`: `encode` writes the documents, `group` decides what goes together, `answer` reads
//! what came back, `settle` decides what is said of each put and what is sent again.

mod answer;
mod apply;
mod encode;
mod group;
mod known;
mod settle;

pub use known::Known;

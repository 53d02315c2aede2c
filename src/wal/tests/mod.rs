//! Behaviour of the log, on real files but for the codecs and the pure decisions.

mod codec;
mod concurrency;
mod damage;
mod decisions;
mod failure;
mod life;
mod model;
mod offline;
mod retention;
mod support;

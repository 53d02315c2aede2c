//! Reads: the pure code of `recommend` over what a few bounded queries fetched.
//!
//! The algorithm runs over [`fetched`], which notes what it is asked for and has not; that is fetched
//! in bulk, and the algorithm runs again, until nothing is missing. A round that knows less asks for
//! nothing that a later one does not want, so the answer is that of a graph in memory.

mod answer;
mod fetch;
mod fetched;
mod history;
mod missing;
mod names;
mod popular;
mod reads;
mod rows;

pub use reads::Reads;

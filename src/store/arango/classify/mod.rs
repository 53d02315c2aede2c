//! What to make of everything that ArangoDB, or a wire to it, can answer.
//!
//! Pure: [`classify`] turns evidence into an [`Action`] and a [`Failure`]. The table is data.

mod decide;
mod table;
#[cfg(test)]
mod tests;

pub use decide::{Action, Evidence, Finding, Wire, classify};

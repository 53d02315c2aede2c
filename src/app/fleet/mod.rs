//! Everybody who works on one log: each process tells what it is and how it is, and whoever asks sees all.
//!
//! Nobody is configured with the names of others. A process writes a key that ends by itself, `member.<name>`, and
//! whoever is gone is not there any more. `judge` is pure; it says what is wrong with the whole.

mod announce;
mod census;
mod judge;
mod member;

pub(super) use announce::announce;
pub use census::{Census, census};
pub(super) use member::Identity;
pub use member::{Member, Standing};

//! `weir rollout`: a new version beside the old one, and more and more of the traffic.
//!
//! Exit codes: 0 promoted (of `abort`: taken back), 1 failed, 2 a mistake in the file, 3 rolled back.

mod admins;
mod arguments;
mod file;
mod run;
mod text;

pub use arguments::RolloutCommand;

//! A graph on disk, to begin from after a restart.
//!
//! The file is `WEIRSNP1` and blocks of `tag, length (u32), payload, CRC32C of all three`, little
//! endian. Tags are never used twice. It is written beside the live flow: the progress in its head
//! is taken first, so the documents are at least those of that progress, and reading the log from
//! there again changes nothing that is there already.

mod form;
pub(crate) mod fuzzing;
mod load;
mod write;

#[cfg(test)]
mod tests;

pub use form::Head;
pub use load::{LoadError, load};
pub use write::write;

//! Stores: where a graph lives.
//!
//! The contract every store keeps:
//! - `apply` replaces a document only if the put's version is greater, and is done when it returns:
//!   a read that begins afterwards sees it. Any order and any repetition of puts gives the same graph.
//! - Reads see whole puts, filter what was taken back before they limit, and never wait for a snapshot.
//! - A scan visits every document once; one that runs beside writes may or may not see those.

pub mod memory;

//! The graph as a join-semilattice: puts, their keys and versions, and the digest.
//!
//! Pure. A store has one rule, [`Put`]s replace a document only if their version is greater, so
//! puts commute, associate and repeat without effect. The digest of a graph is a sum over its
//! documents and says nothing of the order in which they came.

mod canonical;
mod coalesce;
mod digest;
mod key;
mod put;
mod version;

pub use canonical::{ContentHash, canonical_json};
pub use coalesce::{Coalesced, coalesce};
pub use digest::Digest;
pub use key::{EdgeKey, Key, compare_by_key, decode_id, encode_id};
pub use put::{Body, Collection, Edge, Put};
pub use version::{Class, Version};

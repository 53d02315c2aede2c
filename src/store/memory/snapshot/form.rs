//! The form of a snapshot's file: what reader and writer agree on.

use crate::projection::Fingerprint;

pub(super) const MAGIC: &[u8; 8] = b"WEIRSNP1";

/// What a block holds.
pub(super) mod tag {
    pub const HEAD: u8 = 1;
    pub const USERS: u8 = 2;
    pub const ITEMS: u8 = 3;
    pub const SOURCES: u8 = 4;
    pub const EDGES: u8 = 5;
    pub const END: u8 = 6;
}

/// How a document is written.
pub(super) mod shape {
    pub const BARE: u8 = 0;
    pub const ABSENT: u8 = 1;
    pub const PROFILE: u8 = 2;
    /// Added to a vertex of which not all edges are there.
    pub const OLDER: u8 = 0x80;
    pub const LIVE: u8 = 0;
    pub const TOMBSTONE: u8 = 1;
}

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub fingerprint: Fingerprint,
    /// How far the graph had read the log, as its reader writes it.
    pub progress: Vec<u8>,
}

/// What stands before a block, and is covered by its checksum.
pub(super) fn block_head(tag: u8, length: u32) -> [u8; 5] {
    let [a, b, c, d] = length.to_le_bytes();
    [tag, a, b, c, d]
}

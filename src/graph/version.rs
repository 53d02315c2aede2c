//! Versions: a pure function of what a put is and what its body says.
//!
//! The two top bits are the class, the rest orders puts of one class. Equal versions mean equal
//! bodies (up to a collision of the hash), so whichever of two equals is kept is the same.

use super::ContentHash;

/// Decides which of two documents with one key stays: the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// What kind of put a version belongs to; later classes win over earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Bare = 0,
    Edge = 1,
    Tombstone = 2,
    Profile = 3,
}

const CLASS_SHIFT: u32 = 62;
/// 42 bits hold the milliseconds of the years 1970 to 2109; 20 are left for the hash.
const PROFILE_HASH_BITS: u32 = 20;

impl Version {
    /// Of a vertex that is only known to exist.
    pub const BARE: Self = Self(0);
    /// Of an edge that was taken back.
    pub const TOMBSTONE: Self = Self((Class::Tombstone as u64) << CLASS_SHIFT);

    pub fn edge(content: &ContentHash) -> Self {
        Self(((Class::Edge as u64) << CLASS_SHIFT) | (content.prefix() >> 2))
    }

    /// Of a profile: the later event wins, among equals the greater hash.
    pub fn profile(at_ms: i64, content: &ContentHash) -> Self {
        let hash = content.prefix() >> (64 - PROFILE_HASH_BITS);
        Self(
            ((Class::Profile as u64) << CLASS_SHIFT) | ((at_ms as u64) << PROFILE_HASH_BITS) | hash,
        )
    }

    pub fn class(self) -> Class {
        match self.0 >> CLASS_SHIFT {
            0 => Class::Bare,
            1 => Class::Edge,
            2 => Class::Tombstone,
            _ => Class::Profile,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn classes_and_times_order_versions(
            a in any::<[u8; 32]>(), b in any::<[u8; 32]>(), early in 631_152_000_000i64..3_155_759_999_999, later in 1i64..1_000_000,
        ) {
            let (a, b) = (ContentHash(a), ContentHash(b));
            prop_assert!(Version::BARE < Version::edge(&a));
            prop_assert!(Version::edge(&a) < Version::TOMBSTONE);
            prop_assert!(Version::TOMBSTONE < Version::profile(early, &a));
            let late = (early + later).min(3_155_759_999_999);
            prop_assert!(late == early || Version::profile(early, &a) < Version::profile(late, &b));
            prop_assert_eq!(Version::profile(late, &b).class(), Class::Profile);
            prop_assert_eq!(Version::edge(&a).class(), Class::Edge);
        }
    }
}

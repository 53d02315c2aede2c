//! The texts of all reads, one file each.
//!
//! Each is bounded before it expands. A `LIMIT` after `SORT e.ts` follows the index, which leaves the
//! order within one moment open; so a text also returns all of the moment at its rim, and who asks
//! orders by time and key and cuts: exact as long as no moment holds more than `@ties`. Tombstones
//! have no time, and `e.ts > 0` keeps them out before every `LIMIT`.

pub const NEWEST_OF_USER: &str = include_str!("newest_of_user.aql");
pub const NEWEST_OF_ITEMS: &str = include_str!("newest_of_items.aql");
pub const AROUND: &str = include_str!("around.aql");
pub const DEGREES: &str = include_str!("degrees.aql");
pub const POPULAR: &str = include_str!("popular.aql");
pub const ITEMS: &str = include_str!("items.aql");
pub const HISTORY: &str = include_str!("history.aql");
/// A page of a collection's documents in the order of keys; no time is looked at, tombstones are documents too.
pub const SCAN: &str = include_str!("scan.aql");

/// Every text with its name and the bind parameters that are given with it.
pub const ALL: &[(&str, &str, &[&str])] = &[
    ("newest_of_user", NEWEST_OF_USER, &["@edges", "user", "most", "ties"]),
    ("newest_of_items", NEWEST_OF_ITEMS, &["@edges", "items", "most", "ties"]),
    ("around", AROUND, &["@edges", "moments", "side", "ties"]),
    ("degrees", DEGREES, &["@edges", "items", "cap"]),
    ("popular", POPULAR, &["@edges", "sample"]),
    ("items", ITEMS, &["@items", "keys"]),
    ("scan", SCAN, &["@collection", "after", "most"]),
    ("history", HISTORY, &["@edges", "user", "before", "at", "most", "ties"]),
];

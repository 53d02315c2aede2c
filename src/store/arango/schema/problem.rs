//! Why a database cannot be used, each with what to do.

use serde::Serialize;

/// Something that no step can mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "problem")]
pub enum Problem {
    #[error(
        "step {number} ({name}) was applied in another form than this weir has: use the weir that applied it ({weir}), or rebuild into a new generation"
    )]
    Changed { number: u32, name: String, weir: String },
    #[error(
        "step {number} ({name}) was applied by weir {weir} and is unknown to this one: use that version or a newer one"
    )]
    Unknown { number: u32, name: String, weir: String },
    #[error(
        "step {missing} is not recorded although step {number} is: something removed its record; rebuild into a new generation"
    )]
    Gap { missing: u32, number: u32 },
    #[error(
        "{collection} exists as a collection of {found}, and must hold {wanted}: nothing can change that; remove it if it is not needed, or use another database"
    )]
    OtherKind { collection: String, found: &'static str, wanted: &'static str },
    #[error(
        "{collection} has {found} shards and {wanted} are configured: shards cannot be changed later; configure {found}, or rebuild into a new generation (a single server knows only 1)"
    )]
    OtherShards { collection: String, found: u32, wanted: u32 },
    #[error(
        "the database {} made as OneShard, and the configuration says otherwise: that cannot be changed later; configure one_shard = {found}, or rebuild into a new generation",
        if *found { "was" } else { "was not" }
    )]
    OtherSharding { found: bool },
    #[error(
        "{collection} has an index named {index} over other fields ({found}): drop it, then apply again"
    )]
    OtherIndex { collection: String, index: String, found: String },
}

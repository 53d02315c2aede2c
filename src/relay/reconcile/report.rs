//! What a reconciliation tells: of each entry that is not in the stream, and in all. Pure.

use serde::Serialize;

/// What was found of an entry, or done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Found {
    /// The stream had lost it, and has it again.
    Healed,
    /// It had not yet been published, and is now.
    Published,
    /// The server showed it after all.
    Held,
    /// A plan: it would be healed.
    Lost,
    /// A plan: it would be published.
    NotYetPublished,
    /// The server deleted the message at its place; it stays away.
    Erased,
    /// Something was deleted near its place; it stays away.
    MayHaveBeenErased,
}

/// One entry that the stream did not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub found: Found,
    /// Its sequence in the log on disk.
    pub wal_sequence: u64,
    pub subject: String,
    pub message_id: String,
    /// Where it stands in the stream now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Entries read of the log on disk; how many there are is not known.
    Disk,
    /// Sequences passed of the stream.
    Stream,
    /// Entries published.
    Publish,
}

/// What a reconciliation came to; each entry of the WAL counts once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Nothing was done.
    pub planned: bool,
    /// Entries of the log on disk.
    pub entries: u64,
    /// Entries with the id of another one.
    pub copies: u64,
    /// Entries that are no events.
    pub undecodable: u64,
    pub held: u64,
    /// Before the stream's first message; they stay away.
    pub trimmed: u64,
    pub erased: u64,
    pub may_have_been_erased: u64,
    /// The stream had lost these.
    pub lost: u64,
    pub not_yet_published: u64,
    /// Of those that were lost or not yet published, these are in the stream now.
    pub stored: u64,
}

impl Report {
    /// Whether the stream holds everything that it should.
    pub fn is_whole(&self) -> bool {
        self.may_have_been_erased == 0 && self.stored == self.lost + self.not_yet_published
    }
}

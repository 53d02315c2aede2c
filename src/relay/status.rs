//! What the relay tells about itself.

use serde::Serialize;

/// The state of the relay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = RelayStatus)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The stream was asked since the link came up, and holds what it acknowledged.
    pub sound: bool,
    /// Everything in the WAL through this sequence (inclusive) is in the stream.
    pub cursor: u64,
    /// Sequences of the WAL that are committed and after the cursor.
    pub lag: u64,
    /// Entries on their way or waiting to be sent again.
    pub in_flight: u64,
    /// Entries known to be stored, since the start.
    pub published: u64,
    /// How often something had to be sent again, since the start.
    pub retries: u64,
    /// How often the stream was found to have lost what it had acknowledged, since the start.
    pub heals: u64,
    /// Entries that were stored a second time because the stream had lost them, since the start.
    pub healed: u64,
    /// Entries that the stream may have lost and the WAL no longer holds, since the start.
    pub unhealable: u64,
    /// Entries that are no events and were passed over, since the start.
    pub undecodable: u64,
    /// What last went wrong.
    pub last_error: Option<String>,
    /// What keeps events from being stored until somebody changes it.
    pub alarm: Option<String>,
}

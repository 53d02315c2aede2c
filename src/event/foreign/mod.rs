//! Events as other collectors' clients send them, written anew with our own names. Pure.
//!
//! Each form is known by keys that no event of ours has. What is written anew goes through the one parser, so
//! that all rules hold for it too. Orders keep their number as their event's id, and a refund names it: so an
//! order that is sent twice counts once, and what is taken back is found without anything being looked up.

mod cloud;
mod ga4;
mod pick;
mod query;
mod retail;
mod segment;

pub use cloud::CloudAttributes;
pub(super) use cloud::{Attributes, attributes_of};
pub(super) use ga4::rewrite as rewrite_ga4;
pub(super) use query::from_query;

use serde_json::{Map, Value};

use super::issue::Issue;

/// A form that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Segment,
    Retail,
}

/// Keys under which others send several events at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Envelope {
    /// GA4's, and our own.
    Events,
    /// Segment's.
    Batch,
    /// Google Retail's.
    UserEvents,
}

impl Envelope {
    /// Knows an envelope by its key.
    pub fn of_key(key: &str) -> Option<Self> {
        match key {
            "events" => Some(Self::Events),
            "batch" => Some(Self::Batch),
            "userEvents" => Some(Self::UserEvents),
            _ => None,
        }
    }
}

impl Form {
    /// Knows a form by a key that has no field of ours.
    pub fn of_key(key: &str) -> Option<Self> {
        matches!(key, "productDetails" | "userInfo" | "purchaseTransaction").then_some(Self::Retail)
    }

    /// Knows Segment's by the kind of call in `type`, where others have an event type.
    pub fn of_type(text: &str) -> Option<Self> {
        segment::CALLS.contains(&text).then_some(Self::Segment)
    }

    /// Writes an event of this form with our own names.
    pub fn rewrite(self, event: Map<String, Value>) -> Result<Map<String, Value>, Issue> {
        match self {
            Self::Segment => segment::rewrite(event),
            Self::Retail => Ok(retail::rewrite(event)),
        }
    }
}

#[cfg(test)]
mod tests;

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
pub(super) use cloud::{Attributes, Mode, attributes_of};
pub(super) use cloud::{ID, SOURCE, SUBJECT, TIME, TYPE, USER};
pub(super) use query::from_query;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::issue::Issue;

/// A form that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Segment,
    Retail,
    /// One of the events in an envelope of GA4.
    Ga4,
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
    /// Google Retail's, as the body of an import has them: two levels down.
    Import,
    /// The lower of these levels alone.
    Inline,
}

impl Envelope {
    /// Knows an envelope by its key.
    pub fn of_key(key: &str) -> Option<Self> {
        match key {
            "events" => Some(Self::Events),
            "batch" => Some(Self::Batch),
            "userEvents" => Some(Self::UserEvents),
            "inputConfig" => Some(Self::Import),
            "userEventInlineSource" => Some(Self::Inline),
            _ => None,
        }
    }

    pub fn key(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Batch => "batch",
            Self::UserEvents => "userEvents",
            Self::Import => "inputConfig",
            Self::Inline => "userEventInlineSource",
        }
    }

    /// Finds the list of events in what stands under the key.
    pub fn list(self, text: &RawValue) -> Option<&RawValue> {
        let list = match self {
            Self::Import => inner(inner(text)?.user_event_inline_source?)?.user_events?,
            Self::Inline => inner(text)?.user_events?,
            _ => text,
        };
        list.get().starts_with('[').then_some(list)
    }
}

/// What an import of Google Retail holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner<'a> {
    #[serde(borrow)]
    user_event_inline_source: Option<&'a RawValue>,
    #[serde(borrow)]
    user_events: Option<&'a RawValue>,
}

fn inner(text: &RawValue) -> Option<Inner<'_>> {
    text.get().starts_with('{').then(|| serde_json::from_str(text.get()).ok()).flatten()
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

    /// Writes an event of this form with our own names; `shared` is what an envelope says of all its events.
    pub fn rewrite(
        self,
        mut event: Map<String, Value>,
        shared: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Issue> {
        match self {
            Self::Segment => {
                segment::share(&mut event, shared);
                segment::rewrite(event)
            }
            Self::Retail => Ok(retail::rewrite(event)),
            Self::Ga4 => Ok(ga4::rewrite(event, shared)),
        }
    }

    /// Points to where a client wrote it, from where we have it once it is written anew.
    pub fn point(self, mut issue: Issue) -> Issue {
        let origin = match self {
            Self::Segment => segment::origin(&issue.pointer),
            Self::Retail => retail::origin(&issue.pointer),
            Self::Ga4 => ga4::origin(&issue.pointer),
        };
        if let Some(origin) = origin {
            issue.pointer = origin.into();
        }
        issue
    }
}

/// The place of a line's item: `/items/3/itemId`, in a list and under a name of theirs.
fn of_line(pointer: &str, list: &str, item: &str) -> Option<String> {
    let index = pointer.strip_prefix("/items/")?.strip_suffix("/itemId")?;
    Some(format!("{list}/{index}/{item}"))
}

#[cfg(test)]
mod tests;

//! Events to record, and recorded events.

use serde_json::{Map, Value};

use super::{EventTime, Id, TypeIndex};

/// One line of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    pub item: Id<'a>,
    pub value: Option<f64>,
}

/// An event to record: valid for its type, with gaps where the producer left them.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft<'a> {
    pub id: Option<Id<'a>>,
    pub event_type: TypeIndex,
    pub user: Option<Id<'a>>,
    /// The one item of most events; orders have [`Draft::lines`] instead.
    pub item: Option<Id<'a>>,
    pub lines: Vec<Line<'a>>,
    pub at: Option<EventTime>,
    pub source: Option<Id<'a>>,
    pub value: Option<f64>,
    pub retracts: Option<Id<'a>>,
    pub properties: Map<String, Value>,
    /// What the producer tells of the circumstances: kept in the log, and outside every graph.
    pub context: Map<String, Value>,
    pub received_ms: Option<i64>,
    pub received_from: Option<ReceivedFrom>,
    /// The schema it has after upcasting.
    pub schema: u32,
}

/// A recorded event: nothing is left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    pub id: Id<'a>,
    pub event_type: TypeIndex,
    pub user: Option<Id<'a>>,
    pub item: Option<Id<'a>>,
    pub lines: Vec<Line<'a>>,
    pub at: EventTime,
    pub source: Id<'a>,
    pub value: Option<f64>,
    pub retracts: Option<Id<'a>>,
    pub properties: Map<String, Value>,
    pub context: Map<String, Value>,
    pub received_ms: Option<i64>,
    pub received_from: Option<ReceivedFrom>,
    pub schema: u32,
}

/// What a gateway knows of whom an event comes from, as far as it may keep it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceivedFrom {
    /// An address, or its network.
    pub ip: Option<String>,
    /// The user agent says that no person is behind it.
    pub bot: bool,
    /// The id of the key that was shown.
    pub key: Option<String>,
}

/// What fills the gaps of a draft.
#[derive(Debug, Clone)]
pub struct Defaults<'a> {
    pub id: Id<'a>,
    pub at: EventTime,
    pub received_ms: Option<i64>,
}

/// The source of an event that names none.
pub const DEFAULT_SOURCE: &str = "default";

impl<'a> Draft<'a> {
    /// Fills the gaps. `defaults` is asked only when there is a gap that it must fill.
    pub fn resolve(self, defaults: impl FnOnce() -> Defaults<'a>) -> Event<'a> {
        let (id, at, received_ms) = match (self.id, self.at, self.received_ms) {
            (Some(id), Some(at), Some(received)) => (id, at, Some(received)),
            (id, at, received) => {
                let defaults = defaults();
                (
                    id.unwrap_or(defaults.id),
                    at.unwrap_or(defaults.at),
                    received.or(defaults.received_ms),
                )
            }
        };
        Event {
            id,
            event_type: self.event_type,
            user: self.user,
            item: self.item,
            lines: self.lines,
            at,
            source: self
                .source
                .unwrap_or_else(|| Id::new(DEFAULT_SOURCE).expect("a valid constant")),
            value: self.value,
            retracts: self.retracts,
            properties: self.properties,
            context: self.context,
            received_ms,
            received_from: self.received_from,
            schema: self.schema,
        }
    }
}

//! The fields that have a place of their own, with the names that producers use for them.

/// A field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    User,
    Item,
    Lines,
    Type,
    EventId,
    Timestamp,
    Source,
    Value,
    Retracts,
    Received,
    Schema,
    Context,
    ReceivedFrom,
    Properties,
}

/// How many there are.
pub(super) const FIELDS: usize = Field::Properties as usize + 1;

/// Makes both from one table: the field of a key with its pointer, and the names of each field.
macro_rules! fields {
    ($($field:ident: $($name:literal)+;)+) => {
        /// The field of a key, and its pointer.
        pub(super) fn field_of(key: &str) -> Option<(Field, &'static str)> {
            Some(match key {
                $($($name => (Field::$field, concat!("/", $name)),)+)+
                _ => return None,
            })
        }

        /// The names of every field, the one that weir writes first.
        pub const FIELD_NAMES: [&[&str]; FIELDS] = [$(&[$($name),+]),+];
    };
}

fields! {
    User: "userId" "user_id" "distinct_id" "visitorId" "client_id";
    Item: "itemId" "item_id" "product_id" "sku";
    Lines: "items";
    Type: "eventType" "event_type" "event" "type" "event_name";
    EventId: "eventId" "messageId" "insert_id" "$insert_id" "uuid";
    Timestamp: "timestamp" "occurredAt" "eventTime" "time" "originalTimestamp";
    Source: "source";
    Value: "value";
    Retracts: "retracts";
    Received: "receivedAt";
    Schema: "schemaVersion";
    Context: "context";
    ReceivedFrom: "receivedFrom";
    Properties: "properties";
}

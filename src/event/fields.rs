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

#[rustfmt::skip]
/// The field of a key, and its pointer.
pub(super) fn field_of(key: &str) -> Option<(Field, &'static str)> {
    Some(match key {
        "userId" => (Field::User, "/userId"),
        "user_id" => (Field::User, "/user_id"),
        "distinct_id" => (Field::User, "/distinct_id"),
        "visitorId" => (Field::User, "/visitorId"),
        "client_id" => (Field::User, "/client_id"),
        "itemId" => (Field::Item, "/itemId"),
        "item_id" => (Field::Item, "/item_id"),
        "product_id" => (Field::Item, "/product_id"),
        "sku" => (Field::Item, "/sku"),
        "items" => (Field::Lines, "/items"),
        "eventType" => (Field::Type, "/eventType"),
        "event_type" => (Field::Type, "/event_type"),
        "event" => (Field::Type, "/event"),
        "type" => (Field::Type, "/type"),
        "event_name" => (Field::Type, "/event_name"),
        "eventId" => (Field::EventId, "/eventId"),
        "messageId" => (Field::EventId, "/messageId"),
        "insert_id" => (Field::EventId, "/insert_id"),
        "$insert_id" => (Field::EventId, "/$insert_id"),
        "uuid" => (Field::EventId, "/uuid"),
        "timestamp" => (Field::Timestamp, "/timestamp"),
        "occurredAt" => (Field::Timestamp, "/occurredAt"),
        "eventTime" => (Field::Timestamp, "/eventTime"),
        "time" => (Field::Timestamp, "/time"),
        "originalTimestamp" => (Field::Timestamp, "/originalTimestamp"),
        "source" => (Field::Source, "/source"),
        "value" => (Field::Value, "/value"),
        "retracts" => (Field::Retracts, "/retracts"),
        "receivedAt" => (Field::Received, "/receivedAt"),
        "context" => (Field::Context, "/context"),
        "receivedFrom" => (Field::ReceivedFrom, "/receivedFrom"),
        "schemaVersion" => (Field::Schema, "/schemaVersion"),
        "properties" => (Field::Properties, "/properties"),
        _ => return None,
    })
}

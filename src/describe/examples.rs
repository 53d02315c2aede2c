//! Examples of events, which are valid with the event types that are configured.

use serde_json::{Value, json};

use crate::event::{EventTypes, Kind};

/// One example of a body.
#[derive(Debug, Clone)]
pub struct Example {
    pub name: String,
    pub summary: &'static str,
    pub value: Value,
}

impl Example {
    pub fn new(name: &str, summary: &'static str, value: Value) -> Self {
        Self { name: name.to_owned(), summary, value }
    }

    /// A member of a map of examples.
    pub(super) fn into_member(self) -> (String, Value) {
        (self.name, json!({ "summary": self.summary, "value": self.value }))
    }

    /// One event of each kind of type that is configured.
    pub fn events(types: &EventTypes) -> Vec<Self> {
        let mut told: Vec<Self> = Vec::new();
        for (_, spec) in types.iter() {
            let (name, summary, mut value) = of_kind(&spec.kind);
            if told.iter().all(|example| example.name != name) {
                value["eventType"] = spec.name.as_str().into();
                told.push(Self::new(name, summary, value));
            }
        }
        told
    }

    /// The first event of a user and an item.
    pub fn interaction(types: &EventTypes) -> Value {
        let found = Self::events(types).into_iter().find(|example| example.name == "interaction");
        found.map_or_else(|| json!({}), |example| example.value)
    }
}

fn of_kind(kind: &Kind) -> (&'static str, &'static str, Value) {
    match kind {
        Kind::Interaction { .. } => (
            "interaction",
            "A user and an item; an id and a time of your own make repetitions harmless",
            json!({
                "eventId": "01JD3ZK5T0Q8", "userId": "u789", "itemId": "i456",
                "timestamp": "2026-11-28T12:00:00Z", "source": "shop", "properties": { "page": "home" },
            }),
        ),
        Kind::Retraction { .. } => (
            "retraction",
            "Takes back an earlier event by its id",
            json!({ "userId": "u789", "itemId": "i456", "retracts": "01JD3ZK5T0Q8", "source": "shop" }),
        ),
        Kind::UserProfile => (
            "user profile",
            "What is known of a user",
            json!({ "userId": "u789", "properties": { "country": "CH" } }),
        ),
        Kind::ItemProfile => (
            "item profile",
            "What is known of an item",
            json!({ "itemId": "i456", "properties": { "title": "A lamp", "price": 39.5 } }),
        ),
        Kind::UserOnly => (
            "user only",
            "Of a user alone, such as a search",
            json!({ "userId": "u789", "properties": { "query": "lamp" } }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Parser, Upcasters};

    #[test]
    fn every_example_is_a_valid_event() {
        let types = Arc::new(EventTypes::builtin());
        let parser = Parser::new(types.clone(), Upcasters::shipped());
        let examples = Example::events(&types);
        assert_eq!(examples.len(), 5);
        for example in examples {
            let text = example.value.to_string();
            assert!(parser.parse(text.as_bytes(), None).is_ok(), "{text}");
        }
    }
}

//! The AsyncAPI document: what is published where, and what whoever publishes has to do.

use serde_json::{Value, json};

use super::components::Components;
use super::event::message_schema;
use super::examples::Example;
use crate::event::{EventTypes, SUBJECT_PREFIX};
use crate::limits::EVENT_BYTES;

/// Where the subjects are.
#[derive(Debug, Clone)]
pub struct Subjects {
    /// `nats://host:port`, several with commas between them; not told if absent. What stands before an `@` is
    /// never told.
    pub url: Option<String>,
}

/// Puts it together.
pub fn asyncapi(subjects: &Subjects, types: &EventTypes, version: &str) -> Value {
    let mut components = Components::default();
    components.put("Event", message_schema(types));
    components.put("Acknowledgement", acknowledgement());
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "weir: events on NATS", "version": version, "description": promise(),
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": servers(subjects.url.as_deref().unwrap_or_default()),
        "channels": {
            "events": events(types),
            "acknowledgements": {
                "address": null,
                "description": "The inbox that a request of JetStream names as its reply subject.",
                "messages": { "acknowledgement": { "$ref": "#/components/messages/acknowledgement" } },
            },
            "retry": operators("retry.>", "Events that wait to be applied again, one a generation."),
            "parked": operators("parked.>", "Events that cannot be applied as they are: weir parked."),
        },
        "operations": operations(),
        "components": {
            "schemas": components.into_json(),
            "messages": {
                "event": message(types),
                "acknowledgement": {
                    "contentType": "application/json",
                    "payload": { "$ref": "#/components/schemas/Acknowledgement" },
                },
                "entry": {
                    "description": "The event as it was, with headers Weir-… that say where it came from and why.",
                    "contentType": "application/json",
                    "payload": {},
                },
            },
        },
    })
}

fn promise() -> String {
    format!(
        "An event is stored once JetStream has acknowledged it, not when it was sent: publish with a \
         request (or the JetStream call of a client), wait for the acknowledgement, and send the same \
         message again under the same Nats-Msg-Id until it comes. Repetitions do no harm: an event with an \
         eventId of its own counts once, however often and on whatever way it arrives. An event has at most \
         {EVENT_BYTES} bytes. What is no event is not refused here, since nobody looks before it is stored: \
         it is parked, and weir parked shows why."
    )
}

/// Each server of a list of addresses, without what may stand before an `@`.
fn servers(url: &str) -> Value {
    let each = url.split(',').map(str::trim).filter(|url| !url.is_empty()).enumerate();
    let each = each.map(|(index, url)| {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host).trim_end_matches('/');
        let server = json!({ "host": host, "protocol": scheme, "description": "With JetStream." });
        (if index == 0 { "nats".to_owned() } else { format!("nats{}", index + 1) }, server)
    });
    each.collect()
}

fn events(types: &EventTypes) -> Value {
    let names: Vec<&str> = types.iter().map(|(_, spec)| spec.name.as_str()).collect();
    json!({
        "address": format!("{SUBJECT_PREFIX}{{type}}"),
        "description": "Every event, in the stream EVENTS. The subject says the event type: the body may \
            leave it out, and one that names another is parked.",
        "parameters": { "type": { "description": "The event type, as it is configured.", "enum": names } },
        "messages": { "event": { "$ref": "#/components/messages/event" } },
    })
}

fn operators(subject: &str, text: &str) -> Value {
    json!({
        "address": subject,
        "description": format!("{text} For operators to read; weir alone writes it."),
        "messages": { "entry": { "$ref": "#/components/messages/entry" } },
    })
}

fn operations() -> Value {
    json!({
        "publishEvent": {
            "action": "receive",
            "summary": "Takes an event: publish it, and wait for the acknowledgement.",
            "channel": { "$ref": "#/channels/events" },
            "messages": [{ "$ref": "#/channels/events/messages/event" }],
            "reply": {
                "address": { "location": "$message.header#/reply" },
                "channel": { "$ref": "#/channels/acknowledgements" },
                "messages": [{ "$ref": "#/channels/acknowledgements/messages/acknowledgement" }],
            },
        },
        "storeForRetry": {
            "action": "send",
            "summary": "Puts aside an event that may yet be applied.",
            "channel": { "$ref": "#/channels/retry" },
        },
        "park": {
            "action": "send",
            "summary": "Puts aside an event that cannot be applied.",
            "channel": { "$ref": "#/channels/parked" },
        },
    })
}

fn message(types: &EventTypes) -> Value {
    let payload = Example::interaction(types);
    json!({
        "name": "event",
        "summary": "The same JSON as POST /ingest takes, one event a message.",
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": { "Nats-Msg-Id": {
                "description": "The same for the same event, as its eventId: JetStream drops a second message \
                    under it within its duplicate window. Absent, every message is stored.",
                "type": "string",
            } },
        },
        "payload": { "$ref": "#/components/schemas/Event" },
        "examples": [{
            "name": "interaction",
            "headers": { "Nats-Msg-Id": payload["eventId"] },
            "payload": payload,
        }],
    })
}

fn acknowledgement() -> Value {
    json!({
        "description": "JetStream's answer: stored, unless it holds an error.",
        "type": "object",
        "properties": {
            "stream": { "type": "string" },
            "seq": { "type": "integer", "minimum": 0 },
            "duplicate": { "type": "boolean" },
            "error": {
                "type": "object",
                "properties": {
                    "code": { "type": "integer" },
                    "err_code": { "type": "integer" },
                    "description": { "type": "string" },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_without_what_lets_in() {
        let told = servers("nats://weir:secret@a:4222, tls://b:4222/");
        assert_eq!(told["nats"]["host"], "a:4222");
        assert_eq!(
            (&told["nats2"]["host"], &told["nats2"]["protocol"]),
            (&json!("b:4222"), &json!("tls"))
        );
        assert!(!told.to_string().contains("secret"));
    }
}

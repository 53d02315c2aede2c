//! What the gateway takes and answers, for the description of the service. Pure.

use serde_json::{Value, json};

use super::answer::Accepted;
use crate::describe::{Answer, Code, Entry, Example, Operation, Parameter, Schema};
use crate::event::EventTypes;
use crate::http::BODY_PROBLEMS;
use crate::limits::{EVENT_BYTES, HTTP_BATCH_EVENTS, HTTP_BODY_BYTES};

const TAG: &str = "events";

/// What a key, or the want of one, may lead to.
const KEY_PROBLEMS: [Code; 7] = [
    (401, "key_required"),
    (401, "key_not_valid"),
    (403, "scope_missing"),
    (403, "origin_not_allowed"),
    (429, "rate_limited"),
    (503, "keys_not_known"),
    (503, "hash_key_missing"),
];

/// What one event may lead to, whichever way it comes.
const EVENT_PROBLEMS: [Code; 8] = [
    (400, "invalid_event"),
    (403, "type_not_permitted"),
    (403, "source_not_permitted"),
    (413, "event_too_large"),
    (503, "log_full"),
    (503, "draining"),
    (503, "not_stored"),
    (503, "gateway_clock"),
];

/// What a body of events may lead to besides.
const REQUEST_PROBLEMS: [Code; 11] = [
    (400, "empty_body"),
    (400, "invalid_idempotency_key"),
    (400, "invalid_parameter"),
    (400, "malformed_encoding"),
    (400, "malformed_json"),
    (405, "method_not_allowed"),
    (413, "too_many_events"),
    (415, "unsupported_content_type"),
    (415, "unsupported_encoding"),
    (422, "batch_not_valid"),
    (422, "no_valid_event"),
];

/// Describes the ways in for events.
pub fn operations(types: &EventTypes) -> Vec<Operation> {
    vec![ingest(types), preflight(), pixel()]
}

fn ingest(types: &EventTypes) -> Operation {
    let operation = Operation::new("post", "/ingest", "ingest")
        .of(TAG, Entry::Producers)
        .says("Takes one event, or several", promise())
        .parameter(ack_parameter())
        .parameter(Parameter::query(
            "atomic",
            &json!({ "type": "string", "enum": ["true", "false"], "default": "false" }),
            "true: all events of the batch are stored, or none (422).",
        ))
        .parameter(Parameter::header(
            "Idempotency-Key",
            &json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
            "Names this request: events without an id get ids that follow from it, so that sending the \
             same request again under it stores nothing twice.",
        ))
        .parameter(Parameter::header(
            "Prefer",
            &json!({ "type": "string", "examples": ["return=minimal"] }),
            "return=minimal: 204 instead of a body where all is well (RFC 7240).",
        ))
        .parameter(Parameter::header(
            "Content-Encoding",
            &json!({ "type": "string", "enum": ["gzip", "zstd", "identity"] }),
            "How the body is packed; what it unpacks to is bounded.",
        ));
    let accepted = || Schema::of::<Accepted<'static>>();
    bodies(operation, types)
        .answers(Answer::json(200, "With ack=stream: every event is in the stream.", accepted()))
        .answers(Answer::json(202, "Every event is on this machine's disk.", accepted()))
        .answers(
            Answer::empty(204, "The same as 200 or 202, to who wants no body.")
                .header("Preference-Applied", "return=minimal, if it was preferred."),
        )
        .answers(Answer::json(
            207,
            "Some events are stored and some are not: results says which, in the order of the batch.",
            accepted(),
        ))
        .problems(&KEY_PROBLEMS)
        .problems(&EVENT_PROBLEMS)
        .problems(&REQUEST_PROBLEMS)
        .problems(&BODY_PROBLEMS)
}

fn bodies(operation: Operation, types: &EventTypes) -> Operation {
    let event = Example::interaction(types);
    let lines = format!("{event}\n{event}\n");
    let several = Example::new("batch", "Two events", json!([event, event]));
    let one_or_several = Schema::inline(json!({
        "anyOf": [
            { "$ref": "#/components/schemas/Event" },
            { "$ref": "#/components/schemas/Events" },
            { "$ref": "#/components/schemas/Envelope" },
        ],
    }));
    let beacon = Example::new("beacon", "JSON all the same", event.to_string().into());
    let text = || Schema::inline(json!({ "type": "string" }));
    let mut examples = Example::events(types);
    examples.push(several);
    if types.find("view_item").is_some() {
        examples.push(Example::new("GA4", "As the Measurement Protocol sends", ga4()));
    }
    operation
        .takes("application/json", one_or_several, examples)
        .takes(
            "application/x-ndjson",
            text(),
            vec![Example::new("lines", "An event a line", lines.into())],
        )
        .takes("text/plain", text(), vec![beacon])
        .takes("application/cloudevents+json", Schema::named("CloudEvent"), Vec::new())
        .takes("application/cloudevents-batch+json", Schema::named("CloudEvents"), Vec::new())
}

fn ga4() -> Value {
    json!({
        "client_id": "u789",
        "events": [{ "name": "view_item", "params": { "items": [{ "item_id": "i456", "price": 39.5 }] } }],
    })
}

fn promise() -> String {
    format!(
        "An answer of 2xx is a promise: the events it counts are synced to disk (ack: disk) or stored in \
         the stream (ack: stream), and are not lost. Send the same again after 408, 429, 502, 503, 504 or \
         no answer at all; everything else is final. An event with an eventId and a timestamp of its own \
         counts once, however often it is sent.\n\n\
         The content type decides on the form: JSON (one event, or an array), NDJSON, CloudEvents 1.0 \
         (structured, batched, or binary: attributes in headers ce-…), or text/plain with JSON in it, as \
         navigator.sendBeacon sends. What GA4's Measurement Protocol, Segment and Google Retail send is \
         understood as it is.\n\n\
         An event has at most {EVENT_BYTES} bytes as it is stored; a request {HTTP_BODY_BYTES} bytes and \
         {HTTP_BATCH_EVENTS} events, unless an operator has set less."
    )
}

fn ack_parameter() -> Parameter {
    Parameter::query(
        "ack",
        &json!({ "type": "string", "enum": ["disk", "stream"], "default": "disk" }),
        "stream: the answer waits for the stream too; it is 202 with ack: disk if that takes too long.",
    )
}

fn preflight() -> Operation {
    Operation::new("options", "/ingest", "ingestPreflight")
        .of(TAG, Entry::Everyone)
        .says(
            "Tells a browser whether a page may send",
            "Answers a preflight; without Origin and Access-Control-Request-Method it is none (405).",
        )
        .parameter(Parameter::header("Origin", &json!({ "type": "string" }), "The page's origin."))
        .parameter(Parameter::header(
            "Access-Control-Request-Method",
            &json!({ "type": "string" }),
            "What the page wants to send.",
        ))
        .answers(
            Answer::empty(204, "Pages of this origin may send.")
                .header("Access-Control-Allow-Origin", "The origin; never with credentials.")
                .header("Access-Control-Allow-Methods", "The methods that a page may use.")
                .header("Access-Control-Allow-Headers", "The headers that a page may send.")
                .header("Access-Control-Max-Age", "Seconds for which a browser may remember this."),
        )
        .problems(&[(403, "origin_not_allowed"), (405, "method_not_allowed")])
}

fn pixel() -> Operation {
    let text = json!({ "type": "string" });
    Operation::new("get", "/pixel.gif", "pixel")
        .of(TAG, Entry::Producers)
        .says(
            "Takes one event in the query",
            "For pages and mails that can send nothing else. Parameters are named as fields of an event \
             are, with all their other names; what is no field becomes a property.",
        )
        .parameter(Parameter::query("eventType", &text, "What happened."))
        .parameter(Parameter::query("userId", &text, "Whom the event is of."))
        .parameter(Parameter::query("itemId", &text, "What it is about."))
        .answers(
            Answer::of(
                200,
                "The event is on this machine's disk.",
                Some(("image/gif", Schema::inline(json!({ "type": "string" })))),
            )
            .header("Cache-Control", "no-store"),
        )
        .problems(&KEY_PROBLEMS)
        .problems(&EVENT_PROBLEMS)
        .problems(&[(405, "method_not_allowed")])
}

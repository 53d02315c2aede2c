//! Every event with a 2xx or `accepted` is in the log, and nothing else is: random requests, of which some are
//! invalid, cut short or without an answer, against a weir that is killed meanwhile.
//!
//! A new shape is one more [`Form`], a new option one more [`Wish`]. What a request asks for decides nothing: only
//! its answer does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::client::{Client, PATIENCE, ndjson};
use crate::support::nats::{NatsServer, stored};
use crate::support::seed::Seed;
use crate::support::weir::Weir;
use crate::support::{Waiting, eventually};

/// Requests of one producer, and how many producers send at once.
const REQUESTS: u64 = 120;
const PRODUCERS: u64 = 6;
const KILLS: u64 = 4;

/// How events are written in a request.
#[derive(Debug, Clone, Copy)]
enum Form {
    Object,
    Array,
    Lines,
    Gzip,
    Zstd,
    CloudEvent,
    CloudBatch,
    CloudBinary,
    Pixel,
}

const FORMS: [Form; 9] = [
    Form::Object,
    Form::Array,
    Form::Lines,
    Form::Gzip,
    Form::Zstd,
    Form::CloudEvent,
    Form::CloudBatch,
    Form::CloudBinary,
    Form::Pixel,
];

/// What a request asks for beside its events.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wish {
    Nothing,
    Atomic,
    Stream,
    Minimal,
    Idempotent,
}

const WISHES: [Wish; 5] =
    [Wish::Nothing, Wish::Atomic, Wish::Stream, Wish::Minimal, Wish::Idempotent];

/// How a request comes to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Answered,
    /// The body ends too early.
    CutShort,
    /// All of it is sent, and nobody waits for the answer.
    Left,
}

/// What is known of an event, by the item that it alone names. The greater one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Refused,
    Unsure,
    Accepted,
}

struct Sent {
    form: Form,
    wish: Wish,
    end: End,
    events: Vec<Value>,
}

/// A request on the wire, without what its connection adds.
struct Wire {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_in_the_log_and_nothing_else_is() {
    let seed = Arc::new(Seed::new());
    let server = NatsServer::start();
    let mut weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    let mut producers = JoinSet::new();
    for producer in 0..PRODUCERS {
        producers.spawn(produce(producer, client.clone(), seed.fork()));
    }
    for _ in 0..KILLS {
        let wanted =
            client.status().await["wal"]["highWater"].as_u64().unwrap() + seed.pick(20..120);
        let grown = async || {
            let request = client.admin_request("GET", "/admin/status");
            let status = client.send(request).await.ok()?.body;
            (status["wal"]["highWater"].as_u64()? >= wanted).then_some(())
        };
        eventually("the log grows", PATIENCE, grown).await;
        weir.kill();
        weir.start_again().await;
    }
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
    for (item, fate) in producers.join_all().await.into_iter().flatten() {
        let known = fates.entry(item).or_insert(fate);
        *known = fate.max(*known);
    }
    client.settled().await;
    let mut logged: HashMap<String, u64> = HashMap::new();
    for message in stored(&server.jetstream().await).await {
        let event: Value = serde_json::from_str(&message.payload).expect("the log holds JSON");
        *logged.entry(event["itemId"].as_str().expect("an item").to_owned()).or_default() += 1;
    }
    let count = |wanted| fates.values().filter(|fate| **fate == wanted).count();
    println!(
        "{} accepted, {} refused, {} unsure",
        count(Fate::Accepted),
        count(Fate::Refused),
        count(Fate::Unsure)
    );
    for (item, fate) in &fates {
        match fate {
            Fate::Accepted => assert!(logged.contains_key(item), "{item} was accepted and is lost"),
            Fate::Refused => assert!(!logged.contains_key(item), "{item} was refused and is there"),
            Fate::Unsure => {}
        }
        assert!(*fate != Fate::Accepted || !item.starts_with("invalid"), "{item} was accepted");
    }
    let strange = logged.keys().find(|item| !fates.contains_key(*item));
    assert_eq!(strange, None, "nobody has sent it");
    assert!(count(Fate::Accepted) > 100 && count(Fate::Refused) > 20, "the choices say something");
}

/// Sends requests by chance, and returns the fate of each event as its answer told it.
async fn produce(producer: u64, client: Client, seed: Seed) -> Vec<(String, Fate)> {
    let mut fates = Vec::new();
    let mut earlier: Option<Vec<Value>> = None;
    for number in 0..REQUESTS {
        let form = *seed.one_of(&FORMS);
        let count = if form.holds_many() { seed.pick(1..6) } else { 1 };
        let events = match earlier.take() {
            // The same again, perhaps in another form: a duplicate, in the gateway or in the stream.
            Some(events) if seed.once_in(3) && (form.holds_many() || events.len() == 1) => events,
            _ => (0..count).map(|n| event(&seed, &format!("{producer}-{number}-{n}"))).collect(),
        };
        // A query holds texts alone.
        let is_flat = events.iter().all(|event| event.get("properties").is_none());
        let form = if is_flat { form } else { form.of_objects() };
        let end =
            *seed.one_of(&[End::Answered, End::Answered, End::Answered, End::Left, End::CutShort]);
        let sent = Sent { form, wish: *seed.one_of(&WISHES), end, events };
        is_up(&client).await;
        let told = sent.send(&client, &format!("{producer}-{number}")).await;
        fates.extend(sent.events.iter().zip(told).map(|(event, fate)| (item(event), fate)));
        earlier = Some(sent.events);
    }
    fates
}

/// Waits until somebody is there to send to.
async fn is_up(client: &Client) {
    let waiting = Waiting::until("weir answers", PATIENCE);
    while client.send(client.request("GET", "/health")).await.is_err() {
        waiting.look_again().await;
    }
}

fn item(event: &Value) -> String {
    event["itemId"].as_str().expect("every event has one here").to_owned()
}

/// An event that no other is like, by its item; sometimes with an id, sometimes not valid.
fn event(seed: &Seed, name: &str) -> Value {
    let mut event =
        json!({"userId": "u", "itemId": format!("valid-{name}"), "eventType": "viewed"});
    if !seed.once_in(3) {
        event["eventId"] = json!(format!("id-{name}"));
    }
    if seed.once_in(2) {
        event["timestamp"] = json!(1_750_000_000_000_u64 + seed.pick(0..1_000_000));
    }
    if seed.once_in(6) {
        event["itemId"] = json!(format!("invalid-{name}"));
        let wrong = [
            ("eventType", json!("teleported")),
            ("userId", json!("")),
            ("timestamp", json!("yesterday")),
            ("value", json!("much")),
            ("properties", json!([])),
            ("properties", json!({"note": "x".repeat(33_000)})),
        ];
        let (key, value) = seed.one_of(&wrong);
        event[*key] = value.clone();
    }
    event
}

impl Form {
    fn holds_many(self) -> bool {
        matches!(self, Self::Array | Self::Lines | Self::Gzip | Self::Zstd | Self::CloudBatch)
    }

    fn of_objects(self) -> Self {
        if matches!(self, Self::Pixel) { Self::Object } else { self }
    }
}

/// The event as CloudEvents has it: what it names itself in attributes, the rest in its data.
fn cloud(event: &Value, name: &str) -> Value {
    let id = event["eventId"].as_str().map_or_else(|| format!("ce-{name}"), str::to_owned);
    let mut data = event.clone();
    data.as_object_mut().expect("an object").remove("eventId");
    json!({"specversion": "1.0", "id": id, "source": "shop", "type": "viewed", "data": data})
}

impl Sent {
    /// Sends it, and returns the fate of each event.
    async fn send(&self, client: &Client, name: &str) -> Vec<Fate> {
        let wire = self.wire(name).await;
        if self.end != End::Answered {
            // What never came whole is nobody's event.
            let cut = self.end == End::CutShort && !wire.body.is_empty();
            wire.leave(client, cut).await;
            return vec![if cut { Fate::Refused } else { Fate::Unsure }; self.events.len()];
        }
        let mut request = client.request(wire.method, &wire.target).body(wire.body);
        for (name, value) in wire.headers {
            request = request.header(name, value);
        }
        match client.send(request).await {
            Ok(answer) => self.told(answer.status, &answer.body),
            Err(_) => vec![Fate::Unsure; self.events.len()],
        }
    }

    /// Reads an answer as a producer would who believes it.
    fn told(&self, status: u16, body: &Value) -> Vec<Fate> {
        let all = |fate| vec![fate; self.events.len()];
        match status {
            200 | 202 => {
                // A picture says nothing more.
                if let Some(accepted) = body["accepted"].as_u64() {
                    let duplicates = body["duplicates"].as_u64().unwrap_or(0);
                    assert_eq!(accepted + duplicates, self.events.len() as u64, "{body}");
                }
                all(Fate::Accepted)
            }
            204 => all(Fate::Accepted),
            207 => {
                assert!(self.wish != Wish::Atomic, "all or nothing was asked for: {body}");
                let results = body["results"].as_array().expect("a result an event");
                assert_eq!(results.len(), self.events.len());
                let fate = |result: &Value| match result["status"].as_str() {
                    Some("accepted" | "duplicate") => Fate::Accepted,
                    Some("invalid" | "too_large") => Fate::Refused,
                    other => panic!("an unknown result: {other:?}"),
                };
                results.iter().map(fate).collect()
            }
            400..500 => all(Fate::Refused),
            503 => all(Fate::Unsure),
            _ => panic!("{:?} {:?}: {status} {body}", self.form, self.wish),
        }
    }

    async fn wire(&self, name: &str) -> Wire {
        let first = &self.events[0];
        let lines = || ndjson(&self.events).into_bytes();
        let mut wire = Wire::post("application/json", first.to_string().into_bytes());
        match self.form {
            Form::Object => {}
            Form::Array => wire.body = json!(self.events).to_string().into_bytes(),
            Form::Lines => wire = Wire::post("application/x-ndjson", lines()),
            Form::Gzip => {
                wire = Wire::post("application/x-ndjson", gzip(&lines()).await)
                    .header("content-encoding", "gzip");
            }
            Form::Zstd => {
                wire = Wire::post("application/x-ndjson", zstd(&lines()).await)
                    .header("content-encoding", "zstd");
            }
            Form::CloudEvent => {
                wire = Wire::post(
                    "application/cloudevents+json",
                    cloud(first, name).to_string().into_bytes(),
                );
            }
            Form::CloudBatch => {
                let named = |(n, event)| cloud(event, &format!("{name}-{n}"));
                let events: Vec<Value> = self.events.iter().enumerate().map(named).collect();
                wire = Wire::post(
                    "application/cloudevents-batch+json",
                    json!(events).to_string().into_bytes(),
                );
            }
            Form::CloudBinary => {
                let event = cloud(first, name);
                wire.body = event["data"].to_string().into_bytes();
                for attribute in ["specversion", "id", "source", "type"] {
                    let value = event[attribute].as_str().expect("a text").to_owned();
                    wire.headers.push((header_of(attribute), value));
                }
            }
            Form::Pixel => wire = Wire::pixel(first),
        }
        if wire.method == "POST" {
            wire.wish(self.wish, name);
        }
        wire
    }
}

fn header_of(attribute: &str) -> &'static str {
    match attribute {
        "specversion" => "ce-specversion",
        "id" => "ce-id",
        "source" => "ce-source",
        _ => "ce-type",
    }
}

impl Wire {
    fn post(content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { method: "POST", target: "/ingest".to_owned(), headers, body }
    }

    /// Texts and numbers of the event as a query.
    fn pixel(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs = event.as_object().expect("an object").iter();
        let pairs = pairs.map(|(name, value)| (name, text(value)));
        let url = reqwest::Url::parse_with_params("http://weir/pixel.gif", pairs).expect("a URL");
        let target = url.as_str().trim_start_matches("http://weir").to_owned();
        Self { method: "GET", target, headers: Vec::new(), body: Vec::new() }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn wish(&mut self, wish: Wish, name: &str) {
        match wish {
            Wish::Nothing => {}
            Wish::Atomic => self.target.push_str("?atomic=true"),
            Wish::Stream => self.target.push_str("?ack=stream"),
            Wish::Minimal => self.headers.push(("prefer", "return=minimal".to_owned())),
            Wish::Idempotent => self.headers.push(("idempotency-key", format!("key-{name}"))),
        }
    }

    /// Sends it, whole or not, and goes away without an answer.
    async fn leave(self, client: &Client, cut: bool) {
        let address = client.public_url().trim_start_matches("http://");
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n",
            self.method,
            self.target,
            self.body.len()
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let body = if cut { &self.body[..self.body.len() / 2] } else { &self.body[..] };
        // Whoever goes away does not care whether anybody was there.
        let Ok(mut connection) = TcpStream::connect(address).await else { return };
        let _ = connection.write_all(&[text.as_bytes(), body].concat()).await;
        if !cut {
            // The first byte of an answer, or the end: by then it was taken, or never will be.
            let _ = tokio::time::timeout(PATIENCE, connection.read(&mut [0; 1])).await;
        }
    }
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.expect("memory");
    encoder.shutdown().await.expect("memory");
    encoder.into_inner()
}

async fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(bytes).await.expect("memory");
    encoder.shutdown().await.expect("memory");
    encoder.into_inner()
}

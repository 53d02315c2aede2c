//! A NATS server and an ArangoDB of a test's own, weirs on them, and what a database must hold: what the log says.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use futures_util::StreamExt;
use serde_json::Value;
use tempfile::TempDir;
use weir::event::{EventTypes, Parser, Upcasters};
use weir::graph::Version;
use weir::projection::Projection;
use weir::projector::{Decoder, Recorded};
use weir::secret::{Secret, SecretSource};
use weir::store::Store;
use weir::store::arango::{Arango, ArangoOptions, ArangoStore};
use weir::store::memory::MemoryStore;

use super::arango::{StandIn, Target};
use super::client::{Client, PATIENCE};
use super::nats::{NatsServer, patient};
use super::weir::{Builder, command};

/// Messages that are read at once when a log is looked at.
const LOOKS: usize = 64;

/// Documents by collection and key.
pub type Documents = BTreeMap<(String, String), (Version, Value)>;

/// Where weirs run; its databases are gone when it is dropped.
pub struct Site {
    pub nats: NatsServer,
    pub arango: Target,
    prefix: String,
    folder: TempDir,
}

/// How a command ended, and what it printed and said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub printed: String,
    pub said: String,
}

impl Ended {
    /// What a command printed that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.printed
    }

    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("JSON")
    }
}

impl Site {
    /// Servers without a database.
    pub fn bare() -> Self {
        let arango = Target::choose();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("password"), arango.password()).expect("it is written");
        Self { nats: NatsServer::start(), arango, prefix: Target::fresh_name(), folder }
    }

    /// The same with the first generation's database.
    pub async fn migrated() -> Self {
        let site = Self::bare();
        site.weir("migrate apply").await.ok();
        site
    }

    /// One whose ArangoDB can be told to fail; `None`, and said so, on a real one.
    pub async fn failing() -> Option<Self> {
        let site = Self::migrated().await;
        if site.arango.stand_in().is_none() {
            println!("skipped: a real server cannot be told to fail");
            return None;
        }
        Some(site)
    }

    /// What can be told to fail.
    pub fn stand_in(&self) -> &StandIn {
        self.arango.stand_in().expect("asked for by `failing`")
    }

    /// Has a weir use both servers.
    pub fn on(&self, weir: Builder) -> Builder {
        self.variables()
            .into_iter()
            .fold(weir.nats(&self.nats), |weir, (name, value)| weir.variable(name, &value))
    }

    /// How a weir reaches the ArangoDB.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("WEIR_ARANGO__URL", self.arango.url()),
            ("WEIR_ARANGO__USER", self.arango.user().to_owned()),
            (
                "WEIR_ARANGO__PASSWORD_FILE",
                self.folder.path().join("password").display().to_string(),
            ),
            ("WEIR_ARANGO__DATABASE_PREFIX", self.prefix.clone()),
        ]
    }

    /// Runs a command of weir's with the login of both servers.
    pub async fn weir(&self, line: &str) -> Ended {
        let mut command = command();
        command.args(line.split_whitespace()).envs(self.variables()).stdin(Stdio::null());
        command.env("WEIR_NATS__URL", self.nats.url());
        for stream in ["NATS", "RETRY", "PARKED"] {
            command.env(format!("WEIR_{stream}__MAX_BYTES"), "64MiB");
        }
        command.env("WEIR_NATS__MAX_BYTES", "512MiB");
        let ending = tokio::task::spawn_blocking(move || command.output());
        let output = ending.await.expect("it does not panic").expect("weir runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ended {
            code: output.status.code(),
            printed: text(output.stdout),
            said: text(output.stderr),
        }
    }

    /// The name of a generation's database.
    pub fn database(&self, generation: &str) -> String {
        format!("{}_{generation}", self.prefix)
    }

    /// A store as weir has it.
    pub fn store(&self, generation: &str) -> ArangoStore {
        let arango = Arango::new(ArangoOptions {
            url: self.arango.url(),
            user: self.arango.user().to_owned(),
            password: Some(SecretSource::Value(Secret::new(self.arango.password()))),
            ca_file: None,
            request_timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(30),
            max_in_flight: 8,
        });
        let database = arango.expect("the options are right").database(&self.database(generation));
        ArangoStore::new(database, Arc::new(EventTypes::builtin()))
    }

    /// Holds that a generation's database is what the log says, document by document; returns it.
    pub async fn holds_the_log(&self, generation: &str) -> Documents {
        self.holds_the_log_below(generation, u64::MAX).await
    }

    /// The same of the log below a sequence.
    pub async fn holds_the_log_below(&self, generation: &str, below: u64) -> Documents {
        let truth = documents(&graph_below(&self.nats.jetstream().await, below).await).await;
        self.holds(generation, &truth).await
    }

    /// Holds that a generation's database has exactly these documents; returns them.
    pub async fn holds(&self, generation: &str, truth: &Documents) -> Documents {
        let found = documents(&self.store(generation)).await;
        let differ: Vec<_> =
            truth.iter().filter(|(key, document)| found.get(*key) != Some(*document)).collect();
        let strange: Vec<_> = found.iter().filter(|(key, _)| !truth.contains_key(*key)).collect();
        assert!(
            differ.is_empty() && strange.is_empty(),
            "{generation}: {} of {} documents are lost or other: {:?}; {} are strange: {:?}",
            differ.len(),
            truth.len(),
            &differ[..differ.len().min(5)],
            strange.len(),
            &strange[..strange.len().min(5)]
        );
        found
    }

    /// Waits until a generation's workers have nothing left to do, in the log and in RETRY.
    pub async fn drained(&self, client: &Client, generation: &str) -> Value {
        let done = |status: &Value| is_drained(status, generation);
        // What was tried often on a busy machine comes back after half a minute.
        let what = format!("{generation} has everything");
        client.status_within(3 * PATIENCE, &what, done).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let Target::Real(real) = &self.arango else { return };
        let (url, user, password) = (real.url.clone(), real.user.clone(), real.password());
        let names: Vec<String> = ["g1", "g2"].map(|generation| self.database(generation)).into();
        // Dropping cannot wait for the runtime it runs in, so a thread of its own does.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                for name in names {
                    let url = format!("{url}/_api/database/{name}");
                    let request = reqwest::Client::new().delete(url);
                    request.basic_auth(&user, Some(&password)).send().await.ok();
                }
            });
        });
        dropping.join().ok();
    }
}

/// What a status tells of a generation in ArangoDB; null if it tells nothing.
pub fn in_database<'s>(status: &'s Value, generation: &str) -> &'s Value {
    let graphs = status["generations"].as_array();
    let found = graphs.and_then(|graphs| {
        graphs.iter().find(|graph| graph["store"] == "arangodb" && graph["id"] == generation)
    });
    found.unwrap_or(&Value::Null)
}

/// Says whether a generation's workers have nothing left to do.
pub fn is_drained(status: &Value, generation: &str) -> bool {
    let graph = in_database(status, generation);
    graph["phase"] == "live"
        && graph["lag"] == 0
        && graph["retrying"] == 0
        && status["nats"]["lastSeq"].is_u64()
        && graph["appliedThrough"] == status["nats"]["lastSeq"]
}

/// What the log says: a graph in memory of all events below a sequence.
pub async fn graph_below(context: &Context, below: u64) -> MemoryStore {
    let types = Arc::new(EventTypes::builtin());
    let decoder = Decoder::new(Parser::new(types.clone(), Upcasters::shipped()));
    let projection = Projection::new(types.clone());
    let memory = MemoryStore::new(types);
    let (epoch, messages) = log(context).await;
    for message in messages.iter().filter(|message| message.sequence < below) {
        let recorded = Recorded {
            subject: message.subject.as_str(),
            message_id: message.headers.get("Nats-Msg-Id").map(async_nats::HeaderValue::as_str),
            payload: &message.payload,
            sequence: message.sequence,
            time_ms: (message.time.unix_timestamp_nanos() / 1_000_000) as i64,
        };
        if let Ok(event) = decoder.decode(&epoch, &recorded) {
            let mut puts = Vec::new();
            projection.project(&event, &mut puts);
            Store::apply(&memory, &puts).await;
        }
    }
    memory
}

/// Everything that a store holds.
pub async fn documents(store: &impl Store) -> Documents {
    let mut found = Documents::new();
    let mut each = |document: weir::store::Document| {
        let key = (document.collection, document.key);
        let before = found.insert(key.clone(), (document.version, document.body));
        assert!(before.is_none(), "{key:?} is met twice");
    };
    store.scan(&mut each).await.expect("a scan comes to its end");
    found
}

/// The log's epoch, and all its messages.
async fn log(context: &Context) -> (String, Vec<async_nats::jetstream::message::StreamMessage>) {
    let mut stream = patient(context).get_stream("EVENTS").await.expect("the stream is there");
    let info = stream.info().await.expect("the stream answers").clone();
    let epoch = info.config.metadata.get("weir.epoch").cloned().unwrap_or_default();
    let reading = futures_util::stream::iter(info.state.first_sequence..=info.state.last_sequence)
        .map(|sequence| stream.direct_get(sequence))
        .buffered(LOOKS);
    let messages = reading.map(|message| message.expect("the message is there")).collect().await;
    (epoch, messages)
}

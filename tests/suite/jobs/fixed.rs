//! A projection with a bug, fixed by configuration: rebuilt and promoted while events flow and people read, and
//! rolled back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use weir::event::EventTypes;
use weir::generation::EventTypeSpec;

use crate::support::client::{Client, PATIENCE};
use crate::support::eventually;
use crate::support::jobs::account_closes;
use crate::support::load::numbered;
use crate::support::site::{Site, in_database};
use crate::support::weir::{Builder, Weir};

const USER: &str = "flow";
/// Events before anything is done about the bug.
const BEFORE: u64 = 300;

/// The types of a configuration that takes a wish for nothing.
fn with_bug(weir: Builder) -> Builder {
    weir.set("event_types.wishlisted.kind", "user_only")
}

/// What the configuration should have said.
fn fixed_types() -> Value {
    json!(EventTypeSpec::all(&EventTypes::builtin()))
}

/// A user who views things and wishes for some; every event is accepted.
struct Flow {
    stop: CancellationToken,
    sent: Arc<AtomicU64>,
    posting: JoinHandle<()>,
}

fn sent_event(number: u64) -> Value {
    let mut event = numbered(USER, number);
    if number.is_multiple_of(3) {
        event["eventType"] = json!("wishlisted");
    }
    event
}

impl Flow {
    fn start(gateway: Client) -> Self {
        let (stop, sent) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let (until, count) = (stop.clone(), sent.clone());
        let posting = tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(3));
            while !until.is_cancelled() {
                clock.tick().await;
                let event = sent_event(count.load(Ordering::Relaxed));
                assert_eq!(gateway.post(&event).await.status, 202);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, sent, posting }
    }

    async fn grows_by(&self, events: u64) {
        let wanted = self.sent.load(Ordering::Relaxed) + events;
        let grown = async || (self.sent.load(Ordering::Relaxed) >= wanted).then_some(());
        eventually("events are accepted", PATIENCE, grown).await;
    }

    async fn stop(self) -> u64 {
        self.stop.cancel();
        self.posting.await.expect("every one is accepted");
        self.sent.load(Ordering::Relaxed)
    }
}

/// Readers who never rest. Each answer is a success, and of one generation the views only become more: nobody
/// sees a graph that is half built.
struct Readers {
    stop: CancellationToken,
    readers: JoinSet<BTreeSet<String>>,
}

impl Readers {
    fn start(api: &Client) -> Self {
        let mut readers = Self { stop: CancellationToken::new(), readers: JoinSet::new() };
        for _ in 0..3 {
            readers.readers.spawn(read(api.clone(), readers.stop.clone()));
        }
        readers
    }

    /// Returns the generations that were met.
    async fn stop(self) -> BTreeSet<String> {
        self.stop.cancel();
        self.readers.join_all().await.into_iter().flatten().collect()
    }
}

async fn read(api: Client, stop: CancellationToken) -> BTreeSet<String> {
    let (mut met, mut seen) = (BTreeSet::new(), 0);
    while !stop.is_cancelled() {
        let path = format!("/history/user/{USER}?type=viewed&limit=1");
        let newest = api.get(&path).await;
        assert_eq!(newest.status, 200, "{:#}", newest.body);
        let recommended = api.get(&format!("/recommendations/user/{USER}")).await;
        assert_eq!(recommended.status, 200, "{:#}", recommended.body);
        met.insert(newest.body["generation"].as_str().expect("a name").to_owned());
        // Events are numbered by time, so the newest one tells how many there are at least.
        let number = newest.body["events"][0]["timestamp"].as_str().map_or(0, milliseconds);
        assert!(number + LATE_MS >= seen, "a reader at {seen} was sent back to {number}");
        seen = seen.max(number);
    }
    met
}

/// Events of the load happen a millisecond apart; so many may not be in one store yet that are in the other.
const LATE_MS: i64 = 1_000;

fn milliseconds(text: &str) -> i64 {
    weir::event::EventTime::parse(text).expect("a time").ms()
}

/// Numbers of the events in a history, by type.
async fn held(api: &Client, event_type: &str) -> BTreeSet<u64> {
    let pages = api.history_pages(USER, &format!("type={event_type}&limit=1000")).await;
    let number = |event: &Value| {
        let id = event["eventId"].as_str().expect("an id");
        id.rsplit('-').next().expect("a number").parse().expect("a number")
    };
    pages.concat().iter().map(number).collect()
}

/// Waits until a history has exactly these events, each once.
async fn holds(api: &Client, event_type: &str, wanted: &BTreeSet<u64>) {
    let what = format!("the history has every {event_type} event");
    eventually(&what, PATIENCE, async || (held(api, event_type).await == *wanted).then_some(()))
        .await;
    let pages = api.history_pages(USER, &format!("type={event_type}&limit=1000")).await;
    assert_eq!(pages.concat().len(), wanted.len(), "none is there twice");
}

/// Which of the events that were sent are views, and which wishes.
fn sent(count: u64) -> (BTreeSet<u64>, BTreeSet<u64>) {
    (0..count).partition(|number| !number.is_multiple_of(3))
}

/// What happens wherever graphs live. `gateway`, `api` and `admin` may be one process.
async fn the_bug_is_fixed_under_load(
    gateway: Client,
    api: Client,
    admin: Client,
    following: impl AsyncFn(&str),
) {
    let flow = Flow::start(gateway);
    flow.grows_by(BEFORE).await;
    following("g1").await;
    let readers = Readers::start(&api);
    let request = json!({
        "verb": "rebuild", "eventTypes": fixed_types(), "promote": true, "why": "wishes were lost",
    });
    let job = admin.run_job(&request, "promoted").await;
    assert_eq!(job["generation"], "g2");
    account_closes(&job);
    assert_eq!(job["report"]["missing"], 0, "{job:#}");
    flow.grows_by(BEFORE).await;
    let follows = async || {
        let answer = api.get(&format!("/history/user/{USER}?limit=1")).await.ok();
        (answer["generation"] == "g2").then_some(())
    };
    eventually("readers are at g2", PATIENCE, follows).await;
    assert!(!held(&api, "wishlisted").await.is_empty());

    admin.run_job(&json!({ "verb": "rollback" }), "done").await;
    flow.grows_by(BEFORE).await;
    let count = flow.stop().await;
    let met = readers.stop().await;
    assert_eq!(met, BTreeSet::from(["g1".to_owned(), "g2".to_owned()]));
    let (views, wishes) = sent(count);
    let back = async || {
        let answer = api.get(&format!("/history/user/{USER}?limit=1")).await.ok();
        (answer["generation"] == "g1").then_some(())
    };
    eventually("readers are back", PATIENCE, back).await;
    // The old answers, with the events that came meanwhile.
    holds(&api, "viewed", &views).await;
    let unknown = api.get(&format!("/history/user/{USER}?type=wishlisted")).await;
    assert_eq!(unknown.status, 400, "g1 knows no wishes: {:#}", unknown.body);

    admin.run_job(&json!({ "verb": "promote", "generation": "g2" }), "done").await;
    let again = async || {
        let answer = api.get(&format!("/history/user/{USER}?limit=1")).await.ok();
        (answer["generation"] == "g2").then_some(())
    };
    eventually("readers are at g2 again", PATIENCE, again).await;
    holds(&api, "viewed", &views).await;
    holds(&api, "wishlisted", &wishes).await;
    for generation in ["g1", "g2"] {
        admin.verified(generation).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_a_bug_is_fixed_while_events_flow_and_the_way_back_holds_them_too() {
    let weir = with_bug(Weir::dev()).start().await;
    let client = weir.client();
    let following = async |generation: &str| {
        let holds = |status: &Value| {
            let graphs = status["generations"].as_array().expect("a list");
            let graph = graphs.iter().find(|graph| graph["id"] == generation);
            graph.is_some_and(|graph| graph["lag"].as_u64().is_some_and(|lag| lag < 20))
        };
        client.status_when(&format!("{generation} follows"), holds).await;
    };
    the_bug_is_fixed_under_load(client.clone(), client.clone(), client.clone(), following).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_database_a_bug_is_fixed_while_events_flow_and_the_way_back_holds_them_too() {
    let site = Site::bare();
    // The first generation is of the configuration with the bug.
    let first = with_bug(site.on(Weir::dev())).start().await;
    let follows = |status: &Value| in_database(status, "g1")["phase"] == "live";
    first.client().status_when("g1 is made", follows).await;
    drop(first);
    let gateway = with_bug(site.on(Weir::gateway())).start().await;
    let first = with_bug(site.on(Weir::projector())).start().await;
    let second = with_bug(site.on(Weir::projector())).start().await;
    let api = with_bug(site.on(Weir::api())).start().await;
    let following = async |generation: &str| {
        let holds = |status: &Value| {
            let graph = in_database(status, generation);
            graph["lag"].as_u64().is_some_and(|lag| lag < 20) && graph["retrying"] == 0
        };
        second.client().status_when(&format!("{generation} follows"), holds).await;
    };
    let (gateway, api, admin) = (gateway.client(), api.client(), first.client());
    the_bug_is_fixed_under_load(gateway, api, admin, following).await;
}

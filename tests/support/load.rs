//! Producers that send without a pause, whatever happens to the servers, and remember what was promised to them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::client::{Client, PATIENCE, ndjson};
use super::seed::Seed;
use super::{Waiting, eventually};

/// When the first event of every producer happened; the others follow by a millisecond each.
const BEGIN_MS: u64 = 1_750_000_000_000;

/// How long a producer waits for acknowledgements before it tries another server.
const ELSEWHERE: Duration = Duration::from_secs(6);

/// Some producers at work.
pub struct Load {
    name: &'static str,
    stop: CancellationToken,
    counts: Arc<Counts>,
    seed: Arc<Seed>,
    /// Between two requests of a producer, at least.
    pause: Duration,
    producers: JoinSet<Produced>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    unanswered: AtomicU64,
    refused: AtomicU64,
    republished: AtomicU64,
    slowest_post: AtomicU64,
    slowest_publish: AtomicU64,
}

/// Raises a count of milliseconds to what has passed since.
fn raise(slowest: &AtomicU64, since: Instant) {
    slowest.fetch_max(since.elapsed().as_millis() as u64, Ordering::Relaxed);
}

/// What one producer has sent; all of it is of one user, the producer itself.
pub struct Produced {
    pub user: String,
    /// Ids of events that got a 2xx, or the stream's acknowledgement.
    pub accepted: Vec<String>,
    /// Ids of events whose fate the producer does not know, and did not ask for again.
    pub unsure: HashSet<String>,
}

/// One event of a producer, with an id and a time of its own.
pub fn numbered(user: &str, number: u64) -> Value {
    json!({
        "userId": user, "itemId": format!("item-{}", number % 50), "eventType": "viewed",
        "eventId": format!("{user}-{number}"), "timestamp": BEGIN_MS + number,
    })
}

impl Load {
    /// Starts HTTP producers; their users are `<name>-0` and so on.
    pub fn start(name: &'static str, client: &Client, posters: usize, seed: &Arc<Seed>) -> Self {
        Self::start_gently(name, client, posters, seed, Duration::ZERO)
    }

    /// The same, with a pause between two requests of a producer.
    pub fn start_gently(
        name: &'static str,
        client: &Client,
        posters: usize,
        seed: &Arc<Seed>,
        pause: Duration,
    ) -> Self {
        let mut load = Self {
            name,
            stop: CancellationToken::new(),
            counts: Arc::default(),
            seed: seed.clone(),
            pause,
            producers: JoinSet::new(),
        };
        for _ in 0..posters {
            let poster = load.poster(client.clone());
            load.producers.spawn(poster.run());
        }
        load
    }

    /// Adds one that publishes to the stream itself and waits for each acknowledgement.
    pub fn publish_directly(&mut self, context: Context) {
        let (user, stop, counts) = (self.next_user(), self.stop.clone(), self.counts.clone());
        self.producers.spawn(publish(user, context, stop, counts, Pace::of(self.pause)));
    }

    fn poster(&self, client: Client) -> Poster {
        let produced =
            Produced { user: self.next_user(), accepted: Vec::new(), unsure: HashSet::new() };
        let (stop, counts, seed) = (self.stop.clone(), self.counts.clone(), self.seed.clone());
        let pace = Pace::of(self.pause);
        Poster { client, stop, counts, seed, pace, next: 0, produced }
    }

    fn next_user(&self) -> String {
        format!("{}-{}", self.name, self.producers.len())
    }

    /// Events that were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// Requests that got another answer than 202 so far.
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Ordering::Relaxed)
    }

    /// Requests that got no answer so far.
    pub fn unanswered(&self) -> u64 {
        self.counts.unanswered.load(Ordering::Relaxed)
    }

    /// Publishes that were sent again because no acknowledgement came, so far.
    pub fn republished(&self) -> u64 {
        self.counts.republished.load(Ordering::Relaxed)
    }

    /// The longest that an accepted request has taken.
    pub fn slowest_post(&self) -> Duration {
        Duration::from_millis(self.counts.slowest_post.load(Ordering::Relaxed))
    }

    /// The longest that an event has taken from its first publish to its acknowledgement.
    pub fn slowest_publish(&self) -> Duration {
        Duration::from_millis(self.counts.slowest_publish.load(Ordering::Relaxed))
    }

    /// Waits until so many more events were accepted.
    pub async fn grows_by(&self, events: u64) {
        let wanted = self.accepted() + events;
        let grown = async || (self.accepted() >= wanted).then_some(());
        eventually("events are accepted", PATIENCE, grown).await;
    }

    /// Has the producers finish what they are at, and returns what each has sent.
    pub async fn stop(self) -> Vec<Produced> {
        self.stop.cancel();
        let produced = self.producers.join_all();
        tokio::time::timeout(PATIENCE, produced).await.expect("producers end in time")
    }
}

impl Produced {
    /// Holds that the history has each accepted event once, none twice, and none that was not sent.
    pub async fn is_in_history_once(&self, client: &Client) {
        let mut times: HashMap<String, u64> = HashMap::new();
        for id in client.event_ids(&self.user).await {
            *times.entry(id).or_default() += 1;
        }
        let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "more than once in the history of {}: {twice:?}", self.user);
        let lost: Vec<_> = self.accepted.iter().filter(|id| !times.contains_key(*id)).collect();
        assert!(
            lost.is_empty(),
            "{} of {} accepted events of {} are lost: {lost:?}",
            lost.len(),
            self.accepted.len(),
            self.user
        );
        let accepted: HashSet<&String> = self.accepted.iter().collect();
        assert_eq!(accepted.len(), self.accepted.len(), "producers use an id once");
        let strange = times.keys().find(|id| !accepted.contains(id) && !self.unsure.contains(*id));
        assert_eq!(strange, None, "nobody has sent it");
    }
}

/// Holds a producer to one request in so long; the first call waits for nothing.
pub struct Pace(Option<Interval>);

impl Pace {
    pub fn of(pause: Duration) -> Self {
        Self((!pause.is_zero()).then(|| {
            let mut clock = tokio::time::interval(pause);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            clock
        }))
    }

    pub async fn wait(&mut self) {
        if let Some(clock) = &mut self.0 {
            clock.tick().await;
        }
    }
}

struct Poster {
    client: Client,
    stop: CancellationToken,
    counts: Arc<Counts>,
    seed: Arc<Seed>,
    pace: Pace,
    next: u64,
    produced: Produced,
}

impl Poster {
    /// Posts single events and small batches. What gets no answer is sent again, or given up, by chance.
    async fn run(mut self) -> Produced {
        while !self.stop.is_cancelled() {
            self.pace.wait().await;
            let count = if self.seed.pick(0..3) == 0 { self.seed.pick(2..7) } else { 1 };
            let events: Vec<Value> = (self.next..self.next + count)
                .map(|number| numbered(&self.produced.user, number))
                .collect();
            self.next += count;
            let ids =
                events.iter().map(|event| event["eventId"].as_str().expect("a text").to_owned());
            let again = self.seed.pick(0..2) == 0;
            let mut accepted = self.post(&events).await;
            let waiting = Waiting::until("the event is accepted", PATIENCE);
            while !accepted && again && !self.stop.is_cancelled() {
                waiting.look_again().await;
                accepted = self.post(&events).await;
            }
            if accepted {
                self.counts.accepted.fetch_add(count, Ordering::Relaxed);
                self.produced.accepted.extend(ids);
            } else {
                self.produced.unsure.extend(ids);
                self.answers().await;
            }
        }
        self.produced
    }

    async fn post(&self, events: &[Value]) -> bool {
        let begun = Instant::now();
        let posted = match events {
            [event] => self.client.try_post("application/json", event.to_string()).await,
            events => self.client.try_post("application/x-ndjson", ndjson(events)).await,
        };
        match posted {
            Ok(answer) if answer.status == 202 => {
                raise(&self.counts.slowest_post, begun);
                true
            }
            Ok(_) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(_) => {
                self.counts.unanswered.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Waits until somebody answers, or until nobody needs to.
    async fn answers(&self) {
        let waiting = Waiting::until("the gateway answers", PATIENCE);
        while !self.stop.is_cancelled()
            && self.client.send(self.client.request("GET", "/health")).await.is_err()
        {
            waiting.look_again().await;
        }
    }
}

/// Publishes under an id until it is acknowledged; a second copy is dropped by the server.
async fn publish(
    user: String,
    context: Context,
    stop: CancellationToken,
    counts: Arc<Counts>,
    mut pace: Pace,
) -> Produced {
    let mut produced = Produced { user, accepted: Vec::new(), unsure: HashSet::new() };
    for number in 0.. {
        if stop.is_cancelled() {
            break;
        }
        pace.wait().await;
        let event = numbered(&produced.user, number);
        let id = event["eventId"].as_str().expect("a text").to_owned();
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id.as_str());
        let waiting = Waiting::until("the publish is acknowledged", 2 * PATIENCE);
        let (begun, mut tried) = (Instant::now(), Instant::now());
        while !publish_once(&context, &headers, &event).await {
            counts.republished.fetch_add(1, Ordering::Relaxed);
            // A server that is cut off from its cluster keeps its clients.
            if tried.elapsed() > ELSEWHERE {
                context.client().force_reconnect().await.ok();
                tried = Instant::now();
            }
            waiting.look_again().await;
        }
        raise(&counts.slowest_publish, begun);
        counts.accepted.fetch_add(1, Ordering::Relaxed);
        produced.accepted.push(id);
    }
    produced
}

async fn publish_once(context: &Context, headers: &HeaderMap, event: &Value) -> bool {
    match context
        .publish_with_headers("events.viewed", headers.clone(), event.to_string().into())
        .await
    {
        Ok(acknowledgement) => acknowledgement.await.is_ok(),
        Err(_) => false,
    }
}

//! Random events, always the same ones for the same seed. Pure.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;
use weir::clock;
use weir::event::{EventTime, EventTypes, Parser, TypeIndex, Upcasters};
use weir::gateway::{Preparer, Terms};
use weir::graph::{Edge, Put};
use weir::store::memory::Graph;

pub const USERS: u64 = 100_000;
pub const ITEMS: u64 = 20_000;

/// The share of the k-th most active user, or most popular item, falls with this power of k.
const USER_SKEW: f64 = 0.7;
const ITEM_SKEW: f64 = 0.9;
/// Edges are spread evenly over a month.
const FIRST_MS: i64 = 1_700_000_000_000;
const SPAN_MS: i64 = 30 * 24 * 3600 * 1000;

/// The generator `SplitMix64`: small, and good enough to choose users.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Numbers from 0 on, small ones more often: number k with a weight of 1/(k+1)^skew.
#[derive(Debug, Clone)]
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: u64, skew: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|k| {
            sum += (k as f64).powf(-skew);
            sum
        });
        Self(sums.collect())
    }

    fn pick(&self, random: &mut Random) -> u64 {
        let wanted = random.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum < wanted) as u64
    }
}

/// Bodies of NDJSON with so many events each, users and items chosen evenly, nine views to one purchase.
pub fn bodies(seed: u64, count: usize, events: usize) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut body = || {
        let mut body = String::with_capacity(events * 64);
        for number in 0..events {
            let kind = if number % 10 == 9 { "purchased" } else { "viewed" };
            let (user, item) = (random.below(USERS), random.below(ITEMS));
            writeln!(body, r#"{{"userId":"u{user}","itemId":"i{item}","eventType":"{kind}"}}"#)
                .expect("a string takes everything");
        }
        body
    };
    (0..count).map(|_| body()).collect()
}

/// The parser of the types that exist out of the box.
pub fn parser() -> Parser {
    Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped())
}

/// Events as the gateway writes them to the WAL, each with an id of its own.
pub fn entries(parser: &Parser, body: &str) -> Vec<Bytes> {
    let now = EventTime::from_ms(clock::now_ms()).expect("a clock that is right");
    let id = || Uuid::now_v7().to_string();
    let mut preparer = Preparer::new(parser, Terms::open(now), body.len(), id);
    body.lines().for_each(|line| preparer.line(line.as_bytes()));
    preparer.finish().entries
}

/// The ids of a graph's users and items.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Fills ids up to so many bytes; 0 leaves them short.
    pub bytes: usize,
    /// Event ids are UUIDs in their usual form, instead of text of the same length.
    pub uuids: bool,
}

impl Names {
    pub fn user(&self, number: u64) -> String {
        format!("u{number:0width$}", width = self.bytes.saturating_sub(1))
    }

    pub fn item(&self, number: u64) -> String {
        format!("i{number:0width$}", width = self.bytes.saturating_sub(1))
    }

    fn event(&self, random: &mut Random) -> String {
        let (high, low) = (random.next(), random.next());
        if self.uuids {
            return Uuid::from_u64_pair(high, low).hyphenated().to_string();
        }
        let text = format!("{high:016x}{low:016x}");
        text[..self.bytes.min(32)].to_owned()
    }
}

/// Which users and items the edges of a graph have: few are in many.
#[derive(Debug, Clone)]
pub struct Crowd {
    users: Zipf,
    items: Zipf,
}

impl Crowd {
    pub fn new() -> Self {
        Self { users: Zipf::new(USERS, USER_SKEW), items: Zipf::new(ITEMS, ITEM_SKEW) }
    }

    pub fn user(&self, random: &mut Random) -> u64 {
        self.users.pick(random)
    }

    pub fn item(&self, random: &mut Random) -> u64 {
        self.items.pick(random)
    }
}

/// A graph with so many edges, in the order of time, as a projector would fill it.
pub fn graph(types: &Arc<EventTypes>, edges: usize, crowd: &Crowd, names: Names) -> Graph {
    let mut graph = Graph::new(types.clone());
    let mut random = Random::new(7);
    let kind = |name: &str| types.find(name).expect("a type that exists out of the box");
    let (viewed, purchased) = (kind("viewed"), kind("purchased"));
    for number in 0..edges {
        let (user, item) =
            (names.user(crowd.user(&mut random)), names.item(crowd.item(&mut random)));
        let event_type = if number % 10 == 9 { purchased } else { viewed };
        let at_ms = FIRST_MS + SPAN_MS * number as i64 / edges as i64;
        let event_id = names.event(&mut random);
        add(
            &mut graph,
            types,
            event_type,
            Edge {
                user: &user,
                item: &item,
                at_ms,
                event_id: &event_id,
                source: "default",
                value: None,
            },
        );
    }
    graph
}

fn add(graph: &mut Graph, types: &EventTypes, event_type: TypeIndex, edge: Edge<'_>) {
    graph.apply(&Put::bare_user(edge.user));
    graph.apply(&Put::bare_item(edge.item));
    graph.apply(&Put::edge(event_type, &types.spec(event_type).name, edge));
}

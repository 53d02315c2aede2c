//! Reads on a graph of a million edges in which few users and items have most of them.
//!
//! Who is asked for follows the same law: active users ask more often, and popular items are asked for more
//! often, which is the harder half of the graph. Once by the library alone, once over HTTP through the
//! product's own listener and routes, on one connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio_util::sync::CancellationToken;
use weir::access::Access;
use weir::event::{EventTypes, Kind};
use weir::http::{App, ServeOptions, bind, serve};
use weir::limits::{HISTORY_DEFAULT, HISTORY_SCAN, RECOMMEND_DEFAULT};
use weir::query::{self, Query, Served, Serving};
use weir::recommend::{self, KindWeights};
use weir::store::memory::MemoryStore;

use crate::bench::Bench;
use crate::client::{Client, get};
use crate::events::{Crowd, Names, Random, graph};
use crate::rounds::{Latencies, median, median_percentile};
use crate::table::{Line, Report, Target, Unit};

const EDGES: usize = 1_000_000;
const READS: usize = 5_000;
const PURCHASED: &str = "purchased";
const P99_MS: f64 = 2.0;
const NAMES: Names = Names { bytes: 0, uuids: true };

/// A kind of read.
#[derive(Debug, Clone, Copy)]
enum Read {
    ForUser,
    ForItem,
    History,
}

const ALL: [Read; 3] = [Read::ForUser, Read::ForItem, Read::History];

impl Read {
    fn name(self) -> &'static str {
        match self {
            Self::ForUser => "recommendation for a user",
            Self::ForItem => "also bought with an item",
            Self::History => "history of a user",
        }
    }

    fn path(self, crowd: &Crowd, random: &mut Random) -> String {
        match self {
            Self::ForUser => format!("/recommendations/user/{}", NAMES.user(crowd.user(random))),
            Self::ForItem => format!("/recommendations/item/{}", NAMES.item(crowd.item(random))),
            Self::History => format!("/history/user/{}", NAMES.user(crowd.user(random))),
        }
    }
}

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let (edges, reads) = (EDGES, bench.amount(READS));
    let types = Arc::new(EventTypes::builtin());
    let crowd = Crowd::new();
    let store = MemoryStore::of(graph(&types, edges, &crowd, NAMES));
    let kinds = weights(&types);
    let runtime = Bench::runtime()?;
    let stop = CancellationToken::new();
    let bound = runtime.block_on(bind("127.0.0.1:0"))?;
    let address = bound.address().to_string();
    let image = query::Image { store: store.clone(), warm: Arc::new(true.into()) };
    let shown = Serving::new("g1".to_owned(), types, PURCHASED, Some(image), None);
    let shown = Served { active: Some(Arc::new(shown)), ..Served::default() };
    let (_serving, served) = tokio::sync::watch::channel(Arc::new(shown));
    let app = App::new(Query::new(served).routes(Access::open()));
    let serving = runtime.spawn(serve(bound, app, ServeOptions::default(), stop.clone()));

    for read in ALL {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for round in 1..=bench.rounds() {
            eprintln!("  {}, round {round}", read.name());
            inside.push(in_process(&store, &kinds, read, &crowd, reads, round as u64));
            outside.push(over_http(&address, read, &crowd, reads, round as u64)?);
        }
        for (way, rounds) in [("in process", &inside), ("over HTTP", &outside)] {
            let line = Line::new(
                format!("{}, {way}: p99", read.name()),
                median_percentile(rounds, 99.0),
                Unit::Milliseconds,
            );
            report.line(line.target(Target::AtMost(P99_MS)));
            let (p50, p999) = (median_percentile(rounds, 50.0), median_percentile(rounds, 99.9));
            report.note(format!("{}, {way}: p50 {p50:.3} ms, p99.9 {p999:.3} ms", read.name()));
        }
    }
    let rates: Vec<f64> = (0..bench.rounds())
        .map(|round| throughput(&store, &kinds, &crowd, reads, round as u64))
        .collect();
    report
        .note(format!("one core answers {:.0} recommendations for users a second", median(&rates)));
    report.note(format!("{edges} edges; the known system answers in 6 ms on average"));
    stop.cancel();
    runtime.block_on(serving)?;
    Ok(report)
}

/// What each type says, as the routes have it.
fn weights(types: &EventTypes) -> KindWeights {
    let interactions =
        types.iter().filter(|(_, spec)| matches!(spec.kind, Kind::Interaction { .. }));
    interactions.fold(KindWeights::new(), |kinds, (index, spec)| {
        let kinds = kinds.with(index.0, spec.weight as f32);
        if spec.name == PURCHASED { kinds.purchase(index.0) } else { kinds }
    })
}

fn in_process(
    store: &MemoryStore,
    kinds: &KindWeights,
    read: Read,
    crowd: &Crowd,
    reads: usize,
    seed: u64,
) -> Latencies {
    let mut random = Random::new(seed);
    let times = (0..reads).map(|_| {
        let (user, item) =
            (NAMES.user(crowd.user(&mut random)), NAMES.item(crowd.item(&mut random)));
        let began = Instant::now();
        read_once(store, kinds, read, &user, &item);
        began.elapsed()
    });
    Latencies::new(times)
}

fn read_once(store: &MemoryStore, kinds: &KindWeights, read: Read, user: &str, item: &str) {
    let graph = store.read();
    match read {
        Read::ForUser => {
            let options = recommend::Options::new(RECOMMEND_DEFAULT, kinds);
            std::hint::black_box(recommend::for_user(&*graph, graph.user_handle(user), &options));
        }
        Read::ForItem => {
            let found = graph.item_handle(item).map(|item| {
                let options = recommend::ItemOptions::new(RECOMMEND_DEFAULT, kinds);
                recommend::for_item(&*graph, item, &options)
            });
            std::hint::black_box(found);
        }
        Read::History => {
            std::hint::black_box(graph.history(user, None, None, HISTORY_DEFAULT, HISTORY_SCAN));
        }
    }
}

fn throughput(
    store: &MemoryStore,
    kinds: &KindWeights,
    crowd: &Crowd,
    reads: usize,
    seed: u64,
) -> f64 {
    let began = Instant::now();
    in_process(store, kinds, Read::ForUser, crowd, reads, seed);
    reads as f64 / began.elapsed().as_secs_f64()
}

fn over_http(
    address: &str,
    read: Read,
    crowd: &Crowd,
    reads: usize,
    seed: u64,
) -> anyhow::Result<Latencies> {
    let mut random = Random::new(seed);
    let mut client = Client::connect(address)?;
    let times: anyhow::Result<Vec<Duration>> = (0..reads)
        .map(|_| {
            let request = get(&read.path(crowd, &mut random));
            let began = Instant::now();
            let answer = client.send(&request)?;
            ensure!(answer.status == 200, "a read was answered {}", answer.status);
            Ok(began.elapsed())
        })
        .collect();
    Ok(Latencies::new(times?))
}

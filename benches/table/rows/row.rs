//! Which rows there are, and what each asks.

use clap::ValueEnum;

use super::{
    arango, beside, catch_up, cluster, edge, live, memory, ndjson, reads, rebuild, relay, single,
};
use crate::bench::Bench;
use crate::table::Report;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Row {
    Single,
    Edge,
    Ndjson,
    Relay,
    Live,
    Reads,
    Memory,
    CatchUp,
    Rebuild,
    Beside,
    Arango,
    Cluster,
}

impl Row {
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Edge => "edge",
            Self::Ndjson => "ndjson",
            Self::Relay => "relay",
            Self::Live => "live",
            Self::Reads => "reads",
            Self::Memory => "memory",
            Self::CatchUp => "catch-up",
            Self::Rebuild => "rebuild",
            Self::Beside => "beside",
            Self::Arango => "arango",
            Self::Cluster => "cluster",
        }
    }

    pub fn question(self) -> &'static str {
        match self {
            Self::Single => {
                "how many single events a second are synced and answered on 64 connections?"
            }
            Self::Edge => "what do keys, rates and TLS cost a single event?",
            Self::Ndjson => "how many events a second in requests of 1,000?",
            Self::Relay => "how fast does a backlog reach the stream?",
            Self::Live => "how late is an event visible at 2,000 events a second?",
            Self::Reads => "how long does a read take on a graph of a million edges?",
            Self::Memory => "how many bytes does an edge take?",
            Self::CatchUp => "how fast is a log read into an empty graph?",
            Self::Rebuild => "how fast is a generation rebuilt, verified and promoted?",
            Self::Beside => "how late are live events while a rebuild runs beside them?",
            Self::Arango => "how fast do workers bring a log into ArangoDB, and what does it cost?",
            Self::Cluster => "how late is an event visible on three copies, beside one?",
        }
    }

    pub fn measure(self, bench: &Bench) -> anyhow::Result<Report> {
        let report = Report::new(self.name());
        match self {
            Self::Single => single::measure(bench, report),
            Self::Edge => edge::measure(bench, report),
            Self::Ndjson => ndjson::measure(bench, report),
            Self::Relay => relay::measure(bench, report),
            Self::Live => live::measure(bench, report),
            Self::Reads => reads::measure(bench, report),
            Self::Memory => memory::measure(report),
            Self::CatchUp => catch_up::measure(bench, report),
            Self::Rebuild => rebuild::measure(bench, report),
            Self::Beside => beside::measure(bench, report),
            Self::Arango => arango::measure(bench, report),
            Self::Cluster => cluster::measure(bench, report),
        }
    }
}

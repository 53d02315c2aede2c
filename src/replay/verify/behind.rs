//! The events behind the documents that differ, and the names of those that the graph lacks. Pure.

use std::collections::{HashMap, VecDeque};

use super::compare::Difference;
use super::doc::{DocId, Name};
use crate::event::EventTypes;
use crate::graph::Put;
use crate::limits::VERIFY_SEQUENCES;
use crate::replay::job::Found;

/// Differences whose events are looked for.
pub(super) struct Behind(HashMap<DocId, Trace>);

struct Trace {
    difference: Difference,
    sequences: VecDeque<u64>,
}

impl Behind {
    pub fn new(differences: Vec<Difference>) -> Self {
        let traces = differences
            .into_iter()
            .map(|difference| (difference.id, Trace { difference, sequences: VecDeque::new() }));
        Self(traces.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a put of the log, in its order.
    pub fn take(&mut self, sequence: u64, put: &Put<'_>, types: &EventTypes) {
        let Some(trace) = self.0.get_mut(&DocId::of(put, types)) else { return };
        trace.difference.name.get_or_insert_with(|| Name::of(put, types));
        trace.sequences.push_front(sequence);
        trace.sequences.truncate(VERIFY_SEQUENCES);
    }

    /// What is told, what matters most first. A document whose name nobody knows is only counted.
    pub fn found(self) -> Vec<Found> {
        let named = self.0.into_values().filter_map(|trace| {
            let Difference { what, expected, found, name, .. } = trace.difference;
            let Name { collection, key } = name?;
            let found = Found {
                collection,
                key,
                what: what.name().to_owned(),
                expected_version: expected.map(|version| version.0),
                found_version: found.map(|version| version.0),
                sequences: trace.sequences.into(),
            };
            Some((what, found))
        });
        let mut named: Vec<_> = named.collect();
        named.sort_by(|(a, one), (b, other)| {
            (a, &one.collection, &one.key).cmp(&(b, &other.collection, &other.key))
        });
        named.into_iter().map(|(_, found)| found).collect()
    }
}

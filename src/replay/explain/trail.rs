//! Gathers, event by event, what made each document that is asked about. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use super::explanation::{Explained, Step, class};
use super::question::Question;
use crate::event::{Event, EventTypes, format_ms};
use crate::graph::{Put, Version};
use crate::limits::{EXPLAIN_DOCUMENTS, EXPLAIN_EVENTS};
use crate::replay::verify::DocId;

/// A place in the log, and when the log stored what stands there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stood {
    pub sequence: u64,
    pub time_ms: i64,
}

/// The documents so far.
pub(super) struct Trail<'a> {
    question: &'a Question,
    types: &'a EventTypes,
    places: HashMap<DocId, usize>,
    courses: Vec<Course>,
    beyond: HashSet<DocId>,
}

/// One document so far.
struct Course {
    explained: Explained,
    version: Version,
    deciding: Step,
    newest: VecDeque<Step>,
}

impl<'a> Trail<'a> {
    pub fn new(question: &'a Question, types: &'a EventTypes) -> Self {
        let (places, courses, beyond) = (HashMap::new(), Vec::new(), HashSet::new());
        Self { question, types, places, courses, beyond }
    }

    /// Takes an event with what it puts, in the order of the log.
    pub fn take(&mut self, stood: Stood, event: &Event<'_>, puts: &[Put<'_>]) {
        for put in puts {
            if self.question.touches(put) {
                let step = self.step(stood, event, put.version);
                self.note(put, step);
            }
        }
    }

    fn note(&mut self, put: &Put<'_>, step: Step) {
        let id = DocId::of(put, self.types);
        if let Some(place) = self.places.get(&id) {
            self.courses[*place].take(put, step);
        } else if self.courses.len() < EXPLAIN_DOCUMENTS {
            self.places.insert(id, self.courses.len());
            self.courses.push(Course::begin(put, step, self.types));
        } else {
            self.beyond.insert(id);
        }
    }

    fn step(&self, stood: Stood, event: &Event<'_>, version: Version) -> Step {
        Step {
            sequence: stood.sequence,
            stream_time: format_ms(stood.time_ms),
            event_time: format_ms(event.at.ms()),
            event_type: self.types.spec(event.event_type).name.clone(),
            event_id: event.id.to_string(),
            source: event.source.to_string(),
            class: class(version),
            version: version.0,
            decides: false,
        }
    }

    /// Returns the documents, and how many more there are.
    pub fn finish(self) -> (Vec<Explained>, u64) {
        let documents = self.courses.into_iter().map(Course::finish).collect();
        (documents, self.beyond.len() as u64)
    }
}

impl Course {
    fn begin(put: &Put<'_>, step: Step, types: &EventTypes) -> Self {
        let explained = Explained {
            collection: put.collection.name(types).to_owned(),
            key: put.key.text().into_owned(),
            class: class(put.version),
            version: put.version.0,
            body: put.body.to_json(),
            total: 1,
            events: Vec::new(),
        };
        let newest = VecDeque::from([step.clone()]);
        Self { explained, version: put.version, deciding: step, newest }
    }

    /// The merge rule, as every store has it.
    fn take(&mut self, put: &Put<'_>, step: Step) {
        self.explained.total += 1;
        if put.version > self.version {
            self.version = put.version;
            self.deciding = step.clone();
            self.explained.class = class(put.version);
            self.explained.version = put.version.0;
            self.explained.body = put.body.to_json();
        }
        self.newest.push_back(step);
        if self.newest.len() > EXPLAIN_EVENTS {
            self.newest.pop_front();
        }
    }

    fn finish(self) -> Explained {
        let Self { mut explained, deciding, mut newest, .. } = self;
        let first = newest.front().map_or(u64::MAX, |step| step.sequence);
        if deciding.sequence < first {
            newest.push_front(deciding.clone());
        }
        for step in &mut newest {
            step.decides = step.sequence == deciding.sequence;
        }
        explained.events = newest.into();
        explained
    }
}

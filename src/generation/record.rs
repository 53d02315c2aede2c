//! What is written of generations, and what may be done with them. Pure.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::types::EventTypeSpec;

/// The key of the active generation.
pub(super) const ACTIVE: &str = "active";
const RECORD: &str = "generation.";

/// A generation's name: `g` and its number from 1, as `g2`. It is part of a database's name, of subjects
/// and of consumers' names.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(value_type = String, pattern = "^g[1-9][0-9]*$")]
#[serde(try_from = "String", into = "String")]
pub struct GenerationId(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no generation: a name is g and a number from 1, as g2")]
pub struct InvalidId(String);

impl GenerationId {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let number = text.strip_prefix('g').filter(|digits| !digits.starts_with(['0', '+']));
        let number = number.filter(|digits| digits.len() <= MOST_DIGITS);
        let number = number.and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| InvalidId(text.chars().take(40).collect()))
    }

    /// The generation that exists before anybody makes one.
    pub const FIRST: Self = Self(1);

    pub fn number(self) -> u64 {
        self.0
    }
}

/// Of a number that every name can hold.
const MOST_DIGITS: usize = 9;

impl fmt::Display for GenerationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "g{}", self.0)
    }
}

impl From<GenerationId> for String {
    fn from(id: GenerationId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for GenerationId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

/// What is known of one generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub id: GenerationId,
    /// The projection that makes it: a worker with another one keeps its hands off.
    pub fingerprint: String,
    /// Milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// The version of weir that made it.
    pub created_by: String,
    /// True while it lives in the memory of processes alone: those make it anew with any projection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_memory: bool,
    /// The event types that it is projected with; absent of one that an earlier version made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<BTreeMap<String, EventTypeSpec>>,
    /// From which sequence (inclusive) live follows the log into it; what lies before is a job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows_from: Option<u64>,
    /// It holds the log below this sequence alone (exclusive), and nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// The job that builds it; absent once it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<String>,
    /// When and through which sequence it was found to be what the log says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// It is being removed: nobody writes to it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retiring: bool,
}

/// That a generation was compared with the log and did not differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Through this sequence (inclusive).
    pub through: u64,
    pub at_ms: i64,
}

/// Which generation answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Active {
    pub id: GenerationId,
    /// Rises with every promotion.
    pub promotion: u64,
    /// Where a rollback goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<GenerationId>,
    pub promoted_ms: i64,
}

/// All generations at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub generations: BTreeMap<GenerationId, Record>,
    pub active: Option<Active>,
}

/// Why a generation cannot be made or promoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no generation {0}: `weir generation list` shows those there are")]
    Unknown(GenerationId),
    #[error("generation {0} was written by another version of weir: change it with that one")]
    Foreign(GenerationId),
    #[error("generation {0} exists already")]
    Exists(GenerationId),
    #[error("generation {0} is active already")]
    Active(GenerationId),
    #[error("generation {id} is not whole: the job {job} builds it (weir job show {job})")]
    Building { id: GenerationId, job: String },
    #[error("generation {0} is being retired")]
    Retiring(GenerationId),
}

impl View {
    /// Reads what a bucket holds; entries of other kinds, or that cannot be read, are passed over.
    pub fn of<'k>(entries: impl IntoIterator<Item = (&'k str, &'k Bytes)>) -> Self {
        let mut view = Self::default();
        for (key, value) in entries {
            if key == ACTIVE {
                view.active = serde_json::from_slice(value).ok();
            } else if key.starts_with(RECORD)
                && let Ok(record) = serde_json::from_slice::<Record>(value)
            {
                view.generations.insert(record.id, record);
            }
        }
        view
    }

    /// The generation that answers; the first one while nothing is known.
    pub fn active_id(&self) -> GenerationId {
        self.active.as_ref().map_or(GenerationId::FIRST, |active| active.id)
    }

    /// Checks that a generation can be made.
    pub fn may_create(&self, id: GenerationId) -> Result<(), Refusal> {
        if self.generations.contains_key(&id) {
            return Err(Refusal::Exists(id));
        }
        Ok(())
    }

    /// The generation that a graph in memory is made anew under, with this projection; `None` if nothing has to
    /// change: one of them is made by it already, or what answers lives in a database.
    pub fn adopting(&self, fingerprint: &str) -> Option<&Record> {
        if self.generations.values().any(|record| record.fingerprint == fingerprint) {
            return None;
        }
        self.generations.get(&self.active_id()).filter(|record| record.in_memory)
    }

    /// The smallest number that no generation has had, as far as is known.
    pub fn next_free(&self) -> GenerationId {
        let last = self.generations.keys().next_back().map_or(0, |id| id.0);
        GenerationId(last + 1)
    }

    /// What the active key says after a promotion.
    pub fn promoted(&self, id: GenerationId, now_ms: i64) -> Result<Active, Refusal> {
        let record = self.generations.get(&id).ok_or(Refusal::Unknown(id))?;
        if record.retiring {
            return Err(Refusal::Retiring(id));
        }
        if let Some(job) = record.building.clone() {
            return Err(Refusal::Building { id, job });
        }
        match &self.active {
            Some(active) if active.id == id => Err(Refusal::Active(id)),
            active => Ok(Active {
                id,
                promotion: active.as_ref().map_or(1, |active| active.promotion + 1),
                previous: active.as_ref().map(|active| active.id),
                promoted_ms: now_ms,
            }),
        }
    }
}

impl Record {
    /// A generation of this projection that follows the log from its beginning.
    pub fn new(id: GenerationId, fingerprint: &str, now_ms: i64) -> Self {
        Self {
            id,
            fingerprint: fingerprint.to_owned(),
            created_ms: now_ms,
            created_by: env!("CARGO_PKG_VERSION").to_owned(),
            in_memory: false,
            event_types: None,
            follows_from: None,
            as_of: None,
            building: None,
            verified: None,
            retiring: false,
        }
    }

    pub(super) fn key(id: GenerationId) -> String {
        format!("{RECORD}{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> GenerationId {
        GenerationId::parse(text).expect("valid")
    }

    fn record(name: &str) -> Record {
        Record { created_by: "0.1.0".into(), ..Record::new(id(name), "f", 1) }
    }

    fn view(names: &[&str], active: Option<Active>) -> View {
        let generations = names.iter().map(|name| (id(name), record(name))).collect();
        View { generations, active }
    }

    #[test]
    fn names_are_safe_in_databases_subjects_and_consumers() {
        for good in ["g1", "g20", "g999999999"] {
            assert_eq!(id(good).to_string(), good);
        }
        for bad in ["", "g", "g0", "g01", "g+1", "G1", "1", "g-1", "g1x", "g1000000000"] {
            assert!(GenerationId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn promotion_numbers_only_rise_and_the_way_back_is_known() {
        let none = view(&["g1", "g2"], None);
        assert_eq!(none.active_id(), id("g1"));
        let first = none.promoted(id("g1"), 5).expect("allowed");
        assert_eq!((first.promotion, &first.previous), (1, &None));
        let view = view(&["g1", "g2"], Some(first));
        let second = view.promoted(id("g2"), 6).expect("allowed");
        assert_eq!((second.promotion, second.previous), (2, Some(id("g1"))));
        assert_eq!(view.promoted(id("g1"), 6), Err(Refusal::Active(id("g1"))));
        assert_eq!(view.promoted(id("g3"), 6), Err(Refusal::Unknown(id("g3"))));
        let mut half = view.clone();
        let record = half.generations.get_mut(&id("g2")).expect("it is there");
        record.building = Some("a job".to_owned());
        let building = Refusal::Building { id: id("g2"), job: "a job".to_owned() };
        assert_eq!(half.promoted(id("g2"), 6), Err(building));
        half.generations.get_mut(&id("g2")).expect("it is there").retiring = true;
        assert_eq!(half.promoted(id("g2"), 6), Err(Refusal::Retiring(id("g2"))));
        assert_eq!(view.may_create(id("g2")), Err(Refusal::Exists(id("g2"))));
        assert_eq!(view.may_create(id("g3")), Ok(()));
    }

    #[test]
    fn a_generation_of_a_database_is_never_adopted() {
        let mut view = view(&["g1", "g2"], None);
        assert_eq!(view.adopting("other"), None);
        for record in view.generations.values_mut() {
            record.in_memory = true;
        }
        assert_eq!(view.adopting("other").map(|record| record.id), Some(id("g1")));
        assert_eq!(view.adopting("f"), None, "one is made by it already");
        assert_eq!(view.next_free(), id("g3"));
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_foreign_is_passed_over() {
        let active = view(&["g1"], None).promoted(id("g1"), 7).expect("allowed");
        let json = |value: serde_json::Value| Bytes::from(value.to_string());
        let entries = [
            (ACTIVE.to_owned(), json(serde_json::to_value(&active).expect("plain"))),
            (Record::key(id("g1")), json(serde_json::to_value(record("g1")).expect("plain"))),
            (Record::key(id("g2")), Bytes::from_static(b"nonsense")),
            ("progress.g1".to_owned(), Bytes::from_static(b"{}")),
        ];
        let read = View::of(entries.iter().map(|(key, value)| (key.as_str(), value)));
        assert_eq!(read, view(&["g1"], Some(active)));
        insta::assert_json_snapshot!(read);
    }
}

//! What an event is, for all components of a process.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::options;
use crate::clock;
use crate::config::Settings;
use crate::event::{EventTypes, Parser, Upcasters};
use crate::generation::{EventTypeSpec, GenerationId, Record};
use crate::projection::Projection;

/// The configured types and how events of them are read; cheap to clone.
#[derive(Clone)]
pub(super) struct Rules {
    pub types: Arc<EventTypes>,
    pub parser: Parser,
    pub upcasters: Upcasters,
}

impl Rules {
    /// Names the projection that these rules make.
    pub fn fingerprint(&self) -> String {
        Projection::new(self.types.clone()).fingerprint(&self.upcasters).to_string()
    }

    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self::of(options::event_types(settings)?))
    }

    /// The rules of other types than this process is configured with.
    pub fn of(types: EventTypes) -> Self {
        let (types, upcasters) = (Arc::new(types), Upcasters::shipped());
        Self { parser: Parser::new(types.clone(), upcasters.clone()), types, upcasters }
    }

    /// The record of a new generation that these rules make from the log's beginning.
    pub fn record(&self, id: GenerationId) -> Record {
        let event_types = Some(EventTypeSpec::all(&self.types));
        Record { event_types, ..Record::new(id, &self.fingerprint(), clock::now_ms()) }
    }

    /// The rules that made a generation, or why this process cannot follow them.
    ///
    /// They stand in its record; how much a type says about taste is of this process, where it knows the type.
    pub fn of_record(&self, record: &Record) -> Result<Self, String> {
        let rules = match &record.event_types {
            None => self.clone(),
            Some(written) => Self::of(self.weighed(written)?),
        };
        let ours = rules.fingerprint();
        if ours == record.fingerprint {
            return Ok(rules);
        }
        Err(format!(
            "it was made by another projection ({}, this one is {ours}); a changed projection needs a \
             new generation: weir rebuild",
            record.fingerprint
        ))
    }

    /// The rules to read a generation with; whoever made it, its documents are of the types in its record.
    pub fn reading(&self, record: &Record) -> Self {
        let types = record.event_types.as_ref().and_then(|written| self.weighed(written).ok());
        types.map_or_else(|| self.clone(), Self::of)
    }

    fn weighed(&self, written: &BTreeMap<String, EventTypeSpec>) -> Result<EventTypes, String> {
        let mut written = written.clone();
        for (name, spec) in &mut written {
            if let EventTypeSpec::Interaction { weight, .. } = spec
                && let Some(index) = self.types.find(name)
            {
                *weight = self.types.spec(index).weight;
            }
        }
        EventTypeSpec::read(&written).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            format!("its record cannot be read: {}", errors.join("; "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_followed_with_the_types_of_its_record_unless_another_version_made_it() {
        let own = Rules::of(EventTypes::builtin());
        let mut declared = EventTypes::builtin_declarations();
        declared.retain(|(name, ..)| name != "rated");
        declared.iter_mut().for_each(|(.., weight)| *weight = 7.0);
        let other = Rules::of(EventTypes::new(declared).expect("valid"));
        let record = other.record(GenerationId::FIRST);
        let found = own.of_record(&record).expect("its types are in the record");
        assert_eq!(found.fingerprint(), other.fingerprint());
        assert!(found.types.find("rated").is_none());
        let viewed = found.types.find("viewed").expect("it is there");
        assert!((found.types.spec(viewed).weight - 1.0).abs() < f64::EPSILON, "weights are ours");

        let older = Record { event_types: None, ..record.clone() };
        let why = own.of_record(&older).err().expect("nothing tells its types");
        assert!(why.contains(&record.fingerprint) && why.contains(&own.fingerprint()), "{why}");
        let foreign = Record { fingerprint: "5e1f".to_owned(), ..record };
        assert!(own.of_record(&foreign).is_err_and(|why| why.contains("another projection (5e1f")));
        assert!(own.reading(&foreign).types.find("rated").is_none(), "it can still be read");
    }
}

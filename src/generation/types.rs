//! Event types as they are written with a generation, so that whoever reads or writes it knows them. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Declared, EventTypes, Kind, TypeError};

/// One event type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EventTypeSpec {
    Interaction {
        collection: String,
        #[serde(default)]
        weight: f64,
    },
    Retraction {
        retracts: String,
    },
    UserProfile,
    ItemProfile,
    UserOnly,
}

impl EventTypeSpec {
    /// What [`EventTypes::new`] takes.
    fn declared(&self) -> Declared {
        match self {
            Self::Interaction { collection, .. } => {
                Declared::Interaction { collection: collection.clone() }
            }
            Self::Retraction { retracts } => Declared::Retraction { of: retracts.clone() },
            Self::UserProfile => Declared::UserProfile,
            Self::ItemProfile => Declared::ItemProfile,
            Self::UserOnly => Declared::UserOnly,
        }
    }

    fn weight(&self) -> f64 {
        match self {
            Self::Interaction { weight, .. } => *weight,
            _ => 0.0,
        }
    }

    /// Reads a set of types that was written down.
    pub fn read(written: &BTreeMap<String, Self>) -> Result<EventTypes, Vec<TypeError>> {
        let declared =
            written.iter().map(|(name, spec)| (name.clone(), spec.declared(), spec.weight()));
        EventTypes::new(declared.collect())
    }

    /// Writes down a set of types.
    pub fn all(types: &EventTypes) -> BTreeMap<String, Self> {
        let spec = |kind: &Kind, weight: f64| match kind {
            Kind::Interaction { collection } => {
                Self::Interaction { collection: collection.clone(), weight }
            }
            Kind::Retraction { of } => Self::Retraction { retracts: types.spec(*of).name.clone() },
            Kind::UserProfile => Self::UserProfile,
            Kind::ItemProfile => Self::ItemProfile,
            Kind::UserOnly => Self::UserOnly,
        };
        types.iter().map(|(_, each)| (each.name.clone(), spec(&each.kind, each.weight))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_types_are_the_same_types() {
        let types = EventTypes::builtin();
        let written = EventTypeSpec::all(&types);
        let json = serde_json::to_string(&written).expect("plain data");
        let read: BTreeMap<String, EventTypeSpec> = serde_json::from_str(&json).expect("the same");
        let again = EventTypeSpec::read(&read).expect("valid");
        assert!(types.iter().eq(again.iter()));
    }
}

//! Event types as they are written with a generation, so that whoever reads or writes it knows them. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Declared, EventTypes, Kind, TypeError, TypeSpec};

/// One event type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EventTypeSpec {
    Interaction {
        collection: String,
        #[serde(default)]
        weight: f64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<String>,
    },
    Retraction {
        retracts: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<String>,
    },
    UserProfile {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<String>,
    },
    ItemProfile {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<String>,
    },
    UserOnly {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<String>,
    },
}

impl EventTypeSpec {
    /// What [`EventTypes::new`] takes.
    fn declared(&self) -> Declared {
        match self {
            Self::Interaction { collection, .. } => {
                Declared::Interaction { collection: collection.clone() }
            }
            Self::Retraction { retracts, .. } => Declared::Retraction { of: retracts.clone() },
            Self::UserProfile { .. } => Declared::UserProfile,
            Self::ItemProfile { .. } => Declared::ItemProfile,
            Self::UserOnly { .. } => Declared::UserOnly,
        }
    }

    fn weight(&self) -> f64 {
        match self {
            Self::Interaction { weight, .. } => *weight,
            _ => 0.0,
        }
    }

    /// What else producers call it.
    fn aliases(&self) -> &[String] {
        match self {
            Self::Interaction { aliases, .. }
            | Self::Retraction { aliases, .. }
            | Self::UserProfile { aliases }
            | Self::ItemProfile { aliases }
            | Self::UserOnly { aliases } => aliases,
        }
    }

    /// Reads a set of types that was written down.
    pub fn read(written: &BTreeMap<String, Self>) -> Result<EventTypes, Vec<TypeError>> {
        let declared =
            written.iter().map(|(name, spec)| (name.clone(), spec.declared(), spec.weight()));
        let aliases = written.iter().map(|(name, spec)| (name.clone(), spec.aliases().to_vec()));
        EventTypes::new(declared.collect())?.with_aliases(aliases)
    }

    /// Writes down a set of types.
    pub fn all(types: &EventTypes) -> BTreeMap<String, Self> {
        let spec = |each: &TypeSpec| {
            let aliases = each.aliases.clone();
            match &each.kind {
                Kind::Interaction { collection } => Self::Interaction {
                    collection: collection.clone(),
                    weight: each.weight,
                    aliases,
                },
                Kind::Retraction { of } => {
                    Self::Retraction { retracts: types.spec(*of).name.clone(), aliases }
                }
                Kind::UserProfile => Self::UserProfile { aliases },
                Kind::ItemProfile => Self::ItemProfile { aliases },
                Kind::UserOnly => Self::UserOnly { aliases },
            }
        };
        types.iter().map(|(_, each)| (each.name.clone(), spec(each))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_types_are_the_same_types() {
        let all = ["viewed", "refunded", "user_profile", "item_profile", "searched"];
        let aliases = all.map(|name| (name.to_owned(), vec![format!("{name} by others")]));
        let types = EventTypes::builtin().with_aliases(aliases).expect("valid");
        let written = EventTypeSpec::all(&types);
        let json = serde_json::to_string(&written).expect("plain data");
        let read: BTreeMap<String, EventTypeSpec> = serde_json::from_str(&json).expect("the same");
        let again = EventTypeSpec::read(&read).expect("valid");
        assert!(types.iter().eq(again.iter()));
    }

    #[test]
    fn types_without_aliases_are_written_and_read_as_before_there_were_any() {
        let json = r#"{"searched":{"kind":"user_only"},"viewed":{"kind":"interaction","collection":"viewed","weight":1.0}}"#;
        let read: BTreeMap<String, EventTypeSpec> = serde_json::from_str(json).expect("older");
        assert_eq!(serde_json::to_string(&read).expect("plain data"), json);
        assert_eq!(EventTypeSpec::all(&EventTypeSpec::read(&read).expect("valid")), read);
    }
}

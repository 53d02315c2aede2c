//! Event types: configuration that says what each kind of event does to the graph.

use std::collections::HashMap;

use super::names::meaning;
use crate::limits::TYPE_ALIASES;

/// What an event of a type does to the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An edge from the user to each item, in this collection.
    Interaction { collection: String },
    /// Takes back an edge of this type (an index into the same set).
    Retraction { of: TypeIndex },
    /// Sets the attributes of a user.
    UserProfile,
    /// Sets the attributes of an item.
    ItemProfile,
    /// Tells of a user alone, such as a search.
    UserOnly,
}

/// Place of a type in its [`EventTypes`]; follows from the sorted names, not from file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeIndex(pub u8);

/// One configured event type.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeSpec {
    pub name: String,
    pub kind: Kind,
    /// How much one such interaction says about a user's taste; 0 says nothing.
    pub weight: f64,
    /// What else producers call it: normalised and sorted.
    pub aliases: Vec<String>,
}

/// The configured event types, sorted by name.
#[derive(Debug, Clone)]
pub struct EventTypes {
    specs: Vec<TypeSpec>,
    by_name: HashMap<String, TypeIndex>,
}

/// One thing wrong with a set of event types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    #[error("event type `{0}`: a name has 1 to 64 of a-z, 0-9 and _")]
    Name(String),
    #[error(
        "event type `{0}`: a collection name has 1 to 64 letters, digits and _, and begins with a letter; `{1}` does not"
    )]
    Collection(String, String),
    #[error(
        "event types `{0}` and `{1}` share the collection `{2}`: each interaction needs its own"
    )]
    SharedCollection(String, String, String),
    #[error("event type `{0}` retracts `{1}`, which is not a configured interaction")]
    Retracts(String, String),
    #[error("event type `{0}`: weight must be a finite number")]
    Weight(String),
    #[error("{0} event types are configured; at most 200 can be")]
    TooMany(usize),
    #[error("event type `{0}`: an alias has 1 to 64 bytes without control characters")]
    Alias(String),
    #[error("event type `{0}` has {1} aliases; it can have at most {TYPE_ALIASES}")]
    TooManyAliases(String, usize),
    #[error("event type `{0}`: the alias `{1}` already means `{2}`")]
    SharedAlias(String, String, String),
}

/// The graph's own vertex collections, which no edge collection may be called.
const VERTEX_COLLECTIONS: [&str; 2] = ["users", "items"];
const MAX_TYPES: usize = 200;
const NAME_BYTES: usize = 64;

/// A type before its references are resolved: what a configuration says.
#[derive(Debug, Clone, PartialEq)]
pub enum Declared {
    Interaction { collection: String },
    Retraction { of: String },
    UserProfile,
    ItemProfile,
    UserOnly,
}

impl EventTypes {
    /// Resolves declared types, or tells everything that is wrong with them.
    pub fn new(declared: Vec<(String, Declared, f64)>) -> Result<Self, Vec<TypeError>> {
        let mut declared = declared;
        declared.sort_by(|a, b| a.0.cmp(&b.0));
        let errors = problems(&declared);
        if !errors.is_empty() {
            return Err(errors);
        }
        let by_name: HashMap<String, TypeIndex> = declared
            .iter()
            .enumerate()
            .map(|(index, (name, ..))| (name.clone(), TypeIndex(index as u8)))
            .collect();
        let specs = declared
            .into_iter()
            .map(|(name, declared, weight)| {
                let kind = match declared {
                    Declared::Interaction { collection } => Kind::Interaction { collection },
                    Declared::Retraction { of } => Kind::Retraction { of: by_name[&of] },
                    Declared::UserProfile => Kind::UserProfile,
                    Declared::ItemProfile => Kind::ItemProfile,
                    Declared::UserOnly => Kind::UserOnly,
                };
                TypeSpec { name, kind, weight, aliases: Vec::new() }
            })
            .collect();
        Ok(Self { specs, by_name })
    }

    /// Adds what else producers call the types, in any spelling, or tells everything that is wrong with it.
    ///
    /// An alias wins over what other collectors' names mean out of the box. Names of no type are passed over.
    pub fn with_aliases(
        mut self,
        aliases: impl IntoIterator<Item = (String, Vec<String>)>,
    ) -> Result<Self, Vec<TypeError>> {
        let mut errors = Vec::new();
        for (name, aliases) in aliases {
            let Ok(at) = self.specs.binary_search_by(|spec| spec.name.cmp(&name)) else { continue };
            if aliases.len() > TYPE_ALIASES {
                errors.push(TypeError::TooManyAliases(name, aliases.len()));
                continue;
            }
            for alias in aliases {
                errors.extend(self.add_alias(at, normalise_name(&alias)).err());
            }
            self.specs[at].aliases.sort_unstable();
        }
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    fn add_alias(&mut self, at: usize, alias: String) -> Result<(), TypeError> {
        let index = TypeIndex(at as u8);
        let name = &self.specs[at].name;
        if !(1..=NAME_BYTES).contains(&alias.len()) || alias.chars().any(char::is_control) {
            return Err(TypeError::Alias(name.clone()));
        }
        match self.by_name.get(&alias) {
            Some(taken) if *taken == index => Ok(()),
            Some(taken) => {
                let taken = self.spec(*taken).name.clone();
                Err(TypeError::SharedAlias(name.clone(), alias, taken))
            }
            None => {
                self.by_name.insert(alias.clone(), index);
                self.specs[at].aliases.push(alias);
                Ok(())
            }
        }
    }

    /// The types that exist out of the box.
    pub fn builtin() -> Self {
        Self::new(Self::builtin_declarations()).expect("the built-in types are valid")
    }

    /// What [`EventTypes::builtin`] resolves.
    pub fn builtin_declarations() -> Vec<(String, Declared, f64)> {
        let interactions = [
            ("viewed", 1.0),
            ("clicked", 1.0),
            ("added_to_cart", 3.0),
            ("removed_from_cart", 0.0),
            ("wishlisted", 2.0),
            ("checkout_started", 3.0),
            ("purchased", 5.0),
            ("liked", 3.0),
            ("rated", 2.0),
        ];
        let mut all: Vec<(String, Declared, f64)> = interactions
            .into_iter()
            .map(|(name, weight)| {
                (name.to_owned(), Declared::Interaction { collection: name.to_owned() }, weight)
            })
            .collect();
        all.push(("refunded".to_owned(), Declared::Retraction { of: "purchased".to_owned() }, 0.0));
        all.push(("unliked".to_owned(), Declared::Retraction { of: "liked".to_owned() }, 0.0));
        all.push(("user_profile".to_owned(), Declared::UserProfile, 0.0));
        all.push(("item_profile".to_owned(), Declared::ItemProfile, 0.0));
        all.push(("searched".to_owned(), Declared::UserOnly, 0.0));
        all
    }

    /// Finds a type by a name as a producer writes it, also by an alias or by what other collectors call it.
    pub fn find(&self, name: &str) -> Option<TypeIndex> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        let name = normalise_name(name);
        let found = self.by_name.get(&name);
        found.or_else(|| self.by_name.get(meaning(&name)?)).copied()
    }

    pub fn spec(&self, index: TypeIndex) -> &TypeSpec {
        &self.specs[usize::from(index.0)]
    }

    /// All types in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (TypeIndex, &TypeSpec)> {
        self.specs.iter().enumerate().map(|(index, spec)| (TypeIndex(index as u8), spec))
    }

    pub fn len(&self) -> usize {
        self.specs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// The edge collection of an interaction type.
    pub fn collection(&self, index: TypeIndex) -> Option<&str> {
        match &self.spec(index).kind {
            Kind::Interaction { collection } => Some(collection),
            _ => None,
        }
    }

    /// The names, for an error message.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.specs.iter().map(|spec| spec.name.as_str()).collect();
        names.join(", ")
    }
}

/// Writes a type's name as the configuration does: lower case, `_` for spaces and `-`.
pub fn normalise_name(name: &str) -> String {
    name.trim()
        .chars()
        .map(|c| if c == ' ' || c == '-' { '_' } else { c.to_ascii_lowercase() })
        .collect()
}

fn problems(declared: &[(String, Declared, f64)]) -> Vec<TypeError> {
    let mut errors = Vec::new();
    if declared.len() > MAX_TYPES {
        errors.push(TypeError::TooMany(declared.len()));
    }
    let mut owner: HashMap<&str, &str> = HashMap::new();
    for (name, kind, weight) in declared {
        if !is_type_name(name) {
            errors.push(TypeError::Name(name.clone()));
        }
        if !weight.is_finite() {
            errors.push(TypeError::Weight(name.clone()));
        }
        match kind {
            Declared::Interaction { collection } => {
                if !is_collection_name(collection) {
                    errors.push(TypeError::Collection(name.clone(), collection.clone()));
                }
                if let Some(other) = owner.insert(collection, name) {
                    errors.push(TypeError::SharedCollection(
                        other.to_owned(),
                        name.clone(),
                        collection.clone(),
                    ));
                }
            }
            Declared::Retraction { of } => {
                let is_interaction = declared.iter().any(|(other, kind, _)| {
                    other == of && matches!(kind, Declared::Interaction { .. })
                });
                if !is_interaction {
                    errors.push(TypeError::Retracts(name.clone(), of.clone()));
                }
            }
            Declared::UserProfile | Declared::ItemProfile | Declared::UserOnly => {}
        }
    }
    errors
}

/// Whether a text may be a type's name, and with it the last token of a subject.
pub(super) fn is_type_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn is_collection_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !VERTEX_COLLECTIONS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_spelling() {
        let types = EventTypes::builtin();
        for spelling in ["added_to_cart", "Added To Cart", "ADDED-TO-CART", " added_to_cart "] {
            let index = types.find(spelling).expect(spelling);
            assert_eq!(types.spec(index).name, "added_to_cart");
        }
        assert_eq!(types.find("teleported"), None);
    }

    #[test]
    fn indexes_do_not_depend_on_the_order_of_declaration() {
        let mut reversed = EventTypes::builtin_declarations();
        reversed.reverse();
        let (a, b) = (EventTypes::builtin(), EventTypes::new(reversed).expect("valid"));
        assert!(a.iter().eq(b.iter()));
    }

    fn aliased(aliases: &[(&str, &[&str])]) -> Result<EventTypes, Vec<TypeError>> {
        let owned = |(name, all): &(&str, &[&str])| {
            ((*name).to_owned(), all.iter().map(|&alias| alias.to_owned()).collect())
        };
        EventTypes::builtin().with_aliases(aliases.iter().map(owned))
    }

    #[test]
    fn an_alias_is_found_in_any_spelling_and_wins_over_what_a_name_means_out_of_the_box() {
        let types = aliased(&[("viewed", &["Artikel Angesehen", "watched"]), ("liked", &["Rate"])])
            .expect("valid");
        for (spelling, name) in [
            ("artikel-angesehen", "viewed"),
            ("WATCHED", "viewed"),
            ("rate", "liked"),
            ("Product Viewed", "viewed"),
            ("viewed", "viewed"),
        ] {
            let index = types.find(spelling).expect(spelling);
            assert_eq!(types.spec(index).name, name, "{spelling}");
        }
        let viewed = types.find("viewed").expect("it is there");
        assert_eq!(types.spec(viewed).aliases, ["artikel_angesehen", "watched"]);
    }

    #[test]
    fn an_alias_means_one_type_and_two_spellings_of_one_are_one() {
        let types = aliased(&[("viewed", &["Seen", "seen", "viewed"])]).expect("harmless");
        let viewed = types.find("viewed").expect("it is there");
        assert_eq!(types.spec(viewed).aliases, ["seen"]);
        let many: Vec<String> = (0..=TYPE_ALIASES).map(|n| format!("a{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let errors = aliased(&[
            ("clicked", &many),
            ("liked", &["Viewed", "", "a\nb", "seen"]),
            ("rated", &["SEEN"]),
        ])
        .expect_err("five problems");
        insta::assert_snapshot!(
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            @r#"
    event type `clicked` has 51 aliases; it can have at most 50
    event type `liked`: the alias `viewed` already means `viewed`
    event type `liked`: an alias has 1 to 64 bytes without control characters
    event type `liked`: an alias has 1 to 64 bytes without control characters
    event type `rated`: the alias `seen` already means `liked`
    "#
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let edge = |collection: &str| Declared::Interaction { collection: collection.to_owned() };
        let errors = EventTypes::new(vec![
            ("Viewed".to_owned(), edge("viewed"), 1.0),
            ("seen".to_owned(), edge("viewed"), f64::NAN),
            ("bought".to_owned(), edge("users"), 1.0),
            ("refunded".to_owned(), Declared::Retraction { of: "purchased".to_owned() }, 0.0),
        ])
        .expect_err("four problems and more");
        insta::assert_snapshot!(
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        );
    }
}

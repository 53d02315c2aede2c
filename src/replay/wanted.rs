//! Which events of a range are meant, asked of each event. Pure.

use std::collections::HashSet;

use super::job::Filter;
use crate::event::{Event, EventTypes, Id};

/// A filter made ready for these event types.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// By index; absent if all are meant.
    types: Option<Vec<bool>>,
    users: HashSet<String>,
    items: HashSet<String>,
    sources: HashSet<String>,
}

/// A filter that could never match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no event type is called {name:?}: there are {known}")]
pub struct UnknownType {
    pub name: String,
    pub known: String,
}

impl Wanted {
    pub fn new(filter: &Filter, types: &EventTypes) -> Result<Self, UnknownType> {
        let mut meant = (!filter.types.is_empty()).then(|| vec![false; types.len()]);
        for name in &filter.types {
            let unknown = || UnknownType { name: name.clone(), known: types.names() };
            let index = types.find(name).ok_or_else(unknown)?;
            if let Some(meant) = &mut meant {
                meant[usize::from(index.0)] = true;
            }
        }
        let set = |texts: &[String]| texts.iter().cloned().collect();
        Ok(Self {
            types: meant,
            users: set(&filter.users),
            items: set(&filter.items),
            sources: set(&filter.sources),
        })
    }

    /// Whether all events are meant.
    pub fn is_everything(&self) -> bool {
        let ids = [&self.users, &self.items, &self.sources];
        self.types.is_none() && ids.into_iter().all(HashSet::is_empty)
    }

    /// Whether this event is meant: of one of the types, users, items and sources, as far as any are named.
    /// An order is of the items of all its lines.
    pub fn wants(&self, event: &Event<'_>) -> bool {
        let of_type =
            self.types.as_ref().is_none_or(|types| types[usize::from(event.event_type.0)]);
        of_type
            && among(&self.users, event.user.iter().map(Id::as_str))
            && among(&self.sources, [event.source.as_str()])
            && among(&self.items, items(event))
    }
}

fn items<'e>(event: &'e Event<'_>) -> impl Iterator<Item = &'e str> {
    let lines = event.lines.iter().map(|line| &line.item);
    event.item.iter().chain(lines).map(Id::as_str)
}

fn among<'e>(named: &HashSet<String>, ids: impl IntoIterator<Item = &'e str>) -> bool {
    named.is_empty() || ids.into_iter().any(|id| named.contains(id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::projection::law;

    fn names(all: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(prop::sample::select(all).prop_map(str::to_owned), 0..3)
    }

    proptest! {
        #[test]
        fn an_event_is_meant_if_each_part_names_it_or_nothing(
            event in law::event(), types in names(&["Viewed", "purchased", "user profile"]),
            users in names(&["u:0", "u:1"]), items in names(&["i0", "i1"]), sources in names(&["s0"]),
        ) {
            let known = EventTypes::builtin();
            let filter = Filter { types: types.clone(), users: users.clone(), items: items.clone(), sources: sources.clone(), ..Filter::default() };
            let wanted = Wanted::new(&filter, &known).expect("known types");
            let its_items: Vec<String> = super::items(&event).map(str::to_owned).collect();
            let expected = (types.is_empty() || types.iter().any(|name| known.find(name) == Some(event.event_type)))
                && (users.is_empty() || event.user.as_ref().is_some_and(|user| users.iter().any(|one| one == user.as_str())))
                && (items.is_empty() || its_items.iter().any(|item| items.contains(item)))
                && (sources.is_empty() || sources.iter().any(|one| one == event.source.as_str()));
            prop_assert_eq!(wanted.wants(&event), expected);
            prop_assert_eq!(wanted.is_everything(), filter.is_empty());
        }
    }

    #[test]
    fn an_unknown_type_is_told_with_those_there_are() {
        let filter = Filter { types: vec!["teleported".to_owned()], ..Filter::default() };
        let error = Wanted::new(&filter, &EventTypes::builtin()).expect_err("unknown");
        assert!(error.to_string().contains("added_to_cart"), "{error}");
    }
}

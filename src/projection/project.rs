//! Event to puts.

use std::sync::Arc;

use crate::event::{Event, EventTypes, Kind, Line, TypeIndex, Upcasters};
use crate::graph::{Collection, Edge, EdgeKey, Put};

use super::Fingerprint;

/// Turns events into puts, as the configured types say.
#[derive(Debug, Clone)]
pub struct Projection {
    types: Arc<EventTypes>,
}

impl Projection {
    pub fn new(types: Arc<EventTypes>) -> Self {
        Self { types }
    }

    pub fn types(&self) -> &Arc<EventTypes> {
        &self.types
    }

    pub fn fingerprint(&self, upcasters: &Upcasters) -> Fingerprint {
        Fingerprint::of(&self.types, upcasters)
    }

    /// Appends an event's puts: vertices first, then one edge or tombstone an item.
    pub fn project<'e>(&self, event: &'e Event<'_>, puts: &mut Vec<Put<'e>>) {
        match &self.types.spec(event.event_type).kind {
            Kind::Interaction { .. } => {
                bare_ends(event, puts);
                self.edges(event, event.event_type, puts);
            }
            Kind::Retraction { of } => {
                bare_ends(event, puts);
                self.tombstones(event, *of, puts);
            }
            Kind::UserProfile => {
                let user = event.user.as_ref().map(|user| (Collection::Users, user));
                profile(event, user, puts);
            }
            Kind::ItemProfile => {
                let item = event.item.as_ref().map(|item| (Collection::Items, item));
                profile(event, item, puts);
            }
            Kind::UserOnly => {
                puts.extend(event.user.as_ref().map(|user| Put::bare_user(user.as_str())));
            }
        }
    }

    fn edges<'e>(&self, event: &'e Event<'_>, event_type: TypeIndex, puts: &mut Vec<Put<'e>>) {
        let Some(user) = &event.user else { return };
        let name = &self.types.spec(event_type).name;
        each_line(event, |item, value| {
            let edge = Edge {
                user: user.as_str(),
                item,
                at_ms: event.at.ms(),
                event_id: event.id.as_str(),
                source: event.source.as_str(),
                value,
            };
            puts.push(Put::edge(event_type, name, edge));
        });
    }

    fn tombstones<'e>(&self, event: &'e Event<'_>, of: TypeIndex, puts: &mut Vec<Put<'e>>) {
        let (Some(user), Some(retracted)) = (&event.user, &event.retracts) else { return };
        let name = &self.types.spec(of).name;
        each_line(event, |item, _| {
            let key =
                EdgeKey::new(retracted.as_str(), event.source.as_str(), name, user.as_str(), item);
            puts.push(Put::tombstone(of, key, user.as_str(), item));
        });
    }
}

fn bare_ends<'e>(event: &'e Event<'_>, puts: &mut Vec<Put<'e>>) {
    puts.extend(event.user.as_ref().map(|user| Put::bare_user(user.as_str())));
    each_line(event, |item, _| puts.push(Put::bare_item(item)));
}

fn profile<'e>(
    event: &'e Event<'_>,
    of: Option<(Collection, &'e crate::event::Id<'_>)>,
    puts: &mut Vec<Put<'e>>,
) {
    if let Some((collection, id)) = of {
        puts.push(Put::profile(collection, id.as_str(), &event.properties, event.at.ms()));
    }
}

/// Calls `each` once an item: the event's one item, or its lines, those of one item merged.
fn each_line<'e>(event: &'e Event<'_>, mut each: impl FnMut(&'e str, Option<f64>)) {
    if let Some(item) = &event.item {
        each(item.as_str(), event.value);
    }
    if event.lines.is_empty() {
        return;
    }
    let mut lines: Vec<&'e Line<'_>> = event.lines.iter().collect();
    lines.sort_by(|a, b| {
        a.item.cmp(&b.item).then_with(|| order(a.value).total_cmp(&order(b.value)))
    });
    for of_item in lines.chunk_by(|a, b| a.item == b.item) {
        let values = of_item.iter().filter_map(|line| line.value);
        let value = values.reduce(|sum, value| sum + value).filter(|sum| sum.is_finite());
        each(of_item[0].item.as_str(), value);
    }
}

/// Sums of floats depend on their order, so lines of one item have one.
fn order(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::NEG_INFINITY)
}

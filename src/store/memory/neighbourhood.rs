//! The graph as recommendations look at it.

use std::cmp::Ordering;

use super::graph::{Graph, Moment};
use crate::graph::compare_by_key;
use crate::recommend::{Neighbourhood, Touch};

impl Graph {
    /// The handle of a user that has a document or an edge.
    pub fn user_handle(&self, id: &str) -> Option<u32> {
        self.users.find(id)
    }

    /// The handle of an item that has a document or an edge.
    pub fn item_handle(&self, id: &str) -> Option<u32> {
        self.items.find(id)
    }

    pub fn item_id(&self, handle: u32) -> &str {
        &self.items.get(handle).id
    }

    /// The attributes of an item, as its latest profile sets them.
    pub fn item_attrs(&self, handle: u32) -> Option<&serde_json::Map<String, serde_json::Value>> {
        self.items.profiles.get(&handle).map(|profile| &profile.attrs)
    }

    fn of_item(&self, edge: u32) -> Touch {
        let slot = self.edges.slot(edge);
        Touch { node: slot.user, kind: slot.kind(), at_ms: slot.at_ms(), edge }
    }
}

fn of_user(moment: &Moment) -> Touch {
    Touch { node: moment.item, kind: moment.kind(), at_ms: moment.at_ms(), edge: moment.edge }
}

impl Neighbourhood for Graph {
    fn newest_of_user(&self, user: u32, most: usize, out: &mut Vec<Touch>) {
        if let Some(timeline) = self.user_timelines.get(user as usize) {
            out.extend(timeline.newest_first().take(most).map(|moment| of_user(&moment)));
        }
    }

    fn newest_of_item(&self, item: u32, most: usize, out: &mut Vec<Touch>) {
        if let Some(timeline) = self.item_timelines.get(item as usize) {
            out.extend(timeline.newest_first().take(most).map(|edge| self.of_item(edge)));
        }
    }

    fn around(&self, moment: Touch, side: usize, out: &mut Vec<Touch>) {
        let Some(timeline) = self.user_timelines.get(moment.node as usize) else { return };
        let older = |known: &Moment| {
            let order = known.at_ms().cmp(&moment.at_ms);
            order.then_with(|| self.chronology(known.edge, moment.edge)) == Ordering::Less
        };
        let begin = out.len();
        timeline.around(side, older, |known| out.push(of_user(known)));
        debug_assert!(out[begin..].iter().any(|touch| touch.edge == moment.edge));
    }

    fn item_degree(&self, item: u32, cap: u32) -> u32 {
        self.popularity.count(item).min(cap)
    }

    fn popular(&self, most: usize, out: &mut Vec<u32>) {
        let begin = out.len();
        let mut least = 0;
        for (place, (item, count)) in self.popularity.greatest_first().enumerate() {
            // Beyond the bound only those who share the last one's count still matter.
            if count == 0 || (place >= most && count < least) {
                break;
            }
            least = count;
            out.push(item);
        }
        let found = &mut out[begin..];
        found.sort_unstable_by(|a, b| {
            let more = self.popularity.count(*b).cmp(&self.popularity.count(*a));
            more.then_with(|| self.compare_items(*a, *b))
        });
        out.truncate(begin + most);
    }

    fn compare_items(&self, a: u32, b: u32) -> Ordering {
        compare_by_key(&self.items.get(a).id, &self.items.get(b).id)
    }
}

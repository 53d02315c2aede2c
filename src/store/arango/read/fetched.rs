//! The neighbourhood as far as it was fetched. What is missing is recorded, and answered empty.

use std::cell::RefCell;
use std::cmp::Ordering;

use hashbrown::HashMap;

use super::missing::{Missing, wish};
use super::names::{Edges, Keys};
use super::rows::{TouchRow, edge_key, item_key, user_key};
use crate::recommend::{Neighbourhood, Touch};
use crate::store::Failure;

/// Touches in an order, and how many were asked for: fewer than that are all there are.
#[derive(Debug)]
struct Held {
    most: usize,
    touches: Vec<Touch>,
}

impl Held {
    fn serves(&self, most: usize) -> bool {
        most <= self.most
    }
}

/// Handles are those of `users`, `items` and `edges`, all interned here.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub users: Keys,
    pub items: Keys,
    edges: Edges,
    /// Newest first.
    of_users: HashMap<u32, Held>,
    /// Newest first.
    of_items: HashMap<u32, Held>,
    /// By user and time, oldest first; `most` is the side.
    around: HashMap<(u32, i64), Held>,
    degrees: HashMap<u32, u32>,
    popular: Option<Vec<u32>>,
    missing: RefCell<Missing>,
}

impl Fetched {
    /// What was asked for in vain since the last call.
    pub fn take_missing(&self) -> Missing {
        self.missing.take()
    }

    /// A touch of a user: its other end is an item.
    pub fn touch_of_user(&mut self, kind: u8, row: &TouchRow) -> Result<Touch, Failure> {
        let node = self.items.intern(item_key(&row.2)?.to_owned());
        self.touch(node, kind, row)
    }

    /// A touch of an item: its other end is a user.
    pub fn touch_of_item(&mut self, kind: u8, row: &TouchRow) -> Result<Touch, Failure> {
        let node = self.users.intern(user_key(&row.2)?.to_owned());
        self.touch(node, kind, row)
    }

    fn touch(&mut self, node: u32, kind: u8, row: &TouchRow) -> Result<Touch, Failure> {
        let edge = self.edges.intern(edge_key(&row.0)?);
        Ok(Touch { node, kind, at_ms: row.1, edge })
    }

    /// Takes what all collections hold of a user's newest touches.
    pub fn hold_user(&mut self, user: u32, most: usize, touches: Vec<Touch>) {
        let touches = self.newest(touches, most);
        self.of_users.insert(user, Held { most, touches });
    }

    /// Takes what all collections hold of an item's newest touches.
    pub fn hold_item(&mut self, item: u32, most: usize, touches: Vec<Touch>) {
        let touches = self.newest(touches, most);
        self.of_items.insert(item, Held { most, touches });
    }

    /// Takes what all collections hold of a user's touches around a moment.
    pub fn hold_around(&mut self, moment: (u32, i64), side: usize, touches: Vec<Touch>) {
        let touches = self.in_order(touches);
        self.around.insert(moment, Held { most: side, touches });
    }

    pub fn hold_degree(&mut self, item: u32, degree: u32) {
        self.degrees.insert(item, degree);
    }

    /// Takes the popular items, greatest first, ties by key.
    pub fn hold_popular(&mut self, items: Vec<u32>) {
        self.popular = Some(items);
    }

    fn newest(&self, touches: Vec<Touch>, most: usize) -> Vec<Touch> {
        let mut touches = self.in_order(touches);
        touches.reverse();
        touches.truncate(most);
        touches
    }

    /// By time, then key, each edge once: texts return the moments at their rims twice.
    fn in_order(&self, mut touches: Vec<Touch>) -> Vec<Touch> {
        touches.sort_unstable_by(|a, b| self.chronology(a, b));
        touches.dedup_by_key(|touch| touch.edge);
        touches
    }

    fn chronology(&self, a: &Touch, b: &Touch) -> Ordering {
        let order = a.at_ms.cmp(&b.at_ms);
        order.then_with(|| self.edges.get(a.edge).cmp(self.edges.get(b.edge)))
    }

    fn wish(&self, note: impl FnOnce(&mut Missing)) {
        note(&mut self.missing.borrow_mut());
    }
}

impl Neighbourhood for Fetched {
    fn newest_of_user(&self, user: u32, most: usize, out: &mut Vec<Touch>) {
        match self.of_users.get(&user).filter(|held| held.serves(most)) {
            Some(held) => out.extend(held.touches.iter().take(most)),
            None if most > 0 => self.wish(|missing| wish(&mut missing.users, user, most)),
            None => {}
        }
    }

    fn newest_of_item(&self, item: u32, most: usize, out: &mut Vec<Touch>) {
        match self.of_items.get(&item).filter(|held| held.serves(most)) {
            Some(held) => out.extend(held.touches.iter().take(most)),
            None if most > 0 => self.wish(|missing| wish(&mut missing.items, item, most)),
            None => {}
        }
    }

    /// Appends nothing if the edge was taken back since it was fetched.
    fn around(&self, moment: Touch, side: usize, out: &mut Vec<Touch>) {
        let place = (moment.node, moment.at_ms);
        let Some(held) = self.around.get(&place).filter(|held| held.serves(side)) else {
            self.wish(|missing| wish(&mut missing.moments, place, side));
            return;
        };
        let Some(centre) = held.touches.iter().position(|touch| touch.edge == moment.edge) else {
            return;
        };
        let end = held.touches.len().min(centre + side + 1);
        out.extend(&held.touches[centre.saturating_sub(side)..end]);
    }

    fn item_degree(&self, item: u32, cap: u32) -> u32 {
        let held = self.degrees.get(&item);
        if held.is_none() {
            self.wish(|missing| wish(&mut missing.degrees, item, cap));
        }
        held.map_or(0, |degree| *degree.min(&cap))
    }

    fn popular(&self, most: usize, out: &mut Vec<u32>) {
        match &self.popular {
            Some(items) => out.extend(items.iter().take(most)),
            None => self.wish(|missing| missing.popular = true),
        }
    }

    fn compare_items(&self, a: u32, b: u32) -> Ordering {
        self.items.get(a).cmp(self.items.get(b))
    }
}

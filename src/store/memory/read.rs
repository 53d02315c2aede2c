//! A user's history, newest first.

use super::graph::Graph;
use crate::event::TypeIndex;
use crate::graph::EdgeKey;

/// One event in a user's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    pub event_id: String,
    pub item: String,
    pub event_type: TypeIndex,
    pub at_ms: i64,
    pub source: String,
    pub value: Option<f64>,
    pub key: EdgeKey,
}

/// A place in a history. The entries behind it are older, or of the same moment with a smaller key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryCursor {
    pub at_ms: i64,
    /// Absent: everything before the moment.
    pub key: Option<EdgeKey>,
}

/// A part of a history and the place where the next one begins, if there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    pub entries: Vec<HistoryEntry>,
    pub next: Option<HistoryCursor>,
}

impl Graph {
    /// The newest entries of a user before a place, at most `limit`, of one type or of all.
    ///
    /// Looks at no more than `scan` edges: a page of a rare type may be short, and still have a `next`.
    pub fn history(
        &self,
        user: &str,
        of: Option<TypeIndex>,
        before: Option<HistoryCursor>,
        limit: usize,
        scan: usize,
    ) -> HistoryPage {
        let mut page = HistoryPage { entries: Vec::new(), next: None };
        let Some(user) = self.users.find(user) else { return page };
        let timeline = &self.users.get(user).timeline;
        let older = |edge: u32| before.is_none_or(|cursor| self.is_before(edge, cursor));
        let mut last = None;
        for (looked, edge) in timeline.newest_of_prefix(older).enumerate() {
            if page.entries.len() == limit || looked == scan {
                page.next = last;
                break;
            }
            last = Some(HistoryCursor {
                at_ms: self.edges.slot(edge).at_ms(),
                key: Some(self.key(edge)),
            });
            let kind = TypeIndex(self.edges.slot(edge).kind());
            if of.is_none_or(|of| of == kind) {
                page.entries.push(self.history_entry(edge, kind));
            }
        }
        page
    }

    /// Whether a user's document exists, and an item's.
    pub fn has_user(&self, user: &str) -> bool {
        self.users.find(user).is_some_and(|user| self.users.get(user).exists)
    }

    pub fn has_item(&self, item: &str) -> bool {
        self.items.find(item).is_some_and(|item| self.items.get(item).exists)
    }

    fn history_entry(&self, edge: u32, kind: TypeIndex) -> HistoryEntry {
        let key = self.key(edge);
        self.with_edge(edge, |told| HistoryEntry {
            event_id: told.event_id.to_owned(),
            item: told.item.to_owned(),
            event_type: kind,
            at_ms: told.at_ms,
            source: told.source.to_owned(),
            value: told.value,
            key,
        })
    }

    fn is_before(&self, edge: u32, cursor: HistoryCursor) -> bool {
        let slot = self.edges.slot(edge);
        match cursor.key {
            None => slot.at_ms() < cursor.at_ms,
            Some(key) => {
                let place = (cursor.at_ms, super::edges::key_bits(key));
                (slot.at_ms(), slot.key_bits())
                    .cmp(&place)
                    .then_with(|| self.key(edge).cmp(&key))
                    .is_lt()
            }
        }
    }
}

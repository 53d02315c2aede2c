//! A user's history, newest first.

use super::edges::key_bits;
use super::graph::{Graph, Moment};
use crate::event::TypeIndex;
use crate::store::{HistoryCursor, HistoryEntry, HistoryPage};

impl Graph {
    /// The newest entries of a user before a place, at most `limit`, of one type or of all.
    ///
    /// Looks at no more than `scan` edges: a page of a rare type may be short, and still have a `next`.
    /// Otherwise there is a `next` exactly if another entry follows.
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
        let timeline = &self.user_timelines[user as usize];
        let older = |moment: &Moment| before.is_none_or(|cursor| self.is_before(moment, cursor));
        let (mut looked_at, mut told) = (None, None);
        for (looked, moment) in timeline.newest_of_prefix(older).enumerate() {
            if looked == scan {
                page.next = looked_at.map(|last| self.cursor_at(&last));
                break;
            }
            looked_at = Some(moment);
            let kind = TypeIndex(moment.kind());
            if of.is_some_and(|of| of != kind) {
                continue;
            }
            if page.entries.len() == limit {
                page.next = told.map(|last| self.cursor_at(&last));
                break;
            }
            told = Some(moment);
            page.entries.push(self.history_entry(moment.edge, kind));
        }
        page
    }

    fn cursor_at(&self, moment: &Moment) -> HistoryCursor {
        HistoryCursor { at_ms: moment.at_ms(), key: Some(self.key(moment.edge)) }
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

    fn is_before(&self, moment: &Moment, cursor: HistoryCursor) -> bool {
        let earlier = moment.at_ms().cmp(&cursor.at_ms);
        let order = match cursor.key {
            None => earlier,
            Some(key) => earlier.then_with(|| {
                let bits = self.edges.slot(moment.edge).key_bits().cmp(&key_bits(key));
                bits.then_with(|| self.key(moment.edge).cmp(&key))
            }),
        };
        order.is_lt()
    }
}

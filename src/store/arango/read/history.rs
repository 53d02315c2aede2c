//! Pages of a user's history, newest first.

use std::cmp::Reverse;

use futures_util::future::try_join_all;
use hashbrown::HashSet;
use serde_json::{Value, json};

use super::answer::{Documents, raw_id};
use super::reads::Reads;
use super::rows::{EntryRow, edge_key, item_key};
use crate::event::TypeIndex;
use crate::graph::{Collection, EdgeKey, decode_id, encode_id};
use crate::limits::{EXACT_INTEGER, REMOTE_HISTORY_TIES};
use crate::store::arango::aql;
use crate::store::{Failure, HistoryCursor, HistoryEntry, HistoryPage, HistoryQuestion};

/// One edge of the user, before its item has its raw id.
struct Told {
    kind: TypeIndex,
    key: EdgeKey,
    row: EntryRow,
}

impl Told {
    fn place(&self) -> (i64, EdgeKey) {
        (self.row.1, self.key)
    }

    fn item_key(&self) -> Result<&str, Failure> {
        item_key(&self.row.2)
    }

    fn entry(self, documents: &Documents) -> Result<Option<HistoryEntry>, Failure> {
        let item = raw_id(self.item_key()?, documents);
        let EntryRow(_, at_ms, _, event_id, source, value) = self.row;
        Ok(item.map(|item| HistoryEntry {
            event_id,
            item,
            event_type: self.kind,
            at_ms,
            source,
            value,
            key: self.key,
        }))
    }
}

impl Reads {
    pub(super) async fn page(
        &self,
        user: &str,
        question: &HistoryQuestion,
    ) -> Result<HistoryPage, Failure> {
        let mut told = self.told(user, question).await?;
        let more = told.len() > question.limit;
        told.truncate(question.limit);
        let last = told.last().map(Told::place);
        let next = last.filter(|_| more);
        let entries = self.entries(told).await?;
        let cursor = |(at_ms, key)| HistoryCursor { at_ms, key: Some(key) };
        Ok(HistoryPage { entries, next: next.map(cursor) })
    }

    /// The user's newest edges before the place, newest first: at least one more than asked for, if there are.
    async fn told(&self, user: &str, question: &HistoryQuestion) -> Result<Vec<Told>, Failure> {
        let binds = binds(user, question);
        let asked = self.kinds.iter().filter(|(kind, _)| question.of.is_none_or(|of| of == *kind));
        let queries = asked.map(async |(kind, collection)| {
            let mut binds = binds.clone();
            binds["@edges"] = collection.as_str().into();
            let rows: Vec<Vec<EntryRow>> = self.database.query(aql::HISTORY, binds).await?;
            Ok::<_, Failure>((*kind, rows))
        });
        let mut told = Vec::new();
        for (kind, rows) in try_join_all(queries).await? {
            for row in rows.into_iter().flatten() {
                told.push(Told { kind, key: edge_key(&row.0)?, row });
            }
        }
        told.retain(|told| question.before.is_none_or(|cursor| is_before(told, cursor)));
        told.sort_unstable_by_key(|told| Reverse(told.place()));
        told.dedup_by_key(|told| told.place());
        Ok(told)
    }

    async fn entries(&self, told: Vec<Told>) -> Result<Vec<HistoryEntry>, Failure> {
        let mut hashed = HashSet::new();
        for told in &told {
            let key = told.item_key()?;
            hashed.extend(Some(key).filter(|key| decode_id(key).is_none()));
        }
        let documents = self.documents(hashed).await?;
        told.into_iter().filter_map(|told| told.entry(&documents).transpose()).collect()
    }
}

fn binds(user: &str, question: &HistoryQuestion) -> Value {
    let user = format!("{}/{}", Collection::USERS, encode_id(user));
    let before = question.before.map_or(EXACT_INTEGER as i64, |cursor| cursor.at_ms);
    // No edge has the time 0, so it asks for nothing.
    let at = question.before.filter(|cursor| cursor.key.is_some()).map_or(0, |cursor| cursor.at_ms);
    let most = question.limit.saturating_add(1);
    json!({ "user": user, "before": before, "at": at, "most": most, "ties": REMOTE_HISTORY_TIES })
}

fn is_before(told: &Told, cursor: HistoryCursor) -> bool {
    match cursor.key {
        None => told.row.1 < cursor.at_ms,
        Some(key) => told.place() < (cursor.at_ms, key),
    }
}

//! The graph in memory as a store: answers that own what they tell.

use std::ops::Range;

use super::graph::{Applied, Graph};
use super::store::MemoryStore;
use crate::event::EventTypes;
use crate::graph::{Collection, Put};
use crate::limits::{HISTORY_SCAN, SCAN_AT_ONCE};
use crate::recommend::{self, ItemOptions, Options};
use crate::store::{Document, Failure, HistoryPage, HistoryQuestion, Recommended, Store, Verdict};

impl Store for MemoryStore {
    async fn apply(&self, puts: &[Put<'_>]) -> Vec<Verdict> {
        let verdict = |applied| match applied {
            Applied::Applied => Verdict::Applied,
            Applied::Superseded => Verdict::Superseded,
        };
        let mut graph = self.write();
        puts.iter().map(|put| verdict(graph.apply(put))).collect()
    }

    /// Holds the graph still for some thousand documents at a time.
    async fn scan(&self, each: &mut (dyn FnMut(Document) + Send)) -> Result<(), Failure> {
        for collection in [Collection::Users, Collection::Items] {
            let vertices = self.read().vertices(collection).len();
            for part in parts(vertices) {
                self.tell(each, |graph, found| graph.scan_vertices(collection, part, found));
            }
        }
        let edges = self.read().edge_count();
        for part in parts(edges) {
            self.tell(each, |graph, found| graph.scan_edges(part, found));
        }
        Ok(())
    }

    async fn for_user(
        &self,
        user: &str,
        options: &Options<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        let graph = self.read();
        let found = recommend::for_user(&*graph, graph.user_handle(user), options);
        let told = found.iter().map(|scored| Recommended {
            score: scored.score,
            because: graph.ids(&scored.because),
            popular: scored.popular,
            ..graph.recommended(scored.item)
        });
        Ok(told.collect())
    }

    async fn for_item(
        &self,
        item: &str,
        options: &ItemOptions<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        let graph = self.read();
        let Some(handle) = graph.item_handle(item) else { return Ok(Vec::new()) };
        let found = recommend::for_item(&*graph, handle, options);
        let told = found.iter().map(|also| Recommended {
            score: also.score,
            because: vec![item.to_owned()],
            support: Some(also.support),
            ..graph.recommended(also.item)
        });
        Ok(told.collect())
    }

    async fn history(
        &self,
        user: &str,
        question: &HistoryQuestion,
    ) -> Result<HistoryPage, Failure> {
        let HistoryQuestion { of, before, limit } = *question;
        Ok(self.read().history(user, of, before, limit, HISTORY_SCAN))
    }
}

impl MemoryStore {
    /// The same scan without the JSON form: calls `each` with a put that would make each document, while the
    /// graph is held still for some thousand documents at a time.
    pub async fn scan_puts(&self, each: &mut (dyn FnMut(&Put<'_>) + Send)) {
        for collection in [Collection::Users, Collection::Items] {
            let vertices = self.read().vertices(collection).len();
            for part in parts(vertices) {
                self.read().scan_vertices(collection, part, &mut *each);
                tokio::task::yield_now().await;
            }
        }
        let edges = self.read().edge_count();
        for part in parts(edges) {
            self.read().scan_edges(part, &mut *each);
            tokio::task::yield_now().await;
        }
    }

    /// Gathers the documents of a part while the graph is held still, and tells them after.
    fn tell(
        &self,
        each: &mut (dyn FnMut(Document) + Send),
        scan: impl FnOnce(&Graph, &mut dyn FnMut(&Put<'_>)),
    ) {
        let mut found = Vec::new();
        let graph = self.read();
        scan(&graph, &mut |put| found.push(document(put, graph.types())));
        drop(graph);
        found.into_iter().for_each(each);
    }
}

fn document(put: &Put<'_>, types: &EventTypes) -> Document {
    Document {
        collection: put.collection.name(types).to_owned(),
        key: put.key.text().into_owned(),
        version: put.version,
        body: put.body.to_json(),
    }
}

fn parts(count: u32) -> impl Iterator<Item = Range<u32>> {
    let begins = (0..count).step_by(SCAN_AT_ONCE as usize);
    begins.map(move |begin| begin..count.min(begin + SCAN_AT_ONCE))
}

impl Graph {
    fn ids(&self, items: &[u32]) -> Vec<String> {
        items.iter().map(|item| self.item_id(*item).to_owned()).collect()
    }

    /// What is known of the item alone.
    fn recommended(&self, item: u32) -> Recommended {
        Recommended {
            item_id: self.item_id(item).to_owned(),
            score: 0.0,
            attrs: self.item_attrs(item).cloned(),
            because: Vec::new(),
            popular: false,
            support: None,
        }
    }
}

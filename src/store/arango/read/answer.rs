//! Handles become raw ids and attributes: the documents of the answer's items.

use hashbrown::{HashMap, HashSet};
use serde_json::json;

use super::names::Keys;
use super::reads::Reads;
use super::rows::ItemRow;
use crate::graph::{Collection, decode_id};
use crate::recommend::{AlsoBought, Scored};
use crate::store::arango::aql;
use crate::store::{Failure, Recommended};

/// One item of an answer, by handle.
pub(super) struct Found {
    item: u32,
    score: f64,
    because: Vec<u32>,
    popular: bool,
    support: Option<u32>,
}

impl From<Scored> for Found {
    fn from(scored: Scored) -> Self {
        let Scored { item, score, because, popular } = scored;
        Self { item, score, because, popular, support: None }
    }
}

impl From<AlsoBought> for Found {
    fn from(also: AlsoBought) -> Self {
        let AlsoBought { item, support, score } = also;
        Self { item, score, because: Vec::new(), popular: false, support: Some(support) }
    }
}

pub(super) struct Answer<'a> {
    pub found: Vec<Found>,
    /// The one item that led to all of it, where the question was for an item.
    pub because: Option<&'a str>,
}

/// Documents of items, by encoded key.
pub(super) type Documents = HashMap<String, ItemRow>;

impl Answer<'_> {
    /// Looks up the items' documents and tells the answer in its final form.
    pub async fn told(self, reads: &Reads, items: &Keys) -> Result<Vec<Recommended>, Failure> {
        let key = |item: u32| items.get(item).as_str();
        let shown = self.found.iter().map(|found| key(found.item));
        let reasons = self.found.iter().flat_map(|found| &found.because).map(|item| key(*item));
        let hashed = reasons.filter(|key| decode_id(key).is_none());
        let documents = reads.documents(shown.chain(hashed).collect()).await?;
        let id = |item: u32| raw_id(key(item), &documents);
        Ok(self
            .found
            .iter()
            .filter_map(|found| {
                let reasons = found.because.iter().filter_map(|item| id(*item));
                Some(Recommended {
                    item_id: id(found.item)?,
                    score: found.score,
                    attrs: documents.get(key(found.item)).and_then(|row| row.attrs.clone()),
                    because: self.because.map(str::to_owned).into_iter().chain(reasons).collect(),
                    popular: found.popular,
                    support: found.support,
                })
            })
            .collect())
    }
}

impl Reads {
    /// The documents of items, as far as there are any.
    pub(super) async fn documents(&self, keys: HashSet<&str>) -> Result<Documents, Failure> {
        if keys.is_empty() {
            return Ok(Documents::new());
        }
        let keys: Vec<&str> = keys.into_iter().collect();
        let binds = json!({ "@items": Collection::ITEMS, "keys": keys });
        let rows: Vec<ItemRow> = self.database.query(aql::ITEMS, binds).await?;
        Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
    }
}

/// The raw id: a key tells it, or the document. Vertices are written before edges, so an item without
/// either is being erased, and no part of an answer.
pub(super) fn raw_id(key: &str, documents: &Documents) -> Option<String> {
    let told = || documents.get(key).map(|row| row.id.clone());
    decode_id(key).map(std::borrow::Cow::into_owned).or_else(told)
}

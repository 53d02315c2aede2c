//! Fetches in bulk: one query a kind of fetch and edge collection, all at once.

use futures_util::future::{try_join, try_join_all, try_join4};
use hashbrown::HashMap;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::fetched::Fetched;
use super::missing::Missing;
use super::names::Keys;
use super::reads::Reads;
use super::rows::{AroundMoment, Count, OfItem, TouchRow, item_key, user_key};
use crate::graph::Collection;
use crate::limits::REMOTE_TIES;
use crate::recommend::Touch;
use crate::store::Failure;
use crate::store::arango::aql;

/// The rows of one edge collection, with its kind.
type OfKind<T> = (u8, Vec<T>);

impl Reads {
    /// Fetches what is missing, and holds it.
    pub(super) async fn fetch(
        &self,
        missing: &Missing,
        fetched: &mut Fetched,
    ) -> Result<(), Failure> {
        let (users, items) = (&fetched.users, &fetched.items);
        let bulk = try_join4(
            self.of_users(missing, users),
            self.of_items(missing, items),
            self.around(missing, users),
            self.degrees(missing, items),
        );
        let ((users, items, moments, degrees), popular) =
            try_join(bulk, self.popular_if(missing.popular)).await?;
        for (user, rows) in users {
            hold_user(fetched, user, missing.users[&user], &rows)?;
        }
        hold_items(fetched, missing, &items)?;
        hold_moments(fetched, missing, &moments)?;
        hold_degrees(fetched, missing, &degrees)?;
        if let Some(popular) = popular {
            let items = popular.iter().map(|(key, _)| fetched.items.intern(key.clone())).collect();
            fetched.hold_popular(items);
        }
        Ok(())
    }

    /// Runs a text over every edge collection at once.
    pub(super) async fn each_kind<T: DeserializeOwned>(
        &self,
        aql: &'static str,
        binds: &Value,
    ) -> Result<Vec<OfKind<T>>, Failure> {
        let queries = self.kinds.iter().map(async |(kind, collection)| {
            let mut binds = binds.clone();
            binds["@edges"] = collection.as_str().into();
            Ok((kind.0, self.database.query(aql, binds).await?))
        });
        try_join_all(queries).await
    }

    async fn of_users(
        &self,
        missing: &Missing,
        known: &Keys,
    ) -> Result<Vec<(u32, Vec<OfKind<Vec<TouchRow>>>)>, Failure> {
        let users = missing.users.iter().map(async |(user, most)| {
            let user_key = handle(Collection::USERS, known, *user);
            let binds = json!({ "user": user_key, "most": most, "ties": REMOTE_TIES });
            Ok((*user, self.each_kind(aql::NEWEST_OF_USER, &binds).await?))
        });
        try_join_all(users).await
    }

    async fn of_items(
        &self,
        missing: &Missing,
        known: &Keys,
    ) -> Result<Vec<OfKind<OfItem>>, Failure> {
        let Some(most) = missing.items.values().max() else { return Ok(Vec::new()) };
        let wanted = missing.items.iter();
        let items: Vec<Value> = wanted
            .map(|(item, most)| json!({ "item": handle(Collection::ITEMS, known, *item), "most": most }))
            .collect();
        let binds = json!({ "items": items, "most": most, "ties": REMOTE_TIES });
        self.each_kind(aql::NEWEST_OF_ITEMS, &binds).await
    }

    async fn around(
        &self,
        missing: &Missing,
        known: &Keys,
    ) -> Result<Vec<OfKind<AroundMoment>>, Failure> {
        let Some(side) = missing.moments.values().max() else { return Ok(Vec::new()) };
        let wanted = missing.moments.keys();
        let moments: Vec<Value> = wanted
            .map(|(user, at)| json!({ "user": handle(Collection::USERS, known, *user), "at": at }))
            .collect();
        let binds = json!({ "moments": moments, "side": side, "ties": REMOTE_TIES });
        self.each_kind(aql::AROUND, &binds).await
    }

    async fn degrees(
        &self,
        missing: &Missing,
        known: &Keys,
    ) -> Result<Vec<OfKind<Count>>, Failure> {
        let Some(cap) = missing.degrees.values().max() else { return Ok(Vec::new()) };
        let wanted = missing.degrees.keys();
        let items: Vec<String> =
            wanted.map(|item| handle(Collection::ITEMS, known, *item)).collect();
        self.each_kind(aql::DEGREES, &json!({ "items": items, "cap": cap })).await
    }
}

/// A document's handle, as edges name their ends.
fn handle(collection: &str, keys: &Keys, of: u32) -> String {
    format!("{collection}/{}", keys.get(of))
}

fn hold_user(
    fetched: &mut Fetched,
    user: u32,
    most: usize,
    rows: &[OfKind<Vec<TouchRow>>],
) -> Result<(), Failure> {
    let mut touches = Vec::new();
    for (kind, rows) in rows {
        for row in rows.iter().flatten() {
            touches.push(fetched.touch_of_user(*kind, row)?);
        }
    }
    fetched.hold_user(user, most, touches);
    Ok(())
}

/// Also an item of which no collection holds anything is held: it is known to have nothing.
fn hold_items(
    fetched: &mut Fetched,
    missing: &Missing,
    rows: &[OfKind<OfItem>],
) -> Result<(), Failure> {
    let mut found: HashMap<u32, Vec<Touch>> = HashMap::new();
    for (kind, rows) in rows {
        for row in rows {
            let item = fetched.items.intern(item_key(&row.item)?.to_owned());
            let touches = found.entry(item).or_default();
            for touch in &row.touches {
                touches.push(fetched.touch_of_item(*kind, touch)?);
            }
        }
    }
    for (item, most) in &missing.items {
        fetched.hold_item(*item, *most, found.remove(item).unwrap_or_default());
    }
    Ok(())
}

fn hold_moments(
    fetched: &mut Fetched,
    missing: &Missing,
    rows: &[OfKind<AroundMoment>],
) -> Result<(), Failure> {
    let mut found: HashMap<(u32, i64), Vec<Touch>> = HashMap::new();
    for (kind, rows) in rows {
        for row in rows {
            let user = fetched.users.intern(user_key(&row.user)?.to_owned());
            let touches = found.entry((user, row.at)).or_default();
            for touch in &row.touches {
                touches.push(fetched.touch_of_user(*kind, touch)?);
            }
        }
    }
    for (moment, side) in &missing.moments {
        fetched.hold_around(*moment, *side, found.remove(moment).unwrap_or_default());
    }
    Ok(())
}

/// Each collection counts up to the cap, so the sum is right up to it.
fn hold_degrees(
    fetched: &mut Fetched,
    missing: &Missing,
    rows: &[OfKind<Count>],
) -> Result<(), Failure> {
    let mut sums: HashMap<u32, u32> = HashMap::new();
    for Count(item, touches) in rows.iter().flat_map(|(_, rows)| rows) {
        let item = fetched.items.intern(item_key(item)?.to_owned());
        let sum = sums.entry(item).or_default();
        *sum = sum.saturating_add(*touches);
    }
    for item in missing.degrees.keys() {
        fetched.hold_degree(*item, sums.get(item).copied().unwrap_or(0));
    }
    Ok(())
}

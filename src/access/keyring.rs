//! All keys as one process knows them, ready to be looked at. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::grant::{Buckets, Holder};
use super::key::Key;
use super::secret_text::{Digest, parts};

/// The keys by id. It is made anew whenever one of them changes.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    keys: HashMap<String, (Key, Arc<Holder>)>,
    /// Origins, each with the moment at which the last key for its pages ends: anybody may ask for a preflight,
    /// so it must not cost a look at every key.
    origins: HashMap<String, i64>,
}

impl Keyring {
    /// Takes the keys there are; what `before` has counted of those that stay goes on counting.
    pub fn new(keys: impl IntoIterator<Item = Key>, before: &Self) -> Self {
        let held = |key: Key| {
            let known = before.keys.get(&key.id).map(|(_, holder)| &holder.buckets);
            let buckets = known
                .filter(|buckets| buckets.rate() == key.rules.rate)
                .cloned()
                .unwrap_or_else(|| Arc::new(Buckets::new(key.rules.rate)));
            let holder = Holder { id: key.id.clone(), rules: key.rules.clone(), buckets };
            (key.id.clone(), (key, Arc::new(holder)))
        };
        let keys: HashMap<_, _> = keys.into_iter().map(held).collect();
        let origins = origins(keys.values().map(|(key, _)| key));
        Self { keys, origins }
    }

    /// Finds who shows a text. An unknown key takes as long as a known one with another secret.
    pub fn find(&self, shown: &str, now_ms: i64) -> Option<&Arc<Holder>> {
        let (id, secret) = parts(shown)?;
        let digest = Digest::of(secret);
        let Some((key, holder)) = self.keys.get(id) else {
            let _ = std::hint::black_box(Digest::NONE.same(&digest));
            return None;
        };
        key.opens(&digest, now_ms).then_some(holder)
    }

    /// Tells whether a valid key is for pages of this origin.
    pub fn allows_origin(&self, origin: &str, now_ms: i64) -> bool {
        self.origins.get(origin).is_some_and(|end_ms| now_ms < *end_ms)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.values().map(|(key, _)| key)
    }
}

fn origins<'k>(keys: impl Iterator<Item = &'k Key>) -> HashMap<String, i64> {
    let mut ends = HashMap::new();
    for key in keys.filter(|key| key.revoked_ms.is_none()) {
        let end_ms = key.expires_ms.unwrap_or(i64::MAX);
        for origin in key.rules.origins.iter().flatten() {
            let known = ends.entry(origin.clone()).or_insert(end_ms);
            *known = end_ms.max(*known);
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::key::{NewKey, Rate, Rules, Scope};

    fn key(rate: Rate) -> (Key, String) {
        let rules = Rules { scopes: [Scope::Write].into(), rate, ..Rules::default() };
        let (key, text) = Key::new(NewKey { name: "n".into(), rules, ..NewKey::default() }, 0);
        (key, text.expose())
    }

    #[test]
    fn only_the_secret_of_a_valid_key_finds_its_holder() {
        let ((a, text), (b, other)) = (key(Rate::default()), key(Rate::default()));
        let revoked = Key { revoked_ms: Some(1), ..b };
        let ring = Keyring::new([a.clone(), revoked], &Keyring::default());
        assert_eq!(ring.find(&text, 5).map(|holder| &holder.id), Some(&a.id));
        let wrong = format!("{text}x");
        for shown in [other.as_str(), "weir_nobody_secret", &wrong, "", "a.b.c"] {
            assert!(ring.find(shown, 5).is_none(), "{shown}");
        }
    }

    #[test]
    fn what_was_sent_counts_on_when_another_key_changes() {
        let (a, text) = key(Rate { events_per_second: Some(1), bytes_per_second: None });
        let first = Keyring::new([a.clone()], &Keyring::default());
        let buckets = |ring: &Keyring| ring.find(&text, 5).expect("it is there").buckets.clone();
        let second = Keyring::new([a.clone(), key(Rate::default()).0], &first);
        assert!(Arc::ptr_eq(&buckets(&first), &buckets(&second)));
        let mut faster = a;
        faster.rules.rate.events_per_second = Some(2);
        assert!(!Arc::ptr_eq(&buckets(&first), &buckets(&Keyring::new([faster], &second))));
    }
}

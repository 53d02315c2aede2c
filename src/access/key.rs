//! A key as it is kept: what it permits, and hashes of what opens it. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::secret_text::{Digest, SecretText};
use crate::limits::{KEY_NAME_BYTES, KEY_RULES};

/// What may be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send events.
    Write,
    /// Read recommendations and histories.
    Read,
    /// Operate.
    Admin,
}

impl Scope {
    /// Returns its name in keys and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// What is kept of the address that an event comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpMode {
    Keep,
    /// The network alone: /24 of IPv4, /48 of IPv6.
    Truncate,
    #[default]
    Drop,
}

/// What of events must not be stored as it was sent. Pointers are RFC 6901, into the event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Privacy {
    pub ip: IpMode,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hash: Vec<String>,
}

/// How much may be sent through one gateway; absent is without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

/// What a key permits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rules {
    pub scopes: BTreeSet<Scope>,
    /// Event types that may be sent; absent is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<BTreeSet<String>>,
    /// Sources that events may be sent for; absent is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<BTreeSet<String>>,
    /// Origins of pages that may use it; absent is everybody, also who is no page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<BTreeSet<String>>,
    pub rate: Rate,
    pub privacy: Privacy,
}

impl Rules {
    pub fn permits_type(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(name))
    }

    pub fn permits_source(&self, name: &str) -> bool {
        self.sources.as_ref().is_none_or(|sources| sources.contains(name))
    }

    /// Returns the source of events that name none, if there is only one that they may have.
    pub fn only_source(&self) -> Option<&str> {
        let sources = self.sources.as_ref().filter(|sources| sources.len() == 1)?;
        sources.first().map(String::as_str)
    }
}

/// One secret of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptSecret {
    pub sha256: Digest,
    pub created_ms: i64,
    /// Until when it opens (exclusive), once another has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

/// A key. Times are epoch milliseconds. A field that is not known may be a restriction that a newer weir has
/// written, so a key that has one is not read at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// 12 of a-z and 2-7.
    pub id: String,
    pub name: String,
    #[serde(flatten)]
    pub rules: Rules,
    pub(super) secrets: Vec<KeptSecret>,
    pub created_ms: i64,
    #[serde(default)]
    pub created_by: String,
    /// Until when it is valid (exclusive).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<i64>,
}

/// What somebody wants a key to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NewKey {
    pub name: String,
    #[serde(flatten)]
    pub rules: Rules,
    /// For how long it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_ms: Option<u64>,
    pub by: String,
}

impl NewKey {
    /// Tells what is wrong with it, as one sentence.
    pub fn check(&self) -> Result<(), String> {
        let Rules { scopes, types, sources, origins, rate, privacy } = &self.rules;
        if self.name.is_empty()
            || self.name.len() > KEY_NAME_BYTES
            || self.name.contains(char::is_control)
        {
            return Err(format!("a key's name has 1 to {KEY_NAME_BYTES} bytes of one line"));
        }
        if scopes.is_empty() {
            return Err("a key needs a scope: write, read or admin".to_owned());
        }
        let sets = [types, sources, origins].into_iter().flatten();
        for set in sets {
            if set.is_empty() || set.len() > KEY_RULES || set.contains("") {
                return Err(format!(
                    "types, sources and origins are lists of 1 to {KEY_RULES} names"
                ));
            }
        }
        if let Some(origin) = origins.iter().flatten().find(|origin| !is_origin(origin)) {
            return Err(format!("{origin} is no origin: write it as https://shop.example"));
        }
        if [rate.events_per_second, rate.bytes_per_second].contains(&Some(0)) {
            return Err("a rate is at least 1 a second".to_owned());
        }
        if privacy.drop.len() + privacy.hash.len() > KEY_RULES {
            return Err(format!("at most {KEY_RULES} fields can be dropped or hashed"));
        }
        let wrong = |pointer: &&String| !can_be_hidden(pointer);
        if let Some(pointer) = privacy.drop.iter().chain(&privacy.hash).find(wrong) {
            return Err(format!(
                "{pointer} cannot be dropped or hashed: name /userId, /value, or a field of /properties or /context"
            ));
        }
        if privacy.drop.iter().any(|pointer| pointer == "/userId") {
            return Err("/userId cannot be dropped, since events need it: hash it".to_owned());
        }
        Ok(())
    }
}

fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b':' | b'[' | b']'))
    })
}

fn can_be_hidden(pointer: &str) -> bool {
    let deep = |root: &str| {
        pointer.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    matches!(pointer, "/userId" | "/value") || deep("/properties") || deep("/context")
}

impl Key {
    /// Makes a key and the text that opens it, which is kept nowhere.
    pub(super) fn new(wanted: NewKey, now_ms: i64) -> (Self, SecretText) {
        let text = SecretText::random();
        let key = Self {
            id: text.id().to_owned(),
            name: wanted.name,
            rules: wanted.rules,
            secrets: vec![KeptSecret {
                sha256: text.digest(),
                created_ms: now_ms,
                expires_ms: None,
            }],
            created_ms: now_ms,
            created_by: wanted.by,
            expires_ms: wanted.lasts_ms.map(|ms| now_ms.saturating_add_unsigned(ms)),
            revoked_ms: None,
        };
        (key, text)
    }

    /// Gives it another secret; those before open for `overlap_ms` more.
    pub(super) fn rotate(&mut self, overlap_ms: u64, now_ms: i64) -> SecretText {
        let text = SecretText::random_of(&self.id);
        let end = now_ms.saturating_add_unsigned(overlap_ms);
        for secret in &mut self.secrets {
            secret.expires_ms = Some(secret.expires_ms.map_or(end, |at| at.min(end)));
        }
        self.secrets.retain(|secret| secret.expires_ms.is_none_or(|at| at > now_ms));
        self.secrets.push(KeptSecret {
            sha256: text.digest(),
            created_ms: now_ms,
            expires_ms: None,
        });
        text
    }

    /// Counts the secrets that open it at a moment.
    pub(super) fn open_secrets(&self, now_ms: i64) -> usize {
        self.secrets.iter().filter(|one| one.expires_ms.is_none_or(|at| now_ms < at)).count()
    }

    /// Tells whether it opens anything at a moment.
    pub fn is_valid(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|at| now_ms < at)
    }

    /// Tells whether a secret of this hash opens it, in a time that does not depend on the answer.
    pub(super) fn opens(&self, shown: &Digest, now_ms: i64) -> bool {
        let mut found = subtle::Choice::from(0);
        for secret in &self.secrets {
            let counts = u8::from(secret.expires_ms.is_none_or(|at| now_ms < at));
            found |= secret.sha256.same(shown) & subtle::Choice::from(counts);
        }
        bool::from(found) & self.is_valid(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::secret_text::parts;

    fn wanted() -> NewKey {
        let rules = Rules { scopes: [Scope::Write].into(), ..Rules::default() };
        NewKey { name: "shop".to_owned(), rules, lasts_ms: Some(1_000), by: "ann".to_owned() }
    }

    #[test]
    fn a_key_is_opened_by_its_secret_until_it_ends() {
        let (key, text) = Key::new(wanted(), 5_000);
        assert!(key.opens(&text.digest(), 5_999));
        assert!(!key.opens(&text.digest(), 6_000));
        assert!(!key.opens(&SecretText::random().digest(), 5_500));
        let revoked = Key { revoked_ms: Some(5_100), ..key };
        assert!(!revoked.opens(&text.digest(), 5_500));
    }

    #[test]
    fn the_older_secret_opens_while_the_overlap_lasts() {
        let (mut key, first) = Key::new(NewKey { lasts_ms: None, ..wanted() }, 0);
        let second = key.rotate(100, 1_000);
        let opens = |key: &Key, text: &SecretText, at| key.opens(&text.digest(), at);
        assert!(opens(&key, &first, 1_099) && opens(&key, &second, 1_000));
        assert!(!opens(&key, &first, 1_100) && opens(&key, &second, 1_100));
        let third = key.rotate(0, 1_200);
        assert!(!opens(&key, &second, 1_200) && opens(&key, &third, 1_200));
        assert_eq!(key.secrets.len(), 1, "what opens nothing is not kept");
    }

    #[test]
    fn what_is_written_down_reads_the_same_and_holds_no_secret() {
        let (key, text) = Key::new(wanted(), 5_000);
        let json = serde_json::to_string(&key).expect("plain data");
        assert_eq!(serde_json::from_str::<Key>(&json).expect("the same"), key);
        let shown = text.expose();
        let (_, secret) = parts(&shown).expect("of our form");
        assert!(!json.contains(secret) && !format!("{key:?}{text:?}").contains(secret));
    }

    #[test]
    fn a_key_with_a_restriction_that_is_not_known_is_not_read() {
        let (key, _) = Key::new(wanted(), 5_000);
        let mut json = serde_json::to_value(&key).expect("plain data");
        for (part, name) in [("", "weekdays"), ("/rate", "perDay"), ("/privacy", "forget")] {
            let mut strange = json.clone();
            let place = strange.pointer_mut(part).and_then(serde_json::Value::as_object_mut);
            place.expect("an object").insert(name.into(), 1.into());
            assert!(serde_json::from_value::<Key>(strange).is_err(), "{part}/{name}");
        }
        json["name"] = "another".into();
        assert!(serde_json::from_value::<Key>(json).is_ok());
    }

    #[test]
    fn wishes_that_cannot_be_kept_are_told() {
        let told = |change: &dyn Fn(&mut NewKey)| {
            let mut key = wanted();
            change(&mut key);
            key.check().err().unwrap_or_default()
        };
        assert_eq!(told(&|_| ()), "");
        assert!(told(&|key| key.name.clear()).contains("name"));
        assert!(told(&|key| key.rules.scopes.clear()).contains("scope"));
        assert!(told(&|key| key.rules.types = Some(BTreeSet::new())).contains("types"));
        let origin = |text: &str| Some([text.to_owned()].into());
        assert!(told(&|key| key.rules.origins = origin("shop.example")).contains("https://"));
        assert_eq!(told(&|key| key.rules.origins = origin("http://localhost:3000")), "");
        assert!(told(&|key| key.rules.rate.bytes_per_second = Some(0)).contains("at least 1"));
        assert!(told(&|key| key.rules.privacy.hash = vec!["/itemId".into()]).contains("/itemId"));
        assert!(told(&|key| key.rules.privacy.drop = vec!["/userId".into()]).contains("hash it"));
        assert_eq!(told(&|key| key.rules.privacy.hash = vec!["/properties/a".into()]), "");
    }
}

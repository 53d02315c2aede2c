//! Document keys: an injective encoding of raw ids, and the hash that names an edge.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest key a store takes, in bytes (inclusive).
const KEY_BYTES: usize = 254;
/// Longest id whose base64url form, with its two bytes of prefix, is still a key.
const BASE64_ID_BYTES: usize = (KEY_BYTES - 2) / 4 * 3;

/// Encodes a raw id as a document key: 1 to 254 bytes of `A-Za-z0-9_-=`, different for different ids.
///
/// The id itself when it has only `A-Za-z0-9_-` and begins with a letter; otherwise `=b` and its
/// base64url; when that is too long, `=h` and the base64url of its BLAKE3 hash.
pub fn encode_id(id: &str) -> Cow<'_, str> {
    if is_plain(id) {
        Cow::Borrowed(id)
    } else if id.len() <= BASE64_ID_BYTES {
        Cow::Owned(format!("=b{}", URL_SAFE_NO_PAD.encode(id)))
    } else {
        Cow::Owned(format!("=h{}", URL_SAFE_NO_PAD.encode(blake3::hash(id.as_bytes()).as_bytes())))
    }
}

/// Reads the raw id out of a key of [`encode_id`]; `None` for what it never gives, and for hashes, which
/// only the document itself can tell.
pub fn decode_id(key: &str) -> Option<Cow<'_, str>> {
    if is_plain(key) {
        return Some(Cow::Borrowed(key));
    }
    let bytes = URL_SAFE_NO_PAD.decode(key.strip_prefix("=b")?).ok()?;
    String::from_utf8(bytes).ok().filter(|id| encode_id(id) == key).map(Cow::Owned)
}

/// Orders two raw ids as their keys are ordered, byte by byte. Plain ids need no keys made.
pub fn compare_by_key(a: &str, b: &str) -> Ordering {
    if is_plain(a) && is_plain(b) { a.cmp(b) } else { encode_id(a).cmp(&encode_id(b)) }
}

fn is_plain(id: &str) -> bool {
    id.len() <= KEY_BYTES
        && id.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Names an edge: a 128-bit hash of event id, source, event type, user and item.
///
/// The event id alone names nothing, as two sources may use `1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeKey(pub [u8; 16]);

impl EdgeKey {
    pub fn new(event_id: &str, source: &str, event_type: &str, user: &str, item: &str) -> Self {
        let mut hasher = Fields::default();
        for part in [event_id, source, event_type, user, item] {
            hasher.push(part);
        }
        Self(hasher.finish())
    }

    /// Reads a key from its text; `None` for any other text.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix("=h")?).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The key's text: `=h` and 22 characters of base64url.
    pub fn text(self) -> String {
        self.with_text(str::to_owned)
    }

    /// Calls `with` with the key's text, which is made without an allocation.
    pub fn with_text<T>(self, with: impl FnOnce(&str) -> T) -> T {
        let mut text = *b"=h0123456789012345678901";
        URL_SAFE_NO_PAD.encode_slice(self.0, &mut text[2..]).expect("16 bytes are 22 characters");
        with(std::str::from_utf8(&text).expect("base64 is ASCII"))
    }

    /// The first four bytes, evenly distributed and in the order of keys: for tables and first comparisons.
    pub fn prefix(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Length-prefixed fields, gathered on the stack and hashed in one go.
#[derive(Default)]
struct Fields {
    hasher: blake3::Hasher,
}

impl Fields {
    fn push(&mut self, part: &str) {
        self.hasher.update(&(part.len() as u32).to_le_bytes());
        self.hasher.update(part.as_bytes());
    }

    fn finish(&self) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&self.hasher.finalize().as_bytes()[..16]);
        key
    }
}

/// The key of a document, before it is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key<'e> {
    /// Of a vertex: its raw id.
    Vertex(&'e str),
    Edge(EdgeKey),
}

impl<'e> Key<'e> {
    pub fn text(&self) -> Cow<'e, str> {
        match self {
            Self::Vertex(id) => encode_id(id),
            Self::Edge(key) => Cow::Owned(key.text()),
        }
    }

    /// Calls `with` with the key's text; of an edge or a plain id it is made without an allocation.
    pub fn with_text<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        match self {
            Self::Vertex(id) => with(&encode_id(id)),
            Self::Edge(key) => key.with_text(with),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Za-z0-9_-]{1,20}",
            "=[bh][A-Za-z0-9_-]{1,20}",
            "\\PC{1,64}",
            "[a-z]{250,256}",
            "[0-9]{186,256}"
        ]
    }

    proptest! {
        #[test]
        fn the_encoding_is_injective(a in ids(), b in ids()) {
            let (key_a, key_b) = (encode_id(&a), encode_id(&b));
            prop_assert_eq!(a == b, key_a == key_b);
            for (id, key) in [(&a, &key_a), (&b, &key_b)] {
                match decode_id(key) {
                    Some(decoded) => prop_assert_eq!(&*decoded, id.as_str()),
                    None => prop_assert!(key.starts_with("=h") && id.len() > BASE64_ID_BYTES),
                }
            }
        }

        #[test]
        fn what_is_no_key_is_not_read_as_one(text in "=?[bh]?[A-Za-z0-9_=.-]{0,40}") {
            if let Some(id) = decode_id(&text) {
                prop_assert_eq!(encode_id(&id), text.as_str());
            }
            if let Some(key) = EdgeKey::from_text(&text) {
                prop_assert_eq!(key.text(), text);
            }
        }

        #[test]
        fn ids_are_ordered_as_their_keys_are(a in ids(), b in ids()) {
            prop_assert_eq!(compare_by_key(&a, &b), encode_id(&a).cmp(&encode_id(&b)));
        }

        #[test]
        fn an_edge_key_comes_back_from_its_text(key in any::<[u8; 16]>(), other in any::<[u8; 16]>()) {
            let (key, other) = (EdgeKey(key), EdgeKey(other));
            prop_assert_eq!(EdgeKey::from_text(&key.text()), Some(key));
            prop_assert!(key.prefix() == other.prefix() || key.prefix().cmp(&other.prefix()) == key.cmp(&other));
        }

        #[test]
        fn every_key_is_one_a_store_takes(id in ids()) {
            let key = encode_id(&id);
            prop_assert!((1..=KEY_BYTES).contains(&key.len()));
            prop_assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-=".contains(&b)));
            prop_assert!(key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '='));
        }

        #[test]
        fn fields_of_an_edge_key_do_not_run_into_each_other(a in "[a-c]{0,3}", b in "[a-c]{0,3}", c in "[a-c]{0,3}", d in "[a-c]{0,3}") {
            prop_assert_eq!(
                (&a, &b) == (&c, &d),
                EdgeKey::new(&a, &b, "viewed", "u", "i") == EdgeKey::new(&c, &d, "viewed", "u", "i")
            );
        }
    }

    #[test]
    fn the_form_of_keys_does_not_change() {
        let long = "ü".repeat(100);
        let keys = ["u789", "42", "a:b", "=b", "naïve", long.as_str()]
            .map(|id| encode_id(id).into_owned());
        insta::assert_debug_snapshot!((keys, EdgeKey::new("1", "shop", "viewed", "u", "i").text()));
    }
}

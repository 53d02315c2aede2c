//! The text that opens a key, and its hash: `weir_<id>_<secret>`. Pure, but for making one.
//!
//! A secret is 32 random bytes, so one SHA-256 is enough to keep it by: there is nothing to guess that a
//! slow hash would make slower.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

const PREFIX: &str = "weir_";
const ID_LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const ID_LENGTH: usize = 12;
const SECRET_BYTES: usize = 32;

/// SHA-256 of a secret; as text, hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

/// What a key's owner shows. No Debug tells it.
#[derive(Clone)]
pub(super) struct SecretText {
    id: String,
    secret: String,
}

impl Digest {
    /// What nothing opens: compared where there is no key, so that both take the same time.
    pub const NONE: Self = Self([0; 32]);

    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Compares in constant time.
    pub fn same(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl SecretText {
    /// Makes one with an id of its own.
    pub fn random() -> Self {
        let letters = random::<ID_LENGTH>().map(|byte| ID_LETTERS[usize::from(byte & 31)]);
        Self::random_of(std::str::from_utf8(&letters).expect("letters are ASCII"))
    }

    /// Makes another of the same id.
    pub fn random_of(id: &str) -> Self {
        let secret = URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>());
        Self { id: id.to_owned(), secret }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.secret)
    }

    /// The text itself, for the one who asked for the key.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }
}

/// Splits a shown text into id and secret; `None` for a text of another form.
pub(super) fn parts(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (!id.is_empty() && !secret.is_empty()).then_some((id, secret))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}_(hidden)", self.id)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(a hash)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(*hash.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_splits_into_what_it_was_made_of() {
        for _ in 0..50 {
            let text = SecretText::random();
            let shown = text.expose();
            let (id, secret) = parts(&shown).expect("of our form");
            assert_eq!((id, secret.len()), (text.id(), 43));
            assert!(bool::from(Digest::of(secret).same(&text.digest())));
        }
        for other in ["", "weir_", "weir_a", "weir__b", "weir_a_", "abc.def.ghi", "Weir_a_b"] {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}

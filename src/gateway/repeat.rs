//! Requests that are sent again: ids that follow from what the sender calls the request. Pure.

use uuid::Builder;

/// Makes the ids of a request's events from its `Idempotency-Key`.
///
/// The same key, value and place give the same id on every gateway, so the merge rule counts an event once
/// however often and wherever its request is sent.
#[derive(Debug, Clone)]
pub struct Repeat {
    base: blake3::Hasher,
}

impl Repeat {
    /// Two senders may use one value: the id of the key that they show keeps them apart.
    pub fn new(key_id: Option<&str>, value: &str) -> Self {
        let mut base = blake3::Hasher::new_derive_key("weir 2026 event ids of a repeated request");
        let key_id = key_id.unwrap_or_default();
        base.update(&(key_id.len() as u64).to_le_bytes());
        base.update(key_id.as_bytes());
        base.update(value.as_bytes());
        Self { base }
    }

    /// Returns the id of the event at this place, from 0, as a UUID of version 8.
    pub fn id(&self, index: usize) -> String {
        let mut hasher = self.base.clone();
        hasher.update(&[0]);
        hasher.update(&(index as u64).to_le_bytes());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_key_value_and_place_and_from_nothing_else() {
        let id = |key, value, index| Repeat::new(key, value).id(index);
        assert_eq!(id(Some("k"), "a", 3), id(Some("k"), "a", 3));
        let all = [
            id(Some("k"), "a", 3),
            id(Some("k"), "a", 4),
            id(Some("k"), "b", 3),
            id(Some("l"), "a", 3),
            id(None, "a", 3),
            id(None, "ka", 3),
            id(Some("ka"), "", 3),
        ];
        let different: std::collections::HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(uuid::Uuid::parse_str(&all[0]).expect("a UUID").get_version_num(), 8);
    }
}

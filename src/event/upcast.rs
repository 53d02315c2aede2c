//! Events of older schemas, lifted to the current one where they are read.
//!
//! The log is never rewritten. An event says its schema in `schemaVersion`; absent means 1.
//! Step `n` lifts schema `n` to `n + 1`, and the current schema is one more than there are steps.

use serde_json::{Map, Value};

/// Lifts one event by one schema version. Pure: the same event gives the same result, always.
pub type Upcaster = fn(Map<String, Value>) -> Map<String, Value>;

/// The schema that this version of the product writes.
pub const CURRENT_SCHEMA: u32 = 1;

/// All steps from schema 1 to the current one.
#[derive(Debug, Clone, Default)]
pub struct Upcasters(Vec<Upcaster>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpcastError {
    #[error("is of schema {found}, newer than {current}: upgrade this reader first")]
    Newer { found: u32, current: u32 },
    #[error("is no schema version: a whole number from 1")]
    Invalid,
}

impl Upcasters {
    /// The steps of this version of the product.
    pub fn shipped() -> Self {
        let all = Self(Vec::new());
        debug_assert_eq!(all.current(), CURRENT_SCHEMA);
        all
    }

    pub fn of(steps: Vec<Upcaster>) -> Self {
        Self(steps)
    }

    pub fn current(&self) -> u32 {
        self.0.len() as u32 + 1
    }

    /// Lifts an event from schema `found` to the current one.
    pub fn lift(
        &self,
        found: u32,
        event: Map<String, Value>,
    ) -> Result<Map<String, Value>, UpcastError> {
        let current = self.current();
        if found == 0 {
            return Err(UpcastError::Invalid);
        }
        if found > current {
            return Err(UpcastError::Newer { found, current });
        }
        let mut lifted = self.0[found as usize - 1..].iter().fold(event, |event, step| step(event));
        lifted.insert("schemaVersion".to_owned(), current.into());
        Ok(lifted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rename(mut event: Map<String, Value>) -> Map<String, Value> {
        if let Some(user) = event.remove("customer") {
            event.insert("userId".to_owned(), user);
        }
        event
    }

    fn tag(mut event: Map<String, Value>) -> Map<String, Value> {
        event.insert("source".to_owned(), json!("shop"));
        event
    }

    #[test]
    fn every_step_from_the_events_schema_on_is_taken() {
        let upcasters = Upcasters::of(vec![rename, tag]);
        let event = |value: Value| value.as_object().cloned().expect("object");
        let lifted = upcasters.lift(1, event(json!({"customer": "u"}))).expect("lifts");
        assert_eq!(
            Value::Object(lifted),
            json!({"userId": "u", "source": "shop", "schemaVersion": 3})
        );
        let lifted = upcasters.lift(2, event(json!({"customer": "u"}))).expect("lifts");
        assert_eq!(
            Value::Object(lifted),
            json!({"customer": "u", "source": "shop", "schemaVersion": 3})
        );
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let upcasters = Upcasters::shipped();
        assert_eq!(upcasters.lift(2, Map::new()), Err(UpcastError::Newer { found: 2, current: 1 }));
        assert_eq!(upcasters.lift(0, Map::new()), Err(UpcastError::Invalid));
    }
}

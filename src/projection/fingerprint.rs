//! Which projection made a graph.

use std::fmt;

use crate::event::{EventTypes, Kind, Upcasters};
use crate::limits;

/// Raised whenever this version of the code projects an event differently than the one before.
const CODE_VERSION: u32 = 2;

/// A hash of all that puts depend on besides the event: code, types, upcasters, validity limits.
///
/// A graph made under another fingerprint is rebuilt, never added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    pub fn of(types: &EventTypes, upcasters: &Upcasters) -> Self {
        let mut text = format!(
            "projection {CODE_VERSION}\nschema {}\nlimits {} {} {} {} {} {}\n",
            upcasters.current(),
            limits::ID_BYTES,
            limits::PROPERTY_DEPTH,
            limits::PROPERTY_KEYS,
            limits::PROPERTY_KEY_BYTES,
            limits::ORDER_LINES,
            limits::EVENT_BYTES,
        );
        for (_, spec) in types.iter() {
            let meaning = match &spec.kind {
                Kind::Interaction { collection } => format!("interaction {collection}"),
                Kind::Retraction { of } => format!("retraction {}", types.spec(*of).name),
                Kind::UserProfile => "user_profile".to_owned(),
                Kind::ItemProfile => "item_profile".to_owned(),
                Kind::UserOnly => "user_only".to_owned(),
            };
            text.extend([&spec.name, " ", &meaning, "\n"]);
            // Only where there are any, so that types without keep the fingerprint that they have.
            for alias in &spec.aliases {
                text.extend(["alias ", alias, "\n"]);
            }
        }
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
        Self(fingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Declared;

    #[test]
    fn follows_from_meaning_and_not_from_weights() {
        let upcasters = Upcasters::shipped();
        let of = |change: &dyn Fn(&mut Vec<(String, Declared, f64)>)| {
            let mut types = EventTypes::builtin_declarations();
            change(&mut types);
            Fingerprint::of(&EventTypes::new(types).expect("valid"), &upcasters)
        };
        let shipped = of(&|_| ());
        assert_eq!(shipped, of(&|types| types[0].2 = 9.0));
        assert_ne!(shipped, of(&|types| types.retain(|(name, ..)| name != "searched")));
        assert_ne!(
            shipped,
            of(&|types| types[0].1 = Declared::Interaction { collection: "views".to_owned() })
        );
    }

    #[test]
    fn follows_from_aliases_since_messages_may_use_them() {
        let of = |name: &str, aliases: &[&str]| {
            let aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
            let types = EventTypes::builtin().with_aliases([(name.to_owned(), aliases)]);
            Fingerprint::of(&types.expect("valid"), &Upcasters::shipped())
        };
        let shipped = Fingerprint::of(&EventTypes::builtin(), &Upcasters::shipped());
        assert_eq!(shipped, of("viewed", &[]));
        assert_ne!(shipped, of("viewed", &["seen"]));
        assert_ne!(of("liked", &["seen"]), of("viewed", &["seen"]));
        assert_eq!(of("viewed", &["seen", "Watched"]), of("viewed", &["watched", "seen"]));
    }
}

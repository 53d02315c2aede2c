//! From the claims of a token to what it permits. Pure.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::access::key::{Rules, Scope};

/// A text or a list of texts, as issuers differ.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// The words; one text may hold several, with spaces between (RFC 8693, 4.2).
    fn words(&self) -> Vec<&str> {
        match self {
            Self::One(text) => text.split_ascii_whitespace().collect(),
            Self::Many(all) => all.iter().map(String::as_str).collect(),
        }
    }
}

/// What is read of a token beside issuer, audience and times, which are checked before.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    sub: String,
    /// Seconds since the epoch.
    pub exp: f64,
    scope: Option<OneOrMany>,
    scp: Option<OneOrMany>,
    weir_types: Option<OneOrMany>,
    weir_sources: Option<OneOrMany>,
}

impl Claims {
    /// Returns who the token is for.
    pub fn subject(&self) -> &str {
        &self.sub
    }

    /// Returns what it permits: the scopes are `weir:write`, `weir:read` and `weir:admin`, others are not ours.
    pub fn rules(&self) -> Rules {
        let scopes = [&self.scope, &self.scp].into_iter().flatten().flat_map(OneOrMany::words);
        let set = |claim: &Option<OneOrMany>| -> Option<BTreeSet<String>> {
            Some(claim.as_ref()?.words().into_iter().map(str::to_owned).collect())
        };
        Rules {
            scopes: scopes.filter_map(scope).collect(),
            types: set(&self.weir_types),
            sources: set(&self.weir_sources),
            ..Rules::default()
        }
    }
}

fn scope(word: &str) -> Option<Scope> {
    match word {
        "weir:write" => Some(Scope::Write),
        "weir:read" => Some(Scope::Read),
        "weir:admin" => Some(Scope::Admin),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_types_and_sources_are_read_in_both_forms() {
        let rules = |claims: serde_json::Value| {
            serde_json::from_value::<Claims>(claims).expect("claims").rules()
        };
        let told = rules(
            json!({"exp": 1, "sub": "s", "scope": "openid weir:write", "weir_types": ["viewed"]}),
        );
        assert_eq!(told.scopes, [Scope::Write].into());
        assert!(told.permits_type("viewed") && !told.permits_type("liked"));
        let told = rules(
            json!({"exp": 1, "scp": ["weir:read", "weir:admin"], "weir_sources": "shop app"}),
        );
        assert_eq!(told.scopes, [Scope::Read, Scope::Admin].into());
        assert!(told.permits_source("app") && !told.permits_source("till"));
        assert!(rules(json!({"exp": 1, "scope": "weir:everything"})).scopes.is_empty());
    }
}

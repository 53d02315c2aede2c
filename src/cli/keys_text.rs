//! Keys as people and machines read them. Nothing of a secret is among it.

use serde::Serialize;

use super::table::table;
use crate::access::{Key, Rules};
use crate::event::format_ms;

/// One key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    pub id: String,
    pub name: String,
    /// `valid`, `revoked` or `expired`.
    pub state: &'static str,
    #[serde(flatten)]
    pub rules: Rules,
    pub created: String,
    pub created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

impl KeyView {
    pub fn of(key: &Key, now_ms: i64) -> Self {
        let state = match (key.is_valid(now_ms), key.revoked_ms) {
            (true, _) => "valid",
            (false, Some(_)) => "revoked",
            (false, None) => "expired",
        };
        Self {
            id: key.id.clone(),
            name: key.name.clone(),
            state,
            rules: key.rules.clone(),
            created: format_ms(key.created_ms),
            created_by: key.created_by.clone(),
            expires: key.expires_ms.map(format_ms),
            revoked: key.revoked_ms.map(format_ms),
        }
    }
}

/// Renders keys as a table.
pub fn keys_table(views: &[KeyView]) -> String {
    if views.is_empty() {
        return "there is no key: weir keys create makes one\n".to_owned();
    }
    let names = |set: &Option<std::collections::BTreeSet<String>>| {
        set.as_ref().map_or_else(
            || "all".to_owned(),
            |set| set.iter().map(String::as_str).collect::<Vec<_>>().join(","),
        )
    };
    let head =
        ["KEY", "NAME", "STATE", "SCOPES", "TYPES", "SOURCES", "ORIGINS", "EVENTS/S", "EXPIRES"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(views.iter().map(|view| {
        let scopes: Vec<&str> = view.rules.scopes.iter().map(|scope| scope.name()).collect();
        let rate = view.rules.rate.events_per_second;
        [
            view.id.clone(),
            view.name.clone(),
            view.state.to_owned(),
            scopes.join(","),
            names(&view.rules.types),
            names(&view.rules.sources),
            names(&view.rules.origins),
            rate.map_or_else(|| "-".to_owned(), |rate| rate.to_string()),
            view.expires.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    table(&rows, &(7..8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Rate, Scope};

    #[test]
    fn keys_are_a_table_and_json() {
        let shop = KeyView {
            id: "mzxw6ytboi4q".into(),
            name: "shop".into(),
            state: "valid",
            rules: Rules {
                scopes: [Scope::Write].into(),
                types: Some(["viewed".to_owned(), "liked".to_owned()].into()),
                rate: Rate { events_per_second: Some(500), bytes_per_second: None },
                ..Rules::default()
            },
            created: "2026-05-04T10:00:00.000Z".into(),
            created_by: "ann".into(),
            expires: Some("2026-08-04T10:00:00.000Z".into()),
            revoked: None,
        };
        let operators = KeyView {
            name: "operators".into(),
            rules: Rules { scopes: [Scope::Read, Scope::Admin].into(), ..Rules::default() },
            expires: None,
            ..shop.clone()
        };
        let json = serde_json::to_value(&shop).expect("plain data");
        insta::assert_snapshot!(format!(
            "{}----\n{}----\n{json:#}",
            keys_table(&[shop, operators]),
            keys_table(&[])
        ));
    }
}

//! What a read may ask for, and the errors it gets when it asks for something else. Pure.

use std::collections::BTreeMap;

use http::StatusCode;

use crate::event::{EventTime, EventTypes, Id, Kind, TypeIndex};
use crate::graph::EdgeKey;
use crate::http::{Problem, ProblemError};
use crate::limits::{HISTORY_DEFAULT, READ_LIMIT, RECOMMEND_DEFAULT};
use crate::recommend::Exclude;
use crate::store::HistoryCursor;

type Given = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserParams {
    pub limit: usize,
    pub exclude: Exclude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemParams {
    pub limit: usize,
    pub of: Option<TypeIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryParams {
    pub limit: usize,
    pub of: Option<TypeIndex>,
    pub before: Option<HistoryCursor>,
}

impl UserParams {
    pub fn parse(given: Given) -> Result<Self, Problem> {
        let mut params = Params::new(given);
        let limit = params.limit(RECOMMEND_DEFAULT);
        let exclude = params.take(
            "exclude",
            |text| match text {
                "seen" => Some(Exclude::Seen),
                "purchased" => Some(Exclude::Purchased),
                "none" => Some(Exclude::None),
                _ => None,
            },
            || "must be seen, purchased or none".to_owned(),
        );
        params.finish()?;
        Ok(Self { limit, exclude: exclude.unwrap_or_default() })
    }
}

impl ItemParams {
    pub fn parse(given: Given, types: &EventTypes) -> Result<Self, Problem> {
        let mut params = Params::new(given);
        let limit = params.limit(RECOMMEND_DEFAULT);
        let of = params.interaction(types);
        params.finish()?;
        Ok(Self { limit, of })
    }
}

impl HistoryParams {
    pub fn parse(given: Given, types: &EventTypes) -> Result<Self, Problem> {
        let mut params = Params::new(given);
        let limit = params.limit(HISTORY_DEFAULT);
        let of = params.interaction(types);
        let detail = || "must be the next of an earlier answer, RFC 3339, or an epoch".to_owned();
        let before = params.take("before", parse_cursor, detail);
        params.finish()?;
        Ok(Self { limit, of, before })
    }
}

/// Writes a place in a history as `before` takes it.
pub fn format_cursor(cursor: HistoryCursor) -> String {
    let key = cursor
        .key
        .map_or_else(String::new, |EdgeKey(bytes)| format!("-{:032x}", u128::from_be_bytes(bytes)));
    format!("{}{key}", cursor.at_ms)
}

fn parse_cursor(text: &str) -> Option<HistoryCursor> {
    if let Some((at_ms, key)) = text.rsplit_once('-')
        && key.len() == 32
        && let (Ok(at_ms), Ok(key)) = (at_ms.parse(), u128::from_str_radix(key, 16))
    {
        return Some(HistoryCursor { at_ms, key: Some(EdgeKey(key.to_be_bytes())) });
    }
    EventTime::parse(text).ok().map(|at| HistoryCursor { at_ms: at.ms(), key: None })
}

/// An id from a path.
pub(super) fn path_id(text: String, name: &str) -> Result<Id<'static>, Problem> {
    Id::new(text).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_id", format!("the {name} {error}"))
    })
}

/// Parameters that were not looked at yet, and what is wrong with those that were.
struct Params {
    given: Given,
    errors: Vec<ProblemError>,
}

impl Params {
    fn new(given: Given) -> Self {
        Self { given, errors: Vec::new() }
    }

    fn take<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        detail: impl FnOnce() -> String,
    ) -> Option<T> {
        let text = self.given.remove(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.note(name, "invalid_parameter", &detail());
        }
        value
    }

    fn limit(&mut self, default: usize) -> usize {
        let parse = |text: &str| text.parse().ok().filter(|limit| (1..=READ_LIMIT).contains(limit));
        self.take("limit", parse, || format!("must be a whole number from 1 to {READ_LIMIT}"))
            .unwrap_or(default)
    }

    fn interaction(&mut self, types: &EventTypes) -> Option<TypeIndex> {
        let is_edge =
            |index: &TypeIndex| matches!(types.spec(*index).kind, Kind::Interaction { .. });
        let names = || {
            let names: Vec<&str> = types
                .iter()
                .filter(|(index, _)| is_edge(index))
                .map(|(_, spec)| spec.name.as_str())
                .collect();
            format!("must be an interaction type: {}", names.join(", "))
        };
        self.take("type", |text| types.find(text).filter(is_edge), names)
    }

    fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.given).into_keys() {
            let shown: String = name.chars().filter(char::is_ascii_graphic).take(40).collect();
            self.note(&shown, "unknown_parameter", "is not a parameter of this route");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            "a query parameter is not right; errors tells which",
        )
        .errors(self.errors))
    }

    fn note(&mut self, name: &str, code: &'static str, detail: &str) {
        let detail = format!("{name} {detail}");
        self.errors.push(ProblemError { code, detail, ..ProblemError::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn given(pairs: &[(&str, &str)]) -> Given {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn defaults_hold_where_nothing_is_asked() {
        let types = EventTypes::builtin();
        assert_eq!(
            UserParams::parse(given(&[])).expect("valid"),
            UserParams { limit: 10, exclude: Exclude::Seen }
        );
        let history =
            HistoryParams::parse(given(&[("type", "Purchased"), ("limit", "1000")]), &types)
                .expect("valid");
        assert_eq!((history.limit, history.of), (1000, types.find("purchased")));
    }

    #[test]
    fn wrong_parameters_are_refused() {
        let types = EventTypes::builtin();
        for pairs in [
            [("limit", "0")],
            [("limit", "1001")],
            [("limit", "x")],
            [("type", "item_profile")],
            [("before", "then")],
            [("exclude", "all")],
        ] {
            assert!(HistoryParams::parse(given(&pairs), &types).is_err(), "{pairs:?}");
        }
        assert!(UserParams::parse(given(&[("exclude", "all")])).is_err());
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back(at_ms in 631_152_000_000i64..3_155_760_000_000, key in any::<[u8; 16]>()) {
            let cursor = HistoryCursor { at_ms, key: Some(EdgeKey(key)) };
            prop_assert_eq!(parse_cursor(&format_cursor(cursor)), Some(cursor));
        }
    }

    #[test]
    fn a_moment_is_a_cursor_too() {
        let moment = Some(HistoryCursor { at_ms: 1_700_000_000_000, key: None });
        assert_eq!(parse_cursor("2023-11-14T22:13:20Z"), moment);
        assert_eq!(parse_cursor("1700000000000"), moment);
    }
}

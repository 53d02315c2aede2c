//! The JSON of reads.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::schema::Object;

use super::params::format_cursor;
use super::serving::{About, Source};
use crate::describe::one_of;
use crate::event::{EventTypes, format_ms};
use crate::http::json;
use crate::store::{HistoryPage, Recommended};

/// What an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Basis {
    /// What this user, or the users of this item, did.
    History,
    /// Nothing is known of this one: what is popular.
    Popular,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recommendations<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    basis: Basis,
    items: Vec<Item<'a>>,
    generation: &'a str,
    #[schema(schema_with = source)]
    source: &'static str,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    item_id: &'a str,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    attrs: Option<&'a Map<String, Value>>,
    /// The items that led to this one; empty for what is only popular.
    because: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    popular: bool,
    /// How many users have both, where the question was for an item.
    #[serde(skip_serializing_if = "Option::is_none")]
    support: Option<u32>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct History<'a> {
    user_id: &'a str,
    events: Vec<HistoryEvent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    generation: &'a str,
    #[schema(schema_with = source)]
    source: &'static str,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct HistoryEvent<'a> {
    event_id: &'a str,
    item_id: &'a str,
    event_type: &'a str,
    timestamp: String,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

fn source() -> Object {
    one_of(Source::ALL.iter().map(|source| source.name()))
}

pub(super) fn recommendations(
    about: About<'_>,
    basis: Basis,
    found: &[Recommended],
    generation: &str,
    source: Source,
) -> Response {
    let items = found.iter().map(|item| Item {
        item_id: &item.item_id,
        score: item.score,
        attrs: item.attrs.as_ref(),
        because: &item.because,
        popular: item.popular,
        support: item.support,
    });
    let (user_id, item_id) = match about {
        About::User(user) => (Some(user), None),
        About::Item(item) => (None, Some(item)),
    };
    let items = items.collect();
    let source = source.name();
    json(StatusCode::OK, &Recommendations { user_id, item_id, basis, items, generation, source })
}

pub(super) fn history(
    user: &str,
    page: &HistoryPage,
    types: &EventTypes,
    generation: &str,
    source: Source,
) -> Response {
    let events = page.entries.iter().map(|entry| HistoryEvent {
        event_id: &entry.event_id,
        item_id: &entry.item,
        event_type: &types.spec(entry.event_type).name,
        timestamp: format_ms(entry.at_ms),
        source: &entry.source,
        value: entry.value,
    });
    json(
        StatusCode::OK,
        &History {
            user_id: user,
            events: events.collect(),
            next: page.next.map(format_cursor),
            generation,
            source: source.name(),
        },
    )
}

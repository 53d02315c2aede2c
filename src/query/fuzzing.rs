//! Laws of the parameters of reads, for any bytes.

use std::collections::BTreeMap;

use axum::extract::Query;
use http::{StatusCode, Uri};

use super::params::{HistoryParams, ItemParams, UserParams, format_cursor, path_id};
use crate::event::EventTypes;
use crate::http::Problem;
use crate::limits::READ_LIMIT;

type Given = BTreeMap<String, String>;

/// A query is refused as the client's mistake, or taken; and what is taken can be asked for in one way.
pub(crate) fn parameters(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = path_id(text.to_owned(), "user id").map_err(|problem| refused(&problem));
    let Ok(uri) = format!("http://weir/history/user/u?{text}").parse::<Uri>() else { return };
    let Ok(Query(given)) = Query::<Given>::try_from_uri(&uri) else { return };
    let types = EventTypes::builtin();
    match HistoryParams::parse(given.clone(), &types) {
        Ok(params) => is_asked_for_in_one_way(params, &types),
        Err(problem) => refused(&problem),
    }
    match UserParams::parse(given.clone()) {
        Ok(params) => assert!((1..=READ_LIMIT).contains(&params.limit)),
        Err(problem) => refused(&problem),
    }
    match ItemParams::parse(given, &types) {
        Ok(params) => assert!((1..=READ_LIMIT).contains(&params.limit)),
        Err(problem) => refused(&problem),
    }
}

fn is_asked_for_in_one_way(params: HistoryParams, types: &EventTypes) {
    assert!((1..=READ_LIMIT).contains(&params.limit));
    let mut given = Given::from([("limit".to_owned(), params.limit.to_string())]);
    if let Some(of) = params.of {
        given.insert("type".to_owned(), types.spec(of).name.clone());
    }
    if let Some(before) = params.before {
        given.insert("before".to_owned(), format_cursor(before));
    }
    let again = HistoryParams::parse(given, types);
    assert_eq!(again.expect("a canonical query is taken"), params);
}

fn refused(problem: &Problem) {
    assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
}

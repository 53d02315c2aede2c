//! Every shipped text of AQL is what the server, and the rules for such texts, want.

use std::collections::BTreeSet;

use reqwest::Client;
use serde_json::{Value, json};
use weir::store::arango::aql;

use super::server::{Access, Kept, real};
use crate::support::arango::queries::{Token, parse, tokens};

#[test]
fn the_texts_do_not_change_unseen() {
    for (name, text, _) in aql::ALL {
        insta::assert_snapshot!(format!("aql_{name}"), text);
    }
}

#[test]
fn texts_hold_only_what_is_known_to_be_right() {
    for (name, text, _) in aql::ALL {
        parse(text).unwrap_or_else(|problem| panic!("{name}: {problem}"));
    }
}

#[test]
fn binds_that_are_used_and_given_agree() {
    for (name, text, given) in aql::ALL {
        let used = tokens(text).unwrap().into_iter().filter_map(|token| match token {
            Token::Bind(bind) => Some(bind),
            Token::CollectionBind(bind) => Some(format!("@{bind}")),
            _ => None,
        });
        let used: BTreeSet<String> = used.collect();
        assert_eq!(used, given.iter().map(|bind| (*bind).to_owned()).collect(), "{name}");
    }
}

/// Each expansion of edges is bounded, and leaves out what was taken back.
#[test]
fn every_look_at_edges_has_a_limit_and_a_time() {
    for (name, text, _) in aql::ALL.iter().filter(|(_, text, _)| text.contains("@@edges")) {
        for look in text.split("FOR e IN @@edges").skip(1) {
            let end = look.find("RETURN").expect("each returns something");
            let (filter, limit) = (look[..end].find("e.ts"), look[..end].find("LIMIT"));
            assert!(filter.is_some() && filter < limit, "{name}: {}", &look[..end]);
        }
    }
}

#[test]
fn the_check_finds_what_it_is_for() {
    let refused = [
        ("FOR e IN @@edges RETURN e;", "a sign"),
        ("FOR e IN @@edges RETURN e._key + 1", "a sign"),
        ("FOR e IN viewed RETURN e", "cannot be seen"),
        ("RETURN LENGTH(users)", "cannot be seen"),
        ("FOR e IN @@edges LIMIT e.n RETURN e", "LIMIT takes"),
        ("FOR e IN @@edges LIMIT LENGTH(@x) RETURN e", "LIMIT takes"),
        ("FOR e IN @@edges COLLECT a = e.a WITH COUNT INTO n RETURN e", "cannot be seen"),
        ("RETURN DOCUMENT(@id)", "DOCUMENT"),
        ("FOR v IN OUTBOUND @a GRAPH @g RETURN v", "OUTBOUND"),
        ("WITH users FOR e IN @@edges RETURN e", "WITH"),
        ("FOR e IN @@edges LET e = 1 RETURN e", "twice"),
        ("FOR e IN @@edges FILTER e.a = 1 RETURN e", "="),
        ("LET x = (RETURN 1)", "clause"),
    ];
    for (text, problem) in refused {
        let told = parse(text).expect_err(text);
        assert!(told.contains(problem), "{text}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_parses_every_text() {
    let kept = Kept::new();
    let store = kept.store().await;
    let Access { url, user, password } = &kept.access;
    let url = format!("{url}/_db/{}/_api/query", store.database().name());
    for (name, text, binds) in aql::ALL {
        let request = Client::new().post(&url).basic_auth(user, Some(password.expose()));
        let answer = request.json(&json!({ "query": text })).send().await.unwrap();
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(status, 200, "{name}: {told}");
        let named = told["bindVars"].as_array().unwrap().iter().map(|bind| bind.as_str().unwrap());
        let named: BTreeSet<&str> = named.collect();
        assert_eq!(named, binds.iter().copied().collect(), "{name}");
    }
}

/// Values of the right kinds for all bind parameters.
fn sample(bind: &str, name: &str) -> Value {
    match (bind, name) {
        ("@edges" | "@collection", _) => json!("viewed"),
        ("@items", _) => json!("items"),
        ("user", _) => json!("users/u"),
        ("items", "newest_of_items") => json!([{ "item": "items/i", "most": 2 }]),
        ("items", _) => json!(["items/i"]),
        ("moments", _) => json!([{ "user": "users/u", "at": 5 }]),
        ("keys", _) => json!(["i"]),
        ("after", _) => json!(""),
        ("before", _) => json!(9_000_000_000_000_i64),
        _ => json!(2),
    }
}

/// Needs the server itself: what its optimizer makes of the texts.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_plans_look_at_edges_through_indexes_alone() {
    if real().is_none() {
        println!("needs WEIR_TEST_ARANGO_URL: the stand-in has no optimizer");
        return;
    }
    let kept = Kept::new();
    let store = kept.store().await;
    let Access { url, user, password } = &kept.access;
    let url = format!("{url}/_db/{}/_api/explain", store.database().name());
    for (name, text, binds) in aql::ALL {
        let values: serde_json::Map<String, Value> =
            binds.iter().map(|bind| ((*bind).to_owned(), sample(bind, name))).collect();
        let request = Client::new().post(&url).basic_auth(user, Some(password.expose()));
        let body = json!({ "query": text, "bindVars": values });
        let told: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
        let plan = told["plan"].to_string();
        assert!(
            !plan.contains("\"EnumerateCollectionNode\""),
            "{name} reads a whole collection: {told}"
        );
        let sorts = text.contains("SORT e.ts") && plan.contains("\"SortNode\"");
        assert!(!sorts, "{name} sorts before it limits: {told}");
        assert!(told["plan"].is_object(), "{name}: {told}");
    }
}

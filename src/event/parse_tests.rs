//! What producers may send, and what each gets to hear.

use super::*;
use crate::event::{Defaults, Event, EventTime, Parsed, ReceivedFrom, write_event};
use proptest::prelude::*;

fn parser() -> Parser {
    Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped())
}

fn issues(json: &str) -> String {
    match parser().parse(json.as_bytes(), None) {
        Ok(draft) => format!("valid: {draft:?}"),
        Err(ParseError::Invalid(issues)) => issues
            .iter()
            .map(|issue| format!("{} {} {}", issue.pointer, issue.code, issue.detail))
            .collect::<Vec<_>>()
            .join("; "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_smallest_event_is_three_fields() {
    let parser = parser();
    let draft = parser
        .parse(br#"{"userId":"u789","itemId":456,"eventType":"purchased"}"#, None)
        .expect("valid");
    assert_eq!(draft.user, Some(Id::new("u789").expect("id")));
    assert_eq!(draft.item, Some(Id::new("456").expect("id")));
    assert_eq!(parser.types().spec(draft.event_type).name, "purchased");
    assert_eq!((draft.id, draft.at, draft.source), (None, None, None));
}

#[test]
fn aliases_and_spellings_mean_the_same() {
    let canonical = r#"{"userId":"u","itemId":"i","eventType":"added_to_cart","eventId":"e","timestamp":1700000000000}"#;
    let parser = parser();
    let expected = parser.parse(canonical.as_bytes(), None).expect("valid");
    for other in [
        r#"{"user_id":"u","product_id":"i","event":"Added To Cart","messageId":"e","time":1700000000}"#,
        r#"{"distinct_id":"u","sku":"i","type":"ADDED-TO-CART","$insert_id":"e","eventTime":"2023-11-14T22:13:20Z"}"#,
        r#"{"userId":"u","user_id":"u","itemId":"i","eventType":"added_to_cart","eventId":"e","timestamp":1700000000000000,"value":null}"#,
    ] {
        assert_eq!(parser.parse(other.as_bytes(), None).as_ref(), Ok(&expected), "{other}");
    }
}

#[test]
fn what_is_wrong_is_told_precisely_and_at_once() {
    let deep = format!(
        r#"{{"userId":"u","itemId":"i","eventType":"viewed","properties":{}1{}}}"#,
        r#"{"a":"#.repeat(17),
        "}".repeat(17)
    );
    let cases = [
        "{}",
        "[]",
        "17",
        "{",
        r#"{"userId":"u"} x"#,
        r#"{"userId":"","itemId":["i"],"eventType":"teleported","timestamp":"noon"}"#,
        r#"{"userId":true,"itemId":1.5,"eventType":7}"#,
        r#"{"userId":"u","user_id":"v","itemId":"i","eventType":"viewed"}"#,
        r#"{"userId":"u","userId":"u","itemId":"i","eventType":"viewed"}"#,
        r#"{"userId":"u","itemId":"i","eventType":"refunded"}"#,
        r#"{"userId":"u","itemId":"i","eventType":"viewed","retracts":"e"}"#,
        r#"{"userId":"u","itemId":"i","eventType":"viewed","timestamp":600000000}"#,
        r#"{"userId":"u","itemId":"i","eventType":"rated","value":"four"}"#,
        r#"{"userId":"u","itemId":"i","eventType":"viewed","properties":{"a":1,"a":2}}"#,
        r#"{"userId":"u","itemId":"i","eventType":"viewed","properties":{"a":9007199254740993}}"#,
        r#"{"userId":"u","itemId":"i","eventType":"viewed","page":1,"properties":{"page":2}}"#,
        r#"{"userId":"u","eventType":"purchased","items":[{"itemId":"a"},{"value":2}]}"#,
        r#"{"userId":"u","itemId":"i","eventType":"viewed","schemaVersion":2}"#,
        &deep,
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|json| format!("{}\n  {}", &json[..json.len().min(90)], issues(json)))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn unknown_fields_are_kept_as_properties() {
    let json =
        br#"{"userId":"u","itemId":"i","eventType":"viewed","page":"/x","properties":{"a":1}}"#;
    let draft = parser().parse(json, None).expect("valid");
    assert_eq!(Value::Object(draft.properties), serde_json::json!({"a": 1, "page": "/x"}));
}

#[test]
fn the_subject_is_authoritative_for_the_type() {
    let parser = parser();
    let viewed = parser.types().find("viewed");
    let json = br#"{"userId":"u","itemId":"i"}"#;
    assert_eq!(parser.parse(json, viewed).expect("valid").event_type, viewed.expect("known"));
    let json = br#"{"userId":"u","itemId":"i","eventType":"clicked"}"#;
    let Err(ParseError::Invalid(issues)) = parser.parse(json, viewed) else {
        panic!("must be refused")
    };
    assert_eq!(issues[0].code, "type_mismatch");
}

#[test]
fn older_schemas_are_lifted_where_they_are_read() {
    fn rename(mut event: Map<String, Value>) -> Map<String, Value> {
        let user = event.remove("customer").expect("schema 1 has customers");
        event.insert("userId".to_owned(), user);
        event
    }
    let parser = Parser::new(Arc::new(EventTypes::builtin()), Upcasters::of(vec![rename]));
    let old = parser
        .parse(br#"{"customer":"u","itemId":"i","eventType":"viewed"}"#, None)
        .expect("lifted");
    let new = parser
        .parse(br#"{"userId":"u","itemId":"i","eventType":"viewed","schemaVersion":2}"#, None)
        .expect("valid");
    assert_eq!(old, new);
}

#[test]
fn arrays_tell_of_each_element() {
    let parser = parser();
    let json = br#"[{"userId":"u","itemId":"i","eventType":"viewed"}, 7, {"userId":"u"}]"#;
    let Ok(Parsed::Many(results)) = parser.parse_document(json) else { panic!("several") };
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    assert!(matches!(parser.parse_document(b"[{}, "), Err(ParseError::Malformed { .. })));
}

fn ids() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9]{1,12}", "\\PC{1,40}", Just("x".repeat(256))]
}

fn properties() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1i64 << 53)..=1i64 << 53).prop_map(Value::from),
        (-1e12..1e12f64).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,5}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("p_[a-z\"\\\\é]{1,6}", tree, 0..4)
        .prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_the_same(
        user in ids(), item in ids(), id in ids(), source in prop::option::of(ids()),
        ms in 631_152_000_000i64..3_155_760_000_000, value in prop::option::of(-1e9..1e9f64),
        properties in properties(), context in properties(), received in prop::option::of(0i64..4_000_000_000_000),
        from in prop::option::of((prop::option::of("[0-9.:]{1,20}"), any::<bool>(), prop::option::of("[a-z2-7\"]{1,12}"))
            .prop_map(|(ip, bot, key)| ReceivedFrom { ip, bot, key })),
        lines in prop::collection::vec((ids(), prop::option::of(0.0..1e6f64)), 0..4),
    ) {
        prop_assume!([&user, &item, &id].iter().chain(source.iter().collect::<Vec<_>>().iter()).all(|id| id.len() <= 256));
        prop_assume!(lines.iter().all(|(id, _)| id.len() <= 256));
        let parser = parser();
        let draft = Draft {
            id: None, event_type: parser.types().find("purchased").expect("known"),
            user: Id::new(user).ok(), item: if lines.is_empty() { Id::new(item).ok() } else { None },
            lines: lines.into_iter().map(|(id, value)| Line { item: Id::new(id).expect("valid"), value }).collect(),
            at: None, source: source.and_then(|source| Id::new(source).ok()), value, retracts: None, properties,
            received_ms: received, schema: 1,
            context, received_from: from,
        };
        let at = EventTime::from_ms(ms).expect("in range");
        let event: Event<'_> = draft.resolve(|| Defaults { id: Id::new(id.clone()).expect("valid"), at, received_ms: None });
        let mut json = Vec::new();
        let canonical = write_event(&event, parser.types(), &mut json);
        prop_assert!(canonical < json.len());
        let again = parser.parse(&json, None).expect("what is written is valid").resolve(|| Defaults { id: Id::new("other").expect("valid"), at, received_ms: None });
        prop_assert_eq!(again.received_ms, event.received_ms);
        prop_assert_eq!(again, event);
    }

    #[test]
    fn no_text_makes_the_parser_panic(json in "\\PC{0,80}") {
        let _ = parser().parse(json.as_bytes(), None);
        let _ = parser().parse_document(json.as_bytes());
    }
}

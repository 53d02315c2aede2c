//! Payloads as other collectors document them, with data of our own, and what is kept of each.

use std::sync::Arc;

use proptest::prelude::*;

use crate::event::{
    CloudAttributes, Defaults, Draft, EventTime, EventTypes, Id, Issues, ParseError, Parsed,
    Parser, Upcasters, write_event,
};

const SEGMENT_TRACK: &str = r#"{
  "anonymousId": "23adfd82-aa0f-45a7-a756-24f2a7a4c895", "userId": "u-17", "type": "track", "event": "Product Viewed",
  "messageId": "ajs-f8ca1e4de5024d9430b3928bd8ac6b96", "channel": "client",
  "context": {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0", "library": {"name": "analytics.js", "version": "2.1"},
              "page": {"path": "/tea", "url": "https://shop.example/tea"}},
  "integrations": {"All": true},
  "properties": {"product_id": "507f1f77bcf86cd799439011", "sku": "G-32", "category": "Tea", "name": "Green tea",
                 "price": 18.99, "quantity": 2, "currency": "EUR"},
  "originalTimestamp": "2026-05-04T10:00:01.123Z", "sentAt": "2026-05-04T10:00:02Z", "timestamp": "2026-05-04T10:00:01.200Z",
  "receivedAt": "2026-05-04T10:00:03Z", "version": "1"
}"#;

const SEGMENT_ORDER: &str = r#"{
  "type": "track", "userId": "u-17", "event": "Order Completed", "messageId": "m-2", "timestamp": "2026-05-04T11:00:00Z",
  "properties": {"checkout_id": "c-9", "order_id": "50314b8e", "total": 27.5, "revenue": 25.0, "shipping": 3, "currency": "EUR",
    "products": [
      {"product_id": "tea", "sku": "45790-32", "name": "Tea", "price": 9.5, "quantity": 2, "category": "Tea"},
      {"product_id": "cup", "sku": "46493-32", "name": "Cup", "price": 6, "quantity": 1}
    ]}
}"#;

const SEGMENT_REFUND: &str = r#"{
  "type": "track", "userId": "u-17", "event": "Order Refunded", "messageId": "m-3", "timestamp": "2026-05-05T11:00:00Z",
  "properties": {"order_id": "50314b8e", "total": 6, "products": [{"product_id": "cup", "quantity": 1, "price": 6}]}
}"#;

const SEGMENT_IDENTIFY: &str = r#"{
  "type": "identify", "userId": "u-17", "messageId": "m-4", "timestamp": "2026-05-04T09:00:00Z",
  "traits": {"plan": "gold", "city": "Ulm"}, "context": {"ip": "203.0.113.7"}
}"#;

const SEGMENT_BATCH: &str = r#"{
  "batch": [
    {"type": "track", "anonymousId": "a-1", "event": "Product Clicked", "messageId": "b-1", "timestamp": "2026-05-04T10:00:00Z", "properties": {"product_id": "tea", "position": 3}},
    {"type": "page", "anonymousId": "a-1", "messageId": "b-2", "timestamp": "2026-05-04T10:00:00Z", "name": "Home"},
    {"type": "track", "anonymousId": "a-1", "event": "Product Added", "messageId": "b-3", "timestamp": "2026-05-04T10:00:05Z", "properties": {"sku": "G-32", "price": "18.99"}}
  ],
  "sentAt": "2026-05-04T10:00:06Z", "context": {"library": {"name": "analytics-python"}}
}"#;

const GA4: &str = r#"{
  "client_id": "1027.1588", "user_id": "u-17", "timestamp_micros": "1777888800000000", "non_personalized_ads": false,
  "user_properties": {"tier": {"value": "gold"}},
  "events": [
    {"name": "view_item", "params": {"currency": "EUR", "value": 18.99, "session_id": "1", "engagement_time_msec": 100,
      "items": [{"item_id": "G-32", "item_name": "Green tea", "price": 18.99, "quantity": 1}]}},
    {"name": "purchase", "timestamp_micros": 1777888860000000, "params": {"currency": "EUR", "transaction_id": "T-12345", "value": 25, "tax": 3.6,
      "items": [{"item_id": "tea", "price": 9.5, "quantity": 2}, {"item_id": "cup", "price": 6}]}},
    {"name": "refund", "params": {"transaction_id": "T-12345", "value": 6, "items": [{"item_id": "cup"}]}},
    {"name": "search", "params": {"search_term": "green tea"}},
    {"name": "page_view", "params": {"page_location": "https://shop.example"}}
  ]
}"#;

const RETAIL: &str = r#"{
  "eventType": "purchase-complete", "visitorId": "visitor-1", "eventTime": "2026-05-04T10:00:00.5Z",
  "userInfo": {"userId": "u-17", "ipAddress": "203.0.113.7", "userAgent": "Mozilla/5.0"},
  "productDetails": [
    {"product": {"id": "tea"}, "quantity": 2},
    {"product": {"name": "projects/p/locations/global/catalogs/c/branches/0/products/cup"}}
  ],
  "purchaseTransaction": {"id": "R-77", "revenue": 25.0, "currencyCode": "EUR"},
  "attributes": {"channel": {"text": ["app"]}}, "cartId": "cart-2"
}"#;

const RETAIL_INLINE: &str = r#"{"userEvents": [
  {"eventType": "detail-page-view", "visitorId": "v-1", "eventTime": "2026-05-04T10:00:00Z", "productDetails": [{"product": {"id": "tea"}}]},
  {"eventType": "search", "visitorId": "v-1", "eventTime": "2026-05-04T10:00:01Z", "searchQuery": "tea"}
]}"#;

const OURS: &str = r#"{"events": [
  {"userId": "u", "itemId": "i", "eventType": "viewed", "eventId": "e-1", "timestamp": 1777888800},
  {"userId": "u", "eventType": "viewed"}
]}"#;

const CLOUD: &str = r#"{
  "specversion": "1.0", "id": "c-1", "source": "/shop/web", "type": "example.shop.product.viewed", "subject": "tea",
  "time": "2026-05-04T10:00:00Z", "datacontenttype": "application/json", "traceparent": "00-ab-cd-01",
  "data": {"userId": "u-17", "value": 3, "properties": {"page": "home"}}
}"#;

fn parser() -> Parser {
    Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped())
}

/// What the log would hold, or what is wrong.
fn kept(parsed: Result<Draft<'_>, Issues>) -> String {
    let draft = match parsed {
        Ok(draft) => draft,
        Err(issues) => {
            let told = |issue: &crate::event::Issue| format!("{} {}", issue.pointer, issue.code);
            return issues.iter().map(told).collect::<Vec<_>>().join(", ");
        }
    };
    let at = EventTime::from_ms(1_700_000_000_000).expect("a time");
    let id = Id::new("given-by-the-gateway").expect("an id");
    let event = draft.resolve(|| Defaults { id, at, received_ms: None });
    let mut text = Vec::new();
    write_event(&event, parser().types(), &mut text);
    String::from_utf8(text).expect("UTF-8")
}

fn document(json: &str) -> String {
    match parser().parse_document(json.as_bytes()) {
        Ok(Parsed::One(draft)) => kept(Ok(draft)),
        Ok(Parsed::Many(all)) => all.into_iter().map(kept).collect::<Vec<_>>().join("\n"),
        Err(ParseError::Invalid(issues)) => kept(Err(issues)),
        Err(malformed) => malformed.to_string(),
    }
}

#[test]
fn what_other_collectors_clients_send_is_kept_under_our_names() {
    let table = [
        ("a call of Segment", SEGMENT_TRACK),
        ("an order of Segment", SEGMENT_ORDER),
        ("its refund", SEGMENT_REFUND),
        ("a profile of Segment", SEGMENT_IDENTIFY),
        ("a batch of Segment", SEGMENT_BATCH),
        ("the Measurement Protocol of GA4", GA4),
        ("an order of Google Retail", RETAIL),
        ("several events of Google Retail", RETAIL_INLINE),
        ("several of ours", OURS),
    ];
    let told = table.map(|(name, json)| format!("{name}\n{}\n", document(json)));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_refund_takes_back_exactly_the_lines_of_the_order_that_it_names() {
    let order = document(SEGMENT_ORDER);
    let refund = document(SEGMENT_REFUND);
    assert!(order.contains(r#""eventId":"50314b8e""#), "{order}");
    assert!(
        refund.contains(r#""retracts":"50314b8e""#) && refund.contains(r#""itemId":"cup""#),
        "{refund}"
    );
}

#[test]
fn cloudevents_are_read_in_all_modes() {
    let parser = parser();
    let structured = kept(parser.parse_cloud_event(CLOUD.as_bytes()).map_err(|_| Issues::new()));
    let headers: Vec<(&str, &[u8])> = vec![
        ("host", b"weir"),
        ("ce-specversion", b"1.0"),
        ("ce-id", b"\"c-1\""),
        ("ce-source", b"/shop%2Fweb"),
        ("ce-type", b"example.shop.product.viewed"),
        ("ce-subject", b"tea"),
        ("ce-time", b"2026-05-04T10:00:00Z"),
    ];
    let attributes = CloudAttributes::of(headers.into_iter());
    let data = br#"{"userId": "u-17", "value": 3, "properties": {"page": "home"}}"#;
    let binary = parser.parse_cloud_binary(&attributes, data).map_err(|_| Issues::new());
    assert_eq!(kept(binary), structured);
    let two = format!("[{CLOUD},{{}}]");
    let batch = parser.parse_cloud_batch(two.as_bytes());
    let Ok(Parsed::Many(batch)) = batch else { panic!("{batch:?}") };
    let batch: Vec<String> = batch.into_iter().map(kept).collect();
    assert_eq!(batch[0], structured);
    insta::assert_snapshot!(batch.join("\n"), @r#"
    {"eventId":"c-1","eventType":"viewed","itemId":"tea","properties":{"page":"home"},"source":"/shop/web","timestamp":1777888800000,"userId":"u-17","value":3.0}
    /specversion missing_field, /id missing_field, /source missing_field, /type missing_field
    "#);
}

#[test]
fn a_cloudevent_that_contradicts_itself_or_is_of_another_version_is_refused() {
    let told = |change: (&str, &str)| {
        let json = CLOUD.replace(change.0, change.1);
        match parser().parse_cloud_event(json.as_bytes()) {
            Err(ParseError::Invalid(issues)) => kept(Err(issues)),
            Err(malformed) => malformed.to_string(),
            Ok(draft) => kept(Ok(draft)),
        }
    };
    assert_eq!(told(("\"1.0\"", "\"0.3\"")), "/specversion unsupported_specversion");
    assert_eq!(told(("\"value\": 3", "\"eventId\": \"other\"")), "/id conflicting_alias");
    assert!(told(("\"value\": 3", "\"eventId\": \"c-1\"")).starts_with('{'));
    assert_eq!(told(("product.viewed", "product.teleported")), "/type unknown_event_type");
    assert!(told(("product.viewed", "nothing")).contains("unknown_event_type"));
    assert_eq!(told(("\"c-1\"", "\"\"")), "/id invalid_attribute");
    assert_eq!(told(("\"id\": \"c-1\"", "\"id\": \"c-1\", \"id\": \"c-2\"")), " duplicate_key");
    let packed = CLOUD.replace(
        "\"data\": {\"userId\": \"u-17\", \"value\": 3, \"properties\": {\"page\": \"home\"}}",
        "\"data_base64\": \"eyJ1c2VySWQiOiJ1LTE3In0=\"",
    );
    let packed = parser().parse_cloud_event(packed.as_bytes()).expect("valid");
    assert_eq!(packed.user.map(|user| user.to_string()).as_deref(), Some("u-17"));
}

#[test]
fn a_query_is_an_event() {
    let told = |query: &str| match parser().parse_query(query) {
        Ok(draft) => kept(Ok(draft)),
        Err(ParseError::Invalid(issues)) => kept(Err(issues)),
        Err(malformed) => malformed.to_string(),
    };
    insta::assert_snapshot!(
        [
            "userId=u%201&sku=green+tea&event=Product+Viewed&value=3.5&campaign=spring&key=weir_a_b",
            "userId=u&itemId=i&eventType=viewed&eventTime=1777888800&eventId=e",
            "userId=u&userId=v&itemId=i&eventType=viewed",
            "userId=u&itemId=i&eventType=viewed&value=much",
            "userId=u&properties=%7B%7D",
            "",
        ]
        .map(told)
        .join("\n"),
        @r#"
    {"eventId":"given-by-the-gateway","eventType":"viewed","itemId":"green tea","properties":{"campaign":"spring"},"source":"default","timestamp":1700000000000,"userId":"u 1","value":3.5}
    {"eventId":"e","eventType":"viewed","itemId":"i","source":"default","timestamp":1777888800000,"userId":"u"}
     duplicate_key
    /value invalid_type
    /properties invalid_type
    /eventType missing_field, /userId missing_field, /itemId missing_field
    "#
    );
}

#[test]
fn a_batch_is_no_event_and_keys_of_one_form_are_properties_of_another() {
    let invalid = |json: &str| match parser().parse(json.as_bytes(), None) {
        Err(ParseError::Invalid(issues)) => kept(Err(issues)),
        Err(malformed) => malformed.to_string(),
        Ok(draft) => kept(Ok(draft)),
    };
    assert_eq!(invalid(GA4), " nested_batch");
    assert_eq!(document(&format!("{{\"events\": [{GA4}]}}")), " nested_batch");
    let plain = r#"{"userId":"u","itemId":"i","eventType":"viewed","batch":7,"events":"none"}"#;
    assert!(document(plain).contains(r#""properties":{"batch":7,"events":"none"}"#));
    let named = r#"{"userId":"u","itemId":"i","type":"viewed"}"#;
    assert!(document(named).contains(r#""eventType":"viewed""#));
    let both = r#"{"userId":"u","itemId":"i","type":"viewed","event":"liked"}"#;
    assert_eq!(document(both), "/event conflicting_alias");
}

proptest! {
    #[test]
    fn several_events_are_the_same_as_one_by_one(picks in prop::collection::vec(0..4usize, 0..6)) {
        let all = [SEGMENT_TRACK, SEGMENT_ORDER, RETAIL, r#"{"userId": 7}"#];
        let chosen: Vec<&str> = picks.iter().map(|pick| all[*pick]).collect();
        let alone: Vec<String> = chosen.iter().map(|json| document(json)).collect();
        for open in ["[", "{\"events\": [", "{\"batch\": [", "{\"userEvents\": ["] {
            let close = if open == "[" { "]" } else { "]}" };
            let together = document(&format!("{open}{}{close}", chosen.join(",")));
            prop_assert_eq!(&together, &alone.join("\n"));
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(noise in "\\PC{0,80}", pick in 0..4usize, cut in any::<prop::sample::Index>()) {
        let whole = [SEGMENT_ORDER, GA4, RETAIL, CLOUD][pick];
        let (begin, end) = whole.split_at(cut.index(whole.len()));
        for json in [noise.as_str(), begin, &format!("{begin}{noise}{end}")] {
            let _ = parser().parse_document(json.as_bytes());
            let _ = parser().parse_cloud_event(json.as_bytes());
            let _ = parser().parse_cloud_batch(json.as_bytes());
            let _ = parser().parse_query(json);
            let pairs = [("ce-id", json.as_bytes()), ("ce-type", b"viewed"), ("ce-source", b"s"), ("ce-specversion", b"1.0")];
            let _ = parser().parse_cloud_binary(&CloudAttributes::of(pairs.into_iter()), json.as_bytes());
        }
    }

    #[test]
    fn what_is_written_of_a_foreign_event_reads_as_the_same(pick in 0..5usize) {
        let json = [SEGMENT_TRACK, SEGMENT_ORDER, SEGMENT_REFUND, SEGMENT_IDENTIFY, RETAIL][pick];
        let first = document(json);
        prop_assert_eq!(document(&first), first);
    }
}

//! Payloads as other collectors document them, with data of our own, and what is kept of each.

use std::sync::Arc;

use proptest::prelude::*;

use crate::event::{
    CloudAttributes, Declared, Defaults, Draft, EventTime, EventTypes, Id, Issues, ParseError,
    Parsed, Parser, Upcasters, write_event,
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

const SEGMENT_REVIEW: &str = r#"{
  "type": "track", "userId": "", "anonymousId": "a-1", "event": "Product Reviewed", "messageId": "m-5", "timestamp": "2026-05-06T10:00:00Z",
  "properties": {"product_id": "tea", "review_id": "r-1", "review_body": "Fine", "rating": "5"}
}"#;

const SEGMENT_CANCELLED: &str = r#"{
  "type": "track", "userId": "u-17", "event": "Order Cancelled", "messageId": "m-6", "timestamp": "2026-05-05T12:00:00Z",
  "properties": {"order_id": "50314b8e", "revenue": "25.00", "products": [{"product_id": "tea"}, {"product_id": "cup"}]}
}"#;

const SEGMENT_SHARED: &str = r#"{
  "batch": [
    {"type": "track", "userId": "u-17", "event": "Product Added", "messageId": "b-4", "timestamp": "2026-05-04T10:00:00Z",
     "properties": {"product_id": "tea"}, "context": {"ip": "203.0.113.9"}},
    {"type": "track", "userId": "u-17", "event": "Wishlist Product Added to Cart", "messageId": "b-5", "timestamp": "2026-05-04T10:00:00Z",
     "properties": {"product_id": "cup"}}
  ],
  "writeKey": "none of ours", "context": {"ip": "203.0.113.7", "device": {"type": "phone"}}
}"#;

const RETAIL_IMPORT: &str = r#"{"inputConfig": {"userEventInlineSource": {"userEvents": [
  {"eventType": "add-to-cart", "visitorId": "v-1", "eventTime": "2026-05-04T10:00:00Z", "cartId": "c", "productDetails": [{"product": {"id": "tea"}, "quantity": 2}]},
  {"eventType": "search", "visitorId": "v-1", "eventTime": "2026-05-04T10:00:01Z", "searchQuery": "tea",
   "productDetails": [{"product": {"id": "tea"}}, {"product": {"id": "cup"}}]}
]}}}"#;

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
        ("a review of Segment", SEGMENT_REVIEW),
        ("an order of Segment that was cancelled", SEGMENT_CANCELLED),
        ("a batch of Segment", SEGMENT_BATCH),
        ("a batch of Segment that tells of all its calls", SEGMENT_SHARED),
        ("the Measurement Protocol of GA4", GA4),
        ("an order of Google Retail", RETAIL),
        ("several events of Google Retail", RETAIL_INLINE),
        ("an import of Google Retail", RETAIL_IMPORT),
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
            "userId=%FF&itemId=i&eventType=viewed",
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
     invalid_attribute
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

#[test]
fn an_event_of_ours_stays_ours_whatever_other_keys_it_holds() {
    for (json, kept) in [
        (
            r#"{"userId":"u","itemId":"i","eventType":"viewed","userInfo":{"age":3},"productDetails":[1]}"#,
            r#""properties":{"productDetails":[1],"userInfo":{"age":3}}"#,
        ),
        (
            r#"{"userId":"u","eventType":"user_profile","userInfo":{"age":3}}"#,
            r#""properties":{"userInfo":{"age":3}}"#,
        ),
        (
            r#"{"events":[{"page":1}],"userId":"u","itemId":"i","eventType":"viewed"}"#,
            r#""properties":{"events":[{"page":1}]}"#,
        ),
        (
            r#"{"events":[{"userId":"u","itemId":"i","event":"viewed","name":"Green tea"}]}"#,
            r#""eventType":"viewed","itemId":"i","properties":{"name":"Green tea"}"#,
        ),
    ] {
        let told = document(json);
        assert!(told.contains(kept), "{told}");
    }
    let viewed = parser().types().find("viewed");
    let message = br#"{"userId":"u","itemId":"i","batch":["a"]}"#;
    let draft = parser().parse(message, viewed).expect("the subject tells its type");
    assert!(draft.properties.contains_key("batch"));
}

#[test]
fn a_configured_type_may_be_called_as_a_call_of_segment() {
    let mut declared = EventTypes::builtin_declarations();
    declared.push(("page".to_owned(), Declared::UserOnly, 0.0));
    let aliases = [("viewed".to_owned(), vec!["Artikel angesehen".to_owned()])];
    let types = EventTypes::new(declared).expect("valid").with_aliases(aliases).expect("valid");
    let parser = Parser::new(Arc::new(types), Upcasters::shipped());
    let named = |json: &str| {
        let draft = parser.parse(json.as_bytes(), None).expect("valid");
        parser.types().spec(draft.event_type).name.clone()
    };
    assert_eq!(named(r#"{"userId":"u","type":"page"}"#), "page");
    assert_eq!(
        named(
            r#"{"userId":"u","type":"track","event":"ARTIKEL-ANGESEHEN","properties":{"sku":"i"}}"#
        ),
        "viewed"
    );
}

#[test]
fn what_is_wrong_is_pointed_to_where_the_producer_wrote_it() {
    for (json, told) in [
        (
            r#"{"type":"track","userId":"u","event":"Dreamt","properties":{"sku":"i"}}"#,
            "/event unknown_event_type",
        ),
        (
            r#"{"type":"track","userId":"u","event":"Order Refunded","properties":{"order_id":"o"}}"#,
            "/properties/product_id missing_field",
        ),
        (
            r#"{"type":"track","userId":"u","event":"Order Completed","properties":{"products":[{"sku":"a"},{"name":"b"}]}}"#,
            "/properties/products/1/product_id missing_field",
        ),
        (
            r#"{"visitorId":"v","eventType":"add-to-cart","eventTime":"noon","productDetails":[{"product":{"id":"a"}},{"quantity":1}]}"#,
            "/eventTime invalid_timestamp, /productDetails/1/product/id missing_field",
        ),
        (
            r#"{"client_id":"c","events":[{"name":"refund","params":{"transaction_id":"","items":[{"item_name":"a"},{"item_id":"b"}]}}]}"#,
            "/params/items/0/item_id missing_field, /params/transaction_id missing_field",
        ),
    ] {
        assert_eq!(document(json), told, "{json}");
    }
}

#[test]
fn an_envelope_may_be_larger_than_any_of_its_events() {
    let items = r#"{"item_id":"i","a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}"#;
    let event = format!(
        r#"{{"name":"purchase","params":{{"transaction_id":"t","items":[{}]}}}}"#,
        [items; 20].join(",")
    );
    let events = vec![event; 100].join(",");
    let told = document(&format!(r#"{{"client_id":"c","events":[{events}]}}"#));
    assert_eq!(told.lines().filter(|line| line.starts_with('{')).count(), 100, "{told:.200}");
}

#[test]
fn a_cloudevent_and_its_data_agree_in_any_spelling_and_each_is_pointed_to() {
    let told = |data: &str| {
        let json = CLOUD.replace(r#""value": 3"#, data);
        match parser().parse_cloud_event(json.as_bytes()) {
            Err(ParseError::Invalid(issues)) => kept(Err(issues)),
            Err(malformed) => malformed.to_string(),
            Ok(draft) => kept(Ok(draft)),
        }
    };
    for same in [
        r#""timestamp": 1777888800"#,
        r#""eventTime": "2026-05-04T12:00:00+02:00""#,
        r#""event": "detail-page-view""#,
    ] {
        assert!(told(same).contains(r#""eventType":"viewed""#), "{}", told(same));
    }
    assert_eq!(told(r#""timestamp": 1777888801"#), "/time conflicting_alias");
    assert_eq!(told(r#""eventType": "liked""#), "/type conflicting_alias");
    assert_eq!(told(r#""value": "much""#), "/data/value invalid_type");
    assert_eq!(told(r#""events": []"#), " nested_batch");
    let text = CLOUD.replace(r#""data": {"#, r#""data": "no JSON", "more": {"#);
    let Err(ParseError::Invalid(issues)) = parser().parse_cloud_event(text.as_bytes()) else {
        panic!("must be refused")
    };
    assert_eq!(kept(Err(issues)), "/data malformed_json");
    let both = CLOUD.replace(r#""data": {"#, r#""data_base64": "e30=", "data": {"#);
    let Err(ParseError::Invalid(issues)) = parser().parse_cloud_event(both.as_bytes()) else {
        panic!("must be refused")
    };
    assert_eq!(kept(Err(issues)), "/data_base64 unexpected_field");
}

#[test]
fn what_is_wrong_with_a_header_names_the_header() {
    let headers: Vec<(&str, &[u8])> =
        vec![("ce-specversion", b"0.3"), ("ce-type", b"viewed"), ("ce-source", b"s")];
    let told = |headers: Vec<(&str, &[u8])>, data: &str| {
        let attributes = CloudAttributes::of(headers.into_iter());
        let Err(ParseError::Invalid(issues)) =
            parser().parse_cloud_binary(&attributes, data.as_bytes())
        else {
            panic!("must be refused")
        };
        let told = |issue: &crate::event::Issue| format!("{:?} {}", issue.pointer, issue.detail);
        issues.iter().map(told).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(headers, "{}"), @r#"
    "" ce-id is an attribute that a CloudEvent must have
    "" ce-specversion is not a version that is taken: send CloudEvents 1.0
    "#);
    let headers: Vec<(&str, &[u8])> = vec![
        ("ce-specversion", b"1.0"),
        ("ce-type", b"viewed"),
        ("ce-source", b"s"),
        ("ce-id", b"c-1"),
        ("ce-time", b"noon"),
    ];
    insta::assert_snapshot!(told(headers, r#"{"userId":"u","itemId":["i"],"eventId":"c-2"}"#), @r#"
    "" ce-id differs from /eventId in the data
    "/itemId" must be a string or an integer, not an array
    "" ce-time is neither RFC 3339 nor an epoch in seconds, milliseconds or microseconds
    "#);
}

proptest! {
    #[test]
    fn several_events_are_the_same_as_one_by_one(picks in prop::collection::vec(0..5usize, 0..6)) {
        let all = [SEGMENT_TRACK, SEGMENT_ORDER, RETAIL, SEGMENT_CANCELLED, r#"{"userId": 7}"#];
        let chosen: Vec<&str> = picks.iter().map(|pick| all[*pick]).collect();
        let alone: Vec<String> = chosen.iter().map(|json| document(json)).collect();
        for open in ["[", "{\"events\": [", "{\"batch\": [", "{\"userEvents\": ["] {
            let close = if open == "[" { "]" } else { "]}" };
            let together = document(&format!("{open}{}{close}", chosen.join(",")));
            prop_assert_eq!(&together, &alone.join("\n"));
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(noise in "\\PC{0,80}", pick in 0..5usize, cut in any::<prop::sample::Index>()) {
        let whole = [SEGMENT_ORDER, GA4, RETAIL, CLOUD, RETAIL_IMPORT][pick];
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
    fn what_is_written_of_a_foreign_event_reads_as_the_same(pick in 0..7usize) {
        let json = [SEGMENT_TRACK, SEGMENT_ORDER, SEGMENT_REFUND, SEGMENT_IDENTIFY, RETAIL, SEGMENT_REVIEW, SEGMENT_CANCELLED][pick];
        let first = document(json);
        prop_assert_eq!(document(&first), first);
    }
}

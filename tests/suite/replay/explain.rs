//! `weir explain`, as it is typed, of a real weir: why a document is in the graph.

use serde_json::{Value, json};

use crate::support::client::{Client, event, text};
use crate::support::weir::Weir;

/// How a command ended, and what it printed and said.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    printed: String,
    said: String,
}

impl Ended {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.printed).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

async fn explain(weir: &Weir, line: &[&str]) -> Ended {
    explain_with(weir, line, &[]).await
}

async fn explain_with(weir: &Weir, line: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = weir.bare_command();
    let admin = weir.client().admin_url().trim_start_matches("http://").to_owned();
    command.arg("explain").args(line).args(["--admin-listen", &admin]);
    command.envs(variables.iter().copied()).stdin(std::process::Stdio::null());
    let ending = tokio::task::spawn_blocking(move || command.output());
    let output = ending.await.expect("it does not panic").expect("weir runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code(), printed: text(output.stdout), said: text(output.stderr) }
}

/// An order that is refunded, viewed before, and two profiles of which the older one comes last.
async fn shop(client: &Client) {
    let with = |mut event: Value, more: Value| {
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let at = |minute: i64| 1_717_200_000_000_i64 + minute * 60_000;
    for event in [
        with(event("viewed", "ann", "tea"), json!({"eventId": "v1", "timestamp": at(1)})),
        with(
            event("purchased", "ann", "tea"),
            json!({"eventId": "o1", "timestamp": at(2), "source": "shop"}),
        ),
        with(
            event("refunded", "ann", "tea"),
            json!({"eventId": "r1", "retracts": "o1", "timestamp": at(3), "source": "shop"}),
        ),
        json!({"eventId": "p2", "userId": "ann", "eventType": "user_profile", "timestamp": at(9), "properties": {"name": "Ann"}}),
        json!({"eventId": "p1", "userId": "ann", "eventType": "user_profile", "timestamp": at(5), "properties": {"name": "A."}}),
    ] {
        client.post(&event).await.ok();
        client.settled().await;
    }
}

/// The sequence, class and decision of each event behind a document.
fn steps(document: &Value) -> Vec<(u64, String, bool)> {
    let steps = document["events"].as_array().expect("a list").iter();
    steps
        .map(|step| {
            let decides = step["decides"].as_bool().expect("a decision");
            (step["sequence"].as_u64().expect("a number"), text(&step["class"]), decides)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_behind_a_document_are_told_and_which_one_decides() {
    let weir = Weir::dev().start().await;
    shop(&weir.client()).await;

    let user = explain(&weir, &["user", "ann", "--json"]).await.json();
    assert_eq!(
        (&user["generation"], &user["through"], &user["missing"]),
        (&json!("g1"), &json!(5), &json!(0))
    );
    let vertex = &user["documents"][0];
    assert_eq!(vertex["body"], json!({"id": "ann", "attrs": {"name": "Ann"}}), "{user:#}");
    let [bare, profile] = ["bare", "profile"].map(str::to_owned);
    let expected = [
        (1, bare.clone(), false),
        (2, bare.clone(), false),
        (3, bare, false),
        (4, profile.clone(), true),
        (5, profile, false),
    ];
    assert_eq!(steps(vertex), expected, "{user:#}");
    let decides = &vertex["events"][3];
    assert_eq!(
        (&decides["eventId"], &decides["type"], &decides["eventTime"]),
        (&json!("p2"), &json!("user_profile"), &json!("2024-06-01T00:09:00.000Z"))
    );

    let line = ["edge", "--user", "ann", "--item", "tea", "--type", "purchased", "--json"];
    let edges = explain(&weir, &line).await.json();
    let order = &edges["documents"][0];
    assert_eq!(edges["documents"].as_array().map(Vec::len), Some(1), "{edges:#}");
    assert_eq!((&order["collection"], &order["class"]), (&json!("purchased"), &json!("tombstone")));
    assert_eq!(steps(order), [(2, "edge".into(), false), (3, "tombstone".into(), true)]);
    // By its key it is the same document, and without a type the view is there too.
    let key = text(&order["key"]);
    assert_eq!(explain(&weir, &["edge", &key, "--json"]).await.json()["documents"][0], *order);
    let both = explain(&weir, &["edge", "--user", "ann", "--item", "tea"]).await;
    assert_eq!(both.code, Some(0), "{both:?}");
    for part in
        ["viewed/=h", "purchased/=h", "tombstone", "decides", "superseded", "5 messages of the log"]
    {
        assert!(both.printed.contains(part), "{part} in {both:?}");
    }
    let item = explain(&weir, &["item", "tea", "--generation", "g1", "--json"]).await.json();
    assert_eq!(item["documents"][0]["total"], 3, "{item:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_explained_is_told_with_what_to_do() {
    let weir = Weir::dev().start().await;
    shop(&weir.client()).await;
    let unknown = explain(&weir, &["user", "Ann"]).await;
    assert_eq!((unknown.code, &*unknown.printed), (Some(1), ""));
    assert!(
        unknown.said.contains("no event makes the user Ann in g1")
            && unknown.said.contains("case included")
    );
    let unknown = explain(&weir, &["edge", "=hAAAAAAAAAAAAAAAAAAAAAA", "--json"]).await;
    assert_eq!((unknown.code, &unknown.json()["documents"]), (Some(1), &json!([])));

    for (line, said) in [
        (&["edge", "v1"][..], "=h and 22 characters"),
        (&["edge", "--user", "ann", "--item", "tea", "--type", "refunded"], "makes no edges"),
        (&["item", "tea", "--generation", "g9"], "there is no generation g9"),
    ] {
        let ended = explain(&weir, line).await;
        assert!(ended.code == Some(1) && ended.said.contains(said), "{ended:?}");
    }
    for line in
        [&["edge"][..], &["edge", "--user", "ann"], &["edge", "k", "--user", "a", "--item", "i"]]
    {
        assert_eq!(explain(&weir, line).await.code, Some(2), "{line:?}");
    }
    // The generation's own projection speaks, however this process is configured; another's would not.
    let types = [("WEIR_EVENT_TYPES__SEARCHED__KIND", "off")];
    let other = explain_with(&weir, &["item", "tea"], &types).await;
    assert_eq!(other.code, Some(0), "{other:?}");
    let url = text(&weir.client().status().await["nats"]["url"]);
    let nats = async_nats::connect(url).await.expect("the server is there");
    let store = async_nats::jetstream::new(nats).get_key_value("WEIR").await.expect("the bucket");
    let record = store.get("generation.g1").await.expect("it answers").expect("it is there");
    let mut record: Value = serde_json::from_slice(&record).expect("JSON");
    record["fingerprint"] = json!("00ff");
    store.put("generation.g1", record.to_string().into()).await.expect("it is written");
    let other = explain(&weir, &["item", "tea"]).await;
    assert!(other.code == Some(1) && other.said.contains("another projection (00ff"), "{other:?}");
}

//! The commands of operators, as they are typed: against real servers, by what they print and end with.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use weir::stream::{
    Entry, EntryId, Nats, NatsOptions, Origin, Parked, RetryOptions, RetryQueue, StreamBounds,
};

use crate::support::arango::StandIn;
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::command;

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

async fn weir(line: &str, variables: &[(&str, &str)]) -> Ended {
    let mut command = command();
    command.args(line.split_whitespace()).envs(variables.iter().copied());
    command.stdin(std::process::Stdio::null());
    let ending = tokio::task::spawn_blocking(move || command.output());
    let output = ending.await.expect("it does not panic").expect("weir runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code(), printed: text(output.stdout), said: text(output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_plans_applies_and_tells_how_a_database_stands() {
    let arango = StandIn::start();
    let (url, password) = (arango.url(), arango.password());
    let variables = [
        ("WEIR_ARANGO__URL", url.as_str()),
        ("WEIR_ARANGO__USER", StandIn::USER),
        ("WEIR_ARANGO__PASSWORD", password.as_str()),
    ];
    let missing = weir("migrate status", &variables).await;
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.printed.contains("recsys_g1 does not exist: run `weir migrate apply`"));

    let plan = weir("migrate plan", &variables).await;
    assert_eq!(plan.code, Some(0), "{plan:?}");
    assert!(plan.printed.contains("make the database"), "{plan:?}");
    assert!(!arango.databases().contains(&"recsys_g1".to_owned()), "a plan changes nothing");

    let applied = weir("migrate apply", &variables).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(applied.printed.starts_with("recsys_g1 is up to date: the database and "));
    assert!(applied.said.contains("making the database recsys_g1"), "{applied:?}");
    let again = weir("migrate apply", &variables).await;
    assert!(again.printed.starts_with("recsys_g1 was up to date\n"), "{again:?}");
    let status = weir("migrate status --json", &variables).await;
    assert_eq!((status.code, status.json()["state"].as_str()), (Some(0), Some("upToDate")));

    let other = weir("migrate apply --generation g2 --json", &variables).await;
    assert_eq!(other.json()["database"], "recsys_g2", "{other:?}");
    assert!(arango.databases().contains(&"recsys_g2".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_says_what_is_wrong_and_no_secret() {
    let nothing = weir("migrate plan", &[]).await;
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    assert!(nothing.said.contains("--arango-url"), "{nothing:?}");
    let unknown = weir("migrate plan --generation two", &[]).await;
    assert!(unknown.said.contains("a generation is g and a number"), "{unknown:?}");

    let arango = StandIn::start();
    let url = arango.url();
    let wrong = [("WEIR_ARANGO__URL", url.as_str()), ("WEIR_ARANGO__PASSWORD", "tell-nobody-7f3a")];
    let refused = weir("migrate plan", &wrong).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(!refused.said.is_empty() && !refused.said.contains("tell-nobody"), "{refused:?}");
}

/// Parks events as workers do.
async fn park(server: &NatsServer, reasons: &[(&str, &str)]) -> (Parked, RetryQueue) {
    let options = NatsOptions { url: server.url(), name: "test".into(), ..Default::default() };
    let nats = Nats::connect(options).await.unwrap();
    let bounds = StreamBounds { max_bytes: Some(64 << 20), ..StreamBounds::default() };
    let parked = Parked::new(nats.clone(), bounds).await;
    let deadline = Duration::from_secs(20);
    eventually("PARKED is made", deadline, async || parked.ensure().await.ok()).await;
    for (sequence, (event_type, reason)) in (1..).zip(reasons) {
        let subject = format!("events.{event_type}");
        let payload = Bytes::from(format!("{{\"userId\":\"u{sequence}\"}}"));
        let origin =
            Origin { subject: &subject, message_id: None, payload: &payload, epoch: "e", sequence };
        let entry = Entry {
            id: EntryId::of(origin),
            generation: 1,
            message_id: None,
            epoch: "e".into(),
            sequence,
            time_ms: 1_000,
            attempts: 1,
            first_failed_ms: 2_000,
            reason: (*reason).into(),
            error: format!("the error of {sequence}"),
            payload: payload.clone(),
            subject: subject.clone(),
        };
        parked.park(&entry).await.unwrap();
    }
    (parked, RetryQueue::new(nats, RetryOptions::default()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_events_are_listed_shown_tried_again_and_given_up() {
    let server = NatsServer::start();
    let url = server.url();
    let small = [("WEIR_NATS__URL", url.as_str()), ("WEIR_PARKED__MAX_BYTES", "64MiB")];
    let empty = weir("parked list", &small).await;
    assert_eq!((empty.code, &*empty.printed), (Some(0), "nothing is parked that fits\n"));

    let (parked, retry) = park(
        &server,
        &[("viewed", "undecodable"), ("viewed", "arango_1233"), ("liked", "arango_1233")],
    )
    .await;
    let all = weir("parked list --json", &small).await.json();
    assert_eq!(all["entries"].as_array().map(Vec::len), Some(3), "{all:#}");
    let first = weir("parked list --limit 1", &small).await;
    assert!(first.printed.contains("undecodable") && first.printed.contains("raise --limit"));
    let older =
        weir("parked list --older-than 1h --type viewed --reason arango_1233 --text ERROR", &small);
    assert!(older.await.printed.contains("events.viewed: the error of 2"));
    assert!(weir("parked list --generation g2", &small).await.printed.starts_with("nothing"));

    let id = all["entries"][0]["id"].as_str().expect("an id");
    let shown = weir(&format!("parked show {id}"), &small).await;
    assert!(shown.printed.contains("{\"userId\":\"u1\"}"), "{shown:?}");
    let unknown = weir(&format!("parked show {}", "0".repeat(32)), &small).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.said.contains("is not parked"), "{unknown:?}");

    // Nothing happens without a yes.
    for verb in ["drop", "redrive"] {
        let preview = weir(&format!("parked {verb} --type viewed"), &small).await;
        assert_eq!((preview.code, &*preview.printed), (Some(0), ""));
        assert!(preview.said.contains(&format!("add --yes to {verb} these 2")), "{preview:?}");
    }
    assert_eq!((parked.count(1).await, retry.count(1).await), (Ok(3), Ok(0)));

    let dropped = weir("parked drop --reason undecodable --yes", &small).await;
    assert_eq!(dropped.printed, "1 dropped\n", "{dropped:?}");
    assert_eq!(parked.count(1).await, Ok(2));
    let redriven = weir("parked redrive --reason arango_1233 --yes --json", &small).await.json();
    assert_eq!(redriven["done"], 2);
    // They wait for a worker, and stay parked until one has applied them.
    assert_eq!((parked.count(1).await, retry.count(1).await), (Ok(2), Ok(2)));
    let tried = weir("parked list --json", &small).await.json();
    assert!(
        tried["entries"].as_array().expect("a list").iter().all(|entry| entry["attempts"] == 2)
    );
}

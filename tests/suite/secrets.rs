//! No secret shows up anywhere, wherever it comes from, and whether it opens the door or not.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::arango::StandIn;
use crate::support::client::PATIENCE;
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::{Builder, Weir};

const NATS_SECRET: &str = "tell-nobody-7f3a91";
const ARANGO_SECRET: &str = "and-not-this-c04e2d";
/// An ArangoDB that is not there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Where secrets come from.
#[derive(Debug, Clone, Copy)]
enum Place {
    Variable,
    File,
    Credential,
}

impl Place {
    const ALL: [Self; 3] = [Self::Variable, Self::File, Self::Credential];

    /// Has a weir take both passwords from here.
    fn give(self, weir: Builder, folder: &Path) -> Builder {
        let weir = weir.set("nats.user", "weir").set("log.filter", "trace");
        let secrets = [("nats.password", NATS_SECRET), ("arango.password", ARANGO_SECRET)];
        let weir = secrets.into_iter().fold(weir, |weir, (key, secret)| {
            let path = folder.join(format!("weir.{key}"));
            match self {
                Self::Variable => weir.set(key, secret),
                Self::File | Self::Credential => {
                    fs::write(&path, format!("{secret}\n")).expect("the secret is written");
                    match self {
                        Self::File => {
                            weir.set(&format!("{key}_file"), path.to_str().expect("text"))
                        }
                        _ => weir,
                    }
                }
            }
        });
        match self {
            Self::Credential => {
                weir.variable("CREDENTIALS_DIRECTORY", folder.to_str().expect("text"))
            }
            _ => weir,
        }
    }
}

/// Lets nobody in but weir with this password.
fn only(password: &str) -> String {
    format!("authorization {{ user: weir, password: \"{password}\" }}")
}

fn said(command: &mut Command) -> String {
    let output = command.output().expect("weir runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Everything that anybody can see of a running weir.
async fn visible(weir: &Weir) -> Vec<(&'static str, String)> {
    let admin = weir.client().admin_url().to_owned();
    let fetch = async |path: &str| {
        let answer = reqwest::get(format!("{admin}{path}")).await.expect("an answer");
        answer.text().await.expect("text")
    };
    let run = |arguments: &[&str]| said(weir.bare_command().args(arguments));
    let pid = weir.pid();
    let line = fs::read(format!("/proc/{pid}/cmdline")).expect("our child's");
    vec![
        ("metrics", fetch("/metrics").await),
        ("status", fetch("/admin/status").await),
        ("ready", fetch("/health/ready").await),
        ("weir status", run(&["status", "--admin-url", &admin])),
        ("config show", run(&["config", "show"])),
        ("config show --json", run(&["config", "show", "--json"])),
        ("config check", run(&["config", "check", "--json"])),
        ("the command line", String::from_utf8_lossy(&line).into_owned()),
        ("the log", weir.log()),
    ]
}

#[track_caller]
fn keeps_silent(seen: &[(&str, String)], which: &str) {
    for (what, text) in seen {
        assert!(!text.is_empty(), "{what} ({which}) says nothing at all");
        for secret in [NATS_SECRET, ARANGO_SECRET] {
            // Also not in the forms in which it goes over the wire.
            let (basic, root) = (format!("weir:{secret}"), format!("root:{secret}"));
            for form in [secret.to_owned(), base64_of(&basic), base64_of(&root), base64_of(secret)]
            {
                assert!(!text.contains(&form), "{what} ({which}) tells a secret:\n{text}");
            }
        }
    }
}

/// Base64 without the end, which depends on padding.
fn base64_of(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |group: &[u8]| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
    };
    text.as_bytes().chunks_exact(3).flat_map(encode).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_works_shows_no_secret_wherever_it_comes_from() {
    let server = NatsServer::with_config(&only(NATS_SECRET));
    for place in Place::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let builder = place.give(Weir::projector().nats(&server).arango(NOWHERE), folder.path());
        let weir = builder.start().await;
        let client = weir.client();
        client.status_when("it is let in", |status| status["nats"]["connected"] == true).await;
        let mut seen = visible(&weir).await;
        let url = server.url();
        seen.push(("doctor", said(weir.bare_command().args(["doctor", "--nats-url", &url]))));
        keeps_silent(&seen, &format!("{place:?}"));
        let shown = &seen.iter().find(|(what, _)| *what == "config show").expect("it is there").1;
        assert_eq!(shown.matches("(hidden)").count(), 2, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_is_told_without_the_secret() {
    let server = NatsServer::with_config(&only("another"));
    for place in Place::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let builder = place.give(Weir::projector().nats(&server).arango(NOWHERE), folder.path());
        let weir = builder.start().await;
        let refused = async || weir.log().contains("refuses weir's credentials").then_some(());
        eventually("the refusal is told", PATIENCE, refused).await;
        let mut seen = visible(&weir).await;
        if matches!(place, Place::File) {
            // It waits for the server before it gives up.
            let url = server.url();
            seen.push(("doctor", said(weir.bare_command().args(["doctor", "--nats-url", &url]))));
        }
        keeps_silent(&seen, &format!("{place:?}, refused"));
        assert_eq!(weir.client().status().await["nats"]["connected"], false);
    }
}

/// Has a weir use both servers, as a user whom the second one knows.
fn on(weir: Builder, server: &NatsServer, arango: &StandIn) -> Builder {
    weir.nats(server).arango(&arango.url()).set("arango.user", StandIn::USER)
}

/// What an answer says, and with which status.
async fn asked(weir: &Weir, path: &str) -> (u16, String) {
    let answer = weir.client().get(path).await;
    (answer.status, format!("{:?} {}", answer.headers, answer.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_reads_that_log_in_at_arangodb_show_no_secret() {
    let mut server = NatsServer::with_config(&only(NATS_SECRET));
    let arango = StandIn::start();
    arango.set_password(ARANGO_SECRET);
    let (nats_url, arango_url) = (server.url(), arango.url());
    for place in Place::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let projector = place.give(on(Weir::projector(), &server, &arango), folder.path());
        let mut projector = projector.start().await;
        let run = |line: &str| {
            let mut command = projector.bare_command();
            command.args(line.split(' ')).args(["--nats-url", &nats_url]);
            said(command.env("WEIR_ARANGO__URL", &arango_url))
        };
        let migrated = run("migrate apply");
        assert!(migrated.contains("up to date"), "{migrated}");
        let works = |status: &Value| status["generations"][0]["phase"] == "live";
        projector.client().status_when("it writes", works).await;
        let mut seen = visible(&projector).await;
        seen.push(("migrate apply", migrated));
        seen.push(("doctor", run("doctor")));
        seen.push(("generation list", run("generation list")));
        seen.push(("parked list", run("parked list")));
        projector.stop().await;
        // Without the log an image knows nothing, and the database answers.
        server.kill();
        let api = place.give(on(Weir::api(), &server, &arango), folder.path()).start().await;
        let answer = asked(&api, "/history/user/ann").await;
        assert!(answer.0 == 200 && answer.1.contains("\"arangodb\""), "{answer:?}");
        seen.push(("an answer", answer.1));
        seen.extend(visible(&api).await);
        server.restart();
        keeps_silent(&seen, &format!("{place:?}, ArangoDB"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_reads_that_arangodb_does_not_let_in_say_so_without_the_secret() {
    let mut server = NatsServer::with_config(&only(NATS_SECRET));
    let arango = StandIn::start();
    for place in Place::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let projector = place.give(on(Weir::projector(), &server, &arango), folder.path());
        let projector = projector.start().await;
        let told = |status: &Value| {
            let why = status["generations"][0]["waiting"].as_str().unwrap_or_default();
            why.contains("check the user and its password")
        };
        projector.client().status_when("it is told that it is not let in", told).await;
        let mut seen = visible(&projector).await;
        seen.push(("readiness", asked(&projector, "/health/ready/projector").await.1));
        for verb in ["plan", "apply", "status"] {
            let mut command = projector.bare_command();
            let url = arango.url();
            seen.push(("migrate", said(command.args(["migrate", verb, "--arango-url", &url]))));
        }
        server.kill();
        let api = place.give(on(Weir::api(), &server, &arango), folder.path()).start().await;
        for path in ["/history/user/ann", "/recommendations/user/ann"] {
            let answer = asked(&api, path).await;
            assert!(answer.1.contains("\"partial\""), "{answer:?}");
            seen.push(("an answer", answer.1));
        }
        seen.extend(visible(&api).await);
        server.restart();
        keeps_silent(&seen, &format!("{place:?}, refused by ArangoDB"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_replaced_in_its_file_counts_without_a_restart() {
    let mut server = NatsServer::with_config(&only(NATS_SECRET));
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Place::File.give(Weir::gateway().nats(&server), folder.path());
    let gateway = gateway.set("log.filter", "info").start().await;
    let client = gateway.client();
    client.status_when("it is let in", |status| status["nats"]["connected"] == true).await;
    server.kill();
    server.reconfigure(&only("renewed"));
    fs::write(folder.path().join("weir.nats.password"), "renewed").expect("it is replaced");
    server.restart();
    client
        .status_when("it is let in with the new one", |status| {
            status["nats"]["connected"] == true && status["relay"]["sound"] == true
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nats_server_that_weir_starts_inherits_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = Weir::dev()
        .set("arango.password", ARANGO_SECRET)
        .set("nats.token", NATS_SECRET)
        .variable("CREDENTIALS_DIRECTORY", folder.path().to_str().expect("text"));
    let weir = builder.start().await;
    let child = weir.nats_child().expect("the server runs").pid();
    let environment = fs::read(format!("/proc/{child}/environ")).expect("our child's child");
    let environment = String::from_utf8_lossy(&environment);
    for hidden in [ARANGO_SECRET, NATS_SECRET, "WEIR_", "CREDENTIALS_DIRECTORY"] {
        assert!(!environment.contains(hidden), "{hidden}");
    }
    assert!(environment.contains("PATH="), "the check looks at something");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_with_secrets_are_told_without_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    fs::write(&file, format!("[arango]\npassword = \"{ARANGO_SECRET}\"\n")).expect("it is written");
    let file = file.to_str().expect("text");
    let in_url = format!("nats://weir:{NATS_SECRET}@127.0.0.1:1");
    for (builder, code, wanted) in [
        (Weir::gateway().variable("WEIR_CONFIG", file), 2, "set arango.password_file"),
        (Weir::gateway().set("nats.url", &in_url), 2, "nats.password_file, or nats.token_file"),
        (
            Weir::gateway()
                .set("nats.url", "nats://127.0.0.1:1")
                .set("nats.token", NATS_SECRET)
                .set("nats.token_file", "/nowhere/token"),
            2,
            "WEIR_NATS__TOKEN and /nowhere/token, by WEIR_NATS__TOKEN_FILE) comes from two places",
        ),
    ] {
        let (status, told) = builder.run().await;
        assert_eq!(status.code(), Some(code), "{told}");
        assert!(told.contains(wanted), "{told}");
        keeps_silent(&[("the error", told)], wanted);
    }
    let mut check = crate::support::weir::command();
    check.args(["config", "check"]).env("WEIR_NATS__TOKEN_FILE", "/nowhere/token");
    assert!(said(&mut check).contains("the secret file /nowhere/token cannot be read"));
}

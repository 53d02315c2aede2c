//! Secrets that are replaced count without a restart, in whatever order file and server change.

use std::fs;
use std::time::Duration;

use serde_json::json;
use weir::secret::SecretSource;
use weir::stream::{Credentials, Nats, NatsOptions};

use super::keeper::{Site, keeps_silent, times};
use crate::support::arango::StandIn;
use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::vault::{ROLE_ID, Vault};
use crate::support::weir::Weir;

/// Lets nobody in but weir with this password.
fn only(password: &str) -> String {
    format!("authorization {{ user: weir, password: \"{password}\" }}")
}

/// From Vault to a gateway: the secret changes in Vault and in the server, and nobody restarts anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_in_vault_reaches_a_gateway_that_runs() {
    let vault = Vault::start();
    vault.write("weir/nats", json!({ "password": "n4ts-first" }));
    let site = Site::new("");
    let id = site.write("secret-id", "secret-id-6f1e0d");
    site.write(
        "plan.toml",
        &format!(
            "every = \"1s\"\n[vault]\naddress = \"{}\"\nauth = \"approle\"\nrole_id = \"{ROLE_ID}\"\n\
             secret_id_file = \"{}\"\n[secrets.nats.password]\nfrom = \"vault\"\npath = \"weir/nats\"\n\
             field = \"password\"\n",
            vault.url(),
            id.display()
        ),
    );
    assert_eq!(site.fetch("20s").await.code, Some(0));
    let keeper = site.start("follow");
    let server = NatsServer::with_config(&only("n4ts-first"));
    let file = site.target().join("nats.password");
    let gateway = Weir::gateway()
        .nats(&server)
        .set("nats.user", "weir")
        .set("nats.password_file", file.to_str().expect("text"))
        .start()
        .await;
    let client = gateway.client();
    let connected = |status: &serde_json::Value| {
        status["nats"]["connected"] == true && status["relay"]["sound"] == true
    };
    client.status_when("it is let in", connected).await;

    // The file changes first: the link stays, and the server's word for it is told once.
    vault.write("weir/nats", json!({ "password": "n4ts-second" }));
    site.holds("nats.password", "n4ts-second").await;
    eventually("it has tried", PATIENCE, async || {
        gateway.log().contains("does not take the new secret yet").then_some(())
    })
    .await;
    assert!(connected(&client.status().await), "the link stays");
    server.reload(&only("n4ts-second"));
    let stored = async |user: &str| {
        let sent = client.request("POST", "/ingest?ack=stream").json(&event("viewed", user, "tea"));
        let answer = client.send(sent).await.ok()?;
        (answer.status == 200).then_some(())
    };
    eventually("an event is in the stream", PATIENCE, async || stored("ann").await).await;

    // The server changes first: the old one is tried in turns with the new until that is there.
    server.reload(&only("n4ts-third"));
    eventually("it is cut off", PATIENCE, async || {
        (client.status().await["nats"]["connected"] == false).then_some(())
    })
    .await;
    vault.write("weir/nats", json!({ "password": "n4ts-third" }));
    eventually("an event is in the stream again", PATIENCE, async || stored("bea").await).await;
    keeps_silent(&gateway.log(), &["n4ts-"]);
    keeps_silent(&keeper.log(), &["n4ts-", "secret-id-6f1e0d"]);
}

/// A server that takes old and new for a while: the link is made anew with the new one at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_anew_with_a_token_that_works() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("token");
    fs::write(&file, "first").expect("it is written");
    let server = NatsServer::with_config("authorization { token: first }");
    let options = NatsOptions {
        url: server.url(),
        name: "test".into(),
        credentials: Credentials::Token(SecretSource::File(file.clone())),
        ..NatsOptions::default()
    };
    let nats = Nats::connect(options).await.expect("it begins");
    let up = |times: u64| {
        let mut link = nats.link();
        async move {
            let up = link.wait_for(|link| link.connected && link.times >= times);
            let up = tokio::time::timeout(PATIENCE, up).await.expect("it comes up in time");
            up.expect("the link is watched").times
        }
    };
    assert_eq!(up(1).await, 1);
    server.reload("authorization { token: second }");
    fs::write(&file, "second").expect("it is written");
    assert!(up(2).await >= 2);
    // What cannot be read any more is no reason to be cut off for long.
    fs::remove_file(&file).expect("it is there");
    let before = nats.link().borrow().times;
    server.reload("authorization { token: third }");
    server.reload("authorization { token: second }");
    tokio::time::timeout(PATIENCE, nats.connected()).await.expect("it is let in with what it has");
    assert!(nats.link().borrow().times >= before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_of_arangodb_counts_within_seconds_and_a_wrong_one_breaks_nothing() {
    let (server, arango) = (NatsServer::start(), StandIn::start());
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("password");
    let write = |text: &str| {
        fs::write(dir.path().join("beside"), text).expect("it is written");
        fs::rename(dir.path().join("beside"), &file).expect("it is renamed");
    };
    let first = arango.password();
    write(&first);
    let projector = Weir::projector()
        .nats(&server)
        .arango(&arango.url())
        .set("arango.user", StandIn::USER)
        .set("arango.password_file", file.to_str().expect("text"));
    let migrated = {
        let url = arango.url();
        let mut command = crate::support::weir::command();
        command.args(["migrate", "apply"]).env("WEIR_ARANGO__URL", url);
        command.env("WEIR_ARANGO__USER", StandIn::USER).env("WEIR_ARANGO__PASSWORD_FILE", &file);
        command.output().expect("weir runs")
    };
    assert!(migrated.status.success(), "{migrated:?}");
    let projector = projector.start().await;
    let client = projector.client();
    client.status_when("it writes", |status| status["generations"][0]["phase"] == "live").await;
    let context = server.jetstream().await;
    let works = async |what: &str| {
        let body = event("viewed", "ann", what).to_string();
        let sent = context.publish("events.viewed", body.into()).await.expect("it is sent");
        sent.await.expect("it is stored");
    };
    // The file changes first, to what the server does not know yet.
    let given = arango.tokens_given();
    write("an0ther-password");
    eventually("the one before still counts", PATIENCE, async || {
        works("tea").await;
        projector.log().contains("does not take the new password yet").then_some(())
    })
    .await;
    assert!(arango.tokens_given() > given, "it has a token by the one before");
    // Then the server: the next look finds that it works, although no token was refused.
    arango.set_password("an0ther-password");
    let given = arango.tokens_given();
    eventually("a token by the new one", Duration::from_mins(1), async || {
        works("pot").await;
        (arango.tokens_given() > given).then_some(())
    })
    .await;
    client.status_when("it writes", |status| status["generations"][0]["phase"] == "live").await;
    let log = projector.log();
    assert_eq!(times(&log, "does not take the new password yet"), 1, "{log}");
    keeps_silent(&log, &[first.as_str(), "an0ther-password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_admin_token_opens_at_once_and_a_new_key_of_hashes_waits_for_a_restart() {
    let server = NatsServer::start();
    let dir = tempfile::tempdir().expect("a folder");
    let (token, key) = (dir.path().join("token"), dir.path().join("key"));
    fs::write(&token, "t0ken-one").expect("it is written");
    fs::write(&key, "k3y-one").expect("it is written");
    let gateway = Weir::gateway()
        .nats(&server)
        .set("access.mode", "keys")
        .set("admin.token_file", token.to_str().expect("text"))
        .set("privacy.hash_key_file", key.to_str().expect("text"))
        .start()
        .await;
    let client = gateway.client();
    let status = async |token: &str| {
        let request = client.admin_request("GET", "/admin/status").bearer_auth(token);
        client.send(request).await.expect("an answer").status
    };
    assert_eq!((status("t0ken-one").await, status("t0ken-two").await), (200, 401));
    fs::write(&token, "t0ken-two").expect("it is written");
    assert_eq!((status("t0ken-one").await, status("t0ken-two").await), (401, 200));
    // The first look is at the start, which is over.
    fs::write(&key, "k3y-two").expect("it is written");
    eventually("a replaced key is told", PATIENCE, async || {
        gateway.log().contains("privacy.hash_key was replaced").then_some(())
    })
    .await;
    keeps_silent(&gateway.log(), &["t0ken-", "k3y-"]);
}

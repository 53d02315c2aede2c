//! From a Vault: logins, tokens that end, entries that change or go, and a server that does not answer as it should.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::keeper::{SOON, Site, keeps_silent, mode, times};
use crate::support::aws::{Aws, key};
use crate::support::eventually;
use crate::support::tls::{Authority, Terminator};
use crate::support::vault::{ROLE_ID, Vault, Version};

const SECRET_ID: &str = "secret-id-6f1e0d";

fn plan(url: &str, more: &str) -> String {
    format!(
        "every = \"1s\"\n[vault]\naddress = \"{url}\"\nauth = \"approle\"\nrole_id = \"{ROLE_ID}\"\n{more}\n\
         [secrets.\"nats.password\"]\nfrom = \"vault\"\npath = \"weir/nats\"\nfield = \"password\"\n\
         [secrets.\"arango.password\"]\nfrom = \"vault\"\npath = \"weir/arango\"\nfield = \"password\"\n"
    )
}

/// A Vault with two entries, and a plan that fetches them.
fn site(vault: &Vault) -> Site {
    site_at(vault, &vault.url(), "")
}

fn site_at(vault: &Vault, url: &str, more: &str) -> Site {
    vault.write("weir/nats", json!({ "password": "n4ts-one" }));
    vault.write("weir/arango", json!({ "password": "4rango-one", "user": "weir" }));
    let site = Site::new("");
    let id = site.write("secret-id", SECRET_ID);
    let more = format!("secret_id_file = \"{}\"\n{more}", id.display());
    site.write("plan.toml", &plan(url, &more));
    site
}

const ALL: &[&str] = &["n4ts-one", "4rango-one", SECRET_ID, "hvs."];

#[tokio::test(flavor = "multi_thread")]
async fn a_role_fetches_its_secrets_into_files_that_only_the_group_reads() {
    let vault = Vault::start();
    vault.set().namespace = Some("shop/".into());
    let site = site_at(&vault, &vault.url(), "namespace = \"shop/\"");
    let ended = site.fetch("20s").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(site.value("nats.password").as_deref(), Some("n4ts-one"));
    assert_eq!(site.value("arango.password").as_deref(), Some("4rango-one"));
    assert_eq!(mode(&site.target().join("nats.password")), 0o440);
    assert_eq!(vault.set().logins, 1, "one login for all");
    assert!(ended.said.contains("nats.password"), "{ended:?}");
    keeps_silent(&ended.said, ALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_by_its_file_alone() {
    let (vault, authority) = (Vault::start(), Authority::new());
    let outside = Terminator::before(vault.address(), &authority.issue("vault")).await;
    let site = site_at(&vault, &outside.url(), "");
    let strange = site.fetch("2s").await;
    assert_eq!(strange.code, Some(1), "{strange:?}");
    assert!(strange.said.contains("Vault at 127.0.0.1") && strange.said.contains("certificate"));
    let ca = format!("ca_file = \"{}\"", authority.ca_file().display());
    let ended = site_at(&vault, &outside.url(), &ca).fetch("20s").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_id_is_told_once_and_tried_again_until_it_is_right() {
    let vault = Vault::start();
    let site = site(&vault);
    site.write("secret-id", "wrong-secret-id-31");
    let mut keeper = site.start("fetch");
    keeper.says("Vault refuses the login").await;
    let tried = vault.set().reads;
    assert_eq!(tried, 0, "nothing is read without a token");
    site.write("secret-id", SECRET_ID);
    let ended = keeper.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(times(&ended.said, "Vault refuses the login"), 1, "{ended:?}");
    assert_eq!(site.value("nats.password").as_deref(), Some("n4ts-one"));
    keeps_silent(&ended.said, ALL);
    keeps_silent(&ended.said, &["wrong-secret-id-31"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_is_one_line_at_the_deadline_with_what_to_do() {
    type Make = fn(&Vault);
    let cases: [(Make, &str); 6] = [
        (|vault| vault.set().sealed = true, "Vault is sealed: unseal it"),
        (|vault| vault.set().denied = true, "policy needs read"),
        (|vault| vault.set().limited = u32::MAX, "Vault asks for fewer requests"),
        (|vault| vault.add("weir/nats", Version::Deleted), "was deleted: undelete it"),
        (|vault| vault.add("weir/nats", Version::Destroyed), "was destroyed"),
        (|vault| vault.write("weir/nats", json!({ "pass": "x" })), "has no field password"),
    ];
    let cases = cases.map(async |(make, told)| {
        let vault = Vault::start();
        let site = site(&vault);
        make(&vault);
        let ended = site.fetch("3s").await;
        assert_eq!(ended.code, Some(1), "{told}: {ended:?}");
        let lines = ended.said.lines().filter(|line| line.contains("ERROR") && line.contains(told));
        assert_eq!(lines.count(), 1, "{told}: {ended:?}");
        assert_eq!(site.value("arango.password"), None, "{told}: all or nothing");
        keeps_silent(&ended.said, ALL);
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_rewritten_and_what_fails_keeps_its_last_good_value() {
    let vault = Vault::start();
    let site = site(&vault);
    assert_eq!(site.fetch("20s").await.code, Some(0));
    let mut keeper = site.start("follow");
    vault.write("weir/nats", json!({ "password": "n4ts-two" }));
    site.holds("nats.password", "n4ts-two").await;
    vault.revoke_all();
    vault.write("weir/nats", json!({ "password": "n4ts-three" }));
    site.holds("nats.password", "n4ts-three").await;

    vault.add("weir/nats", Version::Deleted);
    keeper.says("was deleted").await;
    vault.write("weir/arango", json!({ "password": "4rango-two" }));
    site.holds("arango.password", "4rango-two").await;
    assert_eq!(site.value("nats.password").as_deref(), Some("n4ts-three"), "it stays");

    vault.set().sealed = true;
    keeper.says("Vault is sealed").await;
    vault.set().sealed = false;
    vault.write("weir/nats", json!({ "password": "n4ts-four" }));
    // It waits longer each time; somebody who has mended it need not.
    keeper.hurry();
    site.holds("nats.password", "n4ts-four").await;
    keeper.says("all secrets can be fetched again").await;
    let said = keeper.stop().await;
    for told in ["was deleted", "Vault is sealed"] {
        assert_eq!(times(&said, told), 1, "{said}");
    }
    keeps_silent(&said, ALL);
    keeps_silent(&said, &["n4ts-", "4rango-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_away_keeps_nobody_from_the_last_good_values() {
    let vault = Vault::start();
    let site = site(&vault);
    assert_eq!(site.fetch("20s").await.code, Some(0));
    drop(vault);
    let mut keeper = site.start("follow");
    keeper.says("cannot be reached").await;
    assert_eq!(site.value("nats.password").as_deref(), Some("n4ts-one"));
    let said = keeper.stop().await;
    assert_eq!(times(&said, "cannot be reached"), 1, "one line for both: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_while_it_lasts() {
    let vault = Vault::start();
    vault.set().ttl = Duration::from_secs(3);
    let site = site(&vault);
    let mut keeper = site.start("follow");
    eventually("it is renewed twice", SOON, async || (vault.set().renewals >= 2).then_some(()))
        .await;
    assert_eq!(vault.set().logins, 1, "a renewal is no login");
    let said = keeper.stop().await;
    assert!(!said.contains("ERROR"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_aws_logs_in_by_who_it_is() {
    let (vault, aws) = (Vault::start(), Arc::new(Aws::start()));
    site(&vault);
    {
        let mut state = vault.set();
        (state.aws, state.server_id) = (Some(Arc::clone(&aws)), Some("vault.internal".into()));
    }
    let url = aws.url();
    let site = Site::new(&format!(
        "[vault]\naddress = \"{}\"\nauth = \"aws\"\nrole = \"weir\"\nserver_id = \"vault.internal\"\n\
         [aws]\nregion = \"eu-central-1\"\nimds_url = \"{url}\"\nsts_url = \"{url}\"\n\
         [secrets.\"nats.password\"]\nfrom = \"vault\"\npath = \"weir/nats\"\nfield = \"password\"\n",
        vault.url()
    ));
    let ended = site.fetch("20s").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(site.value("nats.password").as_deref(), Some("n4ts-one"));
    let known = key("first");
    keeps_silent(&ended.said, &[&known.secret, "session-token", "hvs.", "n4ts-one"]);

    // Keys that stand in the environment come before the machine's.
    aws.set().keys = vec![key("stranger")];
    let refused = vault.set().logins;
    let strange = site.variables_of("stranger").fetch("20s").await;
    assert_eq!(strange.code, Some(0), "{strange:?}");
    assert!(vault.set().logins > refused);
}

trait Of {
    fn variables_of(self, name: &str) -> Self;
}

impl Of for Site {
    /// Takes its keys from the environment.
    fn variables_of(self, name: &str) -> Self {
        let key = key(name);
        self.variable("AWS_ACCESS_KEY_ID", &key.id)
            .variable("AWS_SECRET_ACCESS_KEY", &key.secret)
            .variable("AWS_SESSION_TOKEN", key.token.as_deref().unwrap_or_default())
    }
}

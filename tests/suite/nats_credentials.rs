//! Who weir is to a real nats-server: right, wrong, missing, and changed while it runs.

use std::time::Duration;

use weir::secret::{Secret, SecretSource};
use weir::stream::{ConnectError, Credentials, Nats, NatsOptions, Refusal};

use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::tls::Authority;

const DEADLINE: Duration = Duration::from_secs(20);

fn password(user: &str, password: &str) -> String {
    format!("authorization {{ user: {user}, password: {password} }}")
}

async fn connect(server: &NatsServer, credentials: Credentials) -> Nats {
    let options =
        NatsOptions { url: server.url(), name: "test".into(), credentials, ..Default::default() };
    Nats::connect(options).await.unwrap()
}

fn value(secret: &str) -> SecretSource {
    SecretSource::Value(Secret::new(secret))
}

async fn is_up(nats: &Nats) {
    tokio::time::timeout(DEADLINE, nats.connected()).await.expect("the link comes up in time");
    assert_eq!(nats.link().borrow().refused, None);
}

async fn is_refused(nats: &Nats, refusal: Refusal) {
    let refused = async || {
        let link = *nats.link().borrow();
        (!link.connected && link.refused == Some(refusal)).then_some(())
    };
    eventually("the refusal is told", DEADLINE, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_or_token_lets_in_and_a_wrong_one_is_told() {
    let server = NatsServer::with_config(&password("weir", "right"));
    let as_weir =
        |secret: &str| Credentials::Password { user: "weir".into(), password: value(secret) };
    is_up(&connect(&server, as_weir("right")).await).await;
    is_refused(&connect(&server, as_weir("wrong")).await, Refusal::Credentials).await;
    is_refused(&connect(&server, Credentials::None).await, Refusal::Credentials).await;
    let server = NatsServer::with_config("authorization { token: right }");
    is_up(&connect(&server, Credentials::Token(value("right"))).await).await;
    is_refused(&connect(&server, Credentials::Token(value("wrong"))).await, Refusal::Credentials)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_changed_while_weir_runs_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let mut server = NatsServer::with_config(&password("weir", "first"));
    let credentials =
        Credentials::Password { user: "weir".into(), password: SecretSource::File(file.clone()) };
    let nats = connect(&server, credentials).await;
    is_refused(&nats, Refusal::Unreadable).await;
    std::fs::write(&file, "first\n").unwrap();
    is_up(&nats).await;
    server.kill();
    server.reconfigure(&password("weir", "second"));
    server.restart();
    is_refused(&nats, Refusal::Credentials).await;
    std::fs::write(&file, "second\n").unwrap();
    is_up(&nats).await;
    assert_eq!(nats.link().borrow().times, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_with_credentials_is_refused_without_showing_them() {
    for url in ["nats://weir:hunter2@127.0.0.1:4222", "127.0.0.1:1, hunter2@127.0.0.1:2"] {
        let options = NatsOptions { url: url.into(), name: "test".into(), ..Default::default() };
        let error = Nats::connect(options).await.unwrap_err();
        assert!(matches!(error, ConnectError::UserInfo));
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && shown.contains("in a file"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_private_authority_is_trusted_by_its_certificate_alone() {
    let authority = Authority::new();
    let pair = authority.issue("nats");
    let server = NatsServer::with_config(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}",
        pair.cert.display(),
        pair.key.display()
    ));
    let options = |ca_file| NatsOptions {
        url: server.url().replace("nats://", "tls://"),
        name: "test".into(),
        ca_file,
        ..Default::default()
    };
    let trusting = Nats::connect(options(Some(authority.ca_file()))).await.unwrap();
    is_up(&trusting).await;
    let strange = Nats::connect(options(None)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(500), strange.connected()).await.is_err());
    let missing = Nats::connect(options(Some("/nowhere/none.pem".into()))).await.unwrap_err();
    assert!(matches!(missing, ConnectError::CaFile { .. }), "{missing}");
}

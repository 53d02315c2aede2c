//! NATS and ArangoDB over TLS, with an authority that only the configuration knows.

use crate::support::arango::StandIn;
use crate::support::client::event;
use crate::support::nats::NatsServer;
use crate::support::tls::{Authority, Terminator};
use crate::support::weir::Weir;

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_a_database_with_tls_on_every_way() {
    let authority = Authority::new();
    let pair = authority.issue("servers");
    let nats = NatsServer::with_config(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}",
        pair.cert.display(),
        pair.key.display()
    ));
    let stand_in = StandIn::start();
    stand_in.set_password("open sesame");
    let plain = stand_in.url().trim_start_matches("http://").parse().expect("an address");
    let arango = Terminator::before(plain, &pair).await;
    let ca = authority.ca_file().display().to_string();
    let set = [
        ("WEIR_NATS__URL", nats.url().replace("nats://", "tls://")),
        ("WEIR_NATS__CA_FILE", ca.clone()),
        ("WEIR_ARANGO__URL", arango.url()),
        ("WEIR_ARANGO__USER", StandIn::USER.to_owned()),
        ("WEIR_ARANGO__PASSWORD", "open sesame".to_owned()),
        ("WEIR_ARANGO__CA_FILE", ca),
    ];
    let weir = set.iter().fold(Weir::dev(), |weir, (name, value)| weir.variable(name, value));
    let weir = weir.start().await;
    let mut migrate = weir.bare_command();
    let migrated = migrate.args(["migrate", "apply"]).output().expect("weir runs");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let client = weir.client();
    client.post(&event("purchased", "ann", "tea")).await.ok();
    let written = |status: &serde_json::Value| {
        let graphs = status["generations"].as_array().cloned().unwrap_or_default();
        graphs.iter().any(|graph| {
            graph["store"] == "arangodb" && graph["phase"] == "live" && graph["lag"] == 0
        })
    };
    client.status_when("the database has the event", written).await;
    let strange = Authority::new().ca_file().display().to_string();
    let mut migrate = weir.bare_command();
    let refused = migrate.args(["migrate", "status"]).env("WEIR_ARANGO__CA_FILE", strange).output();
    assert!(!refused.expect("weir runs").status.success(), "a strange authority is trusted");
}

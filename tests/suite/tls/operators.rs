//! The operators' listener over TLS, which may ask them for a certificate too.

use std::path::Path;
use std::process::Command;

use crate::support::tls::{Authority, Pair};
use crate::support::weir::{Builder, Weir};

/// Has the operators' listener speak TLS, and ask for certificates of an authority.
fn guarded(weir: Builder, pair: &Pair, clients: Option<&Authority>) -> Builder {
    let text = |path: &Path| path.display().to_string();
    let weir = weir
        .set("admin.tls_cert_file", &text(&pair.cert))
        .set("admin.tls_key_file", &text(&pair.key));
    match clients {
        Some(authority) => weir.set("admin.client_ca_file", &text(&authority.ca_file())),
        None => weir,
    }
}

/// Asks for the status as an operator who has these files; says whether it came, and what was said.
fn status(weir: &Weir, trusted: &Authority, own: Option<&Pair>) -> (bool, String) {
    let url = weir.client().admin_url().replace("http://", "https://");
    let mut command: Command = crate::support::weir::command();
    command.args(["status", "--admin-url", &url]).env("WEIR_ADMIN_CA_FILE", trusted.ca_file());
    if let Some(pair) = own {
        command.env("WEIR_ADMIN_CERT_FILE", &pair.cert).env("WEIR_ADMIN_KEY_FILE", &pair.key);
    }
    let output = command.output().expect("weir runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_reach_a_listener_of_an_authority_that_they_are_told() {
    let (authority, strange) = (Authority::new(), Authority::new());
    let weir = guarded(Weir::dev(), &authority.issue("admin"), None).start().await;
    let (well, said) = status(&weir, &authority, None);
    assert!(well, "{said}");
    let (well, said) = status(&weir, &strange, None);
    assert!(!well && said.contains("certificate"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_asks_for_certificates_lets_in_who_shows_one_of_its_authority() {
    let (authority, people, strange) = (Authority::new(), Authority::new(), Authority::new());
    let weir = guarded(Weir::dev(), &authority.issue("admin"), Some(&people)).start().await;
    let (well, said) = status(&weir, &authority, Some(&people.issue("operator")));
    assert!(well, "{said}");
    for own in [None, Some(strange.issue("stranger"))] {
        let (well, said) = status(&weir, &authority, own.as_ref());
        assert!(!well && said.contains("no weir answers"), "{said}");
    }
}

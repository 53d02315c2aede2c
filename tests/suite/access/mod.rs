//! Who may send, read and operate, on real processes.

mod doubts;
mod forged;
mod keys;
mod limits;
mod open;
mod tokens;

use serde_json::Value;

use crate::support::nats::NatsServer;
use crate::support::weir::command;

/// Runs `weir keys …` at a server and returns what it printed.
fn keys(server: &NatsServer, line: &[&str]) -> String {
    let output = command()
        .arg("keys")
        .args(line)
        .args(["--nats-url", &server.url()])
        .output()
        .expect("weir runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line:?}: {said}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Makes a key and returns its text.
fn key(server: &NatsServer, line: &[&str]) -> String {
    let text = keys(server, &[&["create", "--name", "test"], line].concat());
    assert!(text.starts_with("weir_"), "{text}");
    text
}

/// The id within a key's text.
fn id_of(key: &str) -> &str {
    key.split('_').nth(1).expect("an id")
}

fn listed(server: &NatsServer) -> Vec<Value> {
    let text = keys(server, &["list", "--all", "--json"]);
    let told: Value = serde_json::from_str(&text).expect("JSON");
    told["keys"].as_array().expect("a list").clone()
}

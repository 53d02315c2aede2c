//! The units themselves: what systemd says of them, and what weir takes of what they give it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::weir::command;

/// Highest exposure of a unit, in tenths, as `systemd-analyze security` counts it.
const EXPOSURE: u32 = 20;
/// The oldest that looks at files without a running systemd.
const OLDEST: u32 = 250;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packer/units")
}

/// The text of every unit by its name.
fn units() -> BTreeMap<String, String> {
    let files = fs::read_dir(folder()).expect("the units").map(|file| file.expect("a file").path());
    files
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a text"))
        })
        .collect()
}

fn services() -> BTreeMap<String, String> {
    units().into_iter().filter(|(name, _)| name.ends_with(".service")).collect()
}

/// The values of a key, in order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// A key's only value, in seconds.
fn seconds(unit: &str, key: &str) -> Option<u64> {
    values(unit, key).first()?.strip_suffix('s')?.parse().ok()
}

/// Runs systemd-analyze; says so, and returns nothing, where there is none that can look at files.
fn analyze(arguments: &[&str], units: &Path) -> Option<Output> {
    let version = Command::new("systemd-analyze").arg("--version").output().ok();
    let version = version.and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        text.split_whitespace().nth(1)?.parse::<u32>().ok()
    });
    if version.is_none_or(|version| version < OLDEST) {
        println!(
            "SKIPPED: no systemd-analyze of version {OLDEST} or newer, so nobody looks at the units"
        );
        return None;
    }
    let output = Command::new("systemd-analyze")
        .args(arguments)
        // The colon: and where units usually are.
        .env("SYSTEMD_UNIT_PATH", format!("{}:", units.display()))
        .env("SYSTEMD_COLORS", "0")
        .output();
    Some(output.expect("it has just run"))
}

fn text(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr].map(|part| String::from_utf8_lossy(part));
    parts.concat()
}

#[test]
fn every_unit_exposes_as_little_as_it_can() {
    for name in services().keys() {
        let unit = folder().join(name).display().to_string();
        let threshold = format!("--threshold={EXPOSURE}");
        let arguments = ["security", "--offline=true", "--no-pager", &threshold, &unit];
        let Some(output) = analyze(&arguments, &folder()) else { return };
        let text = text(&output);
        println!("{}", text.lines().find(|line| line.contains("Overall")).unwrap_or_default());
        assert!(output.status.success(), "{name}: {text}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut arguments = vec!["verify".to_owned()];
    for (name, text) in units() {
        let path = dir.path().join(name);
        // The programs are on the node, not here.
        let text = text
            .replace("/usr/local/bin/weir", "/bin/true")
            .replace("/usr/local/bin/nats-server", "/bin/true");
        fs::write(&path, text).expect("a copy");
        arguments.push(path.display().to_string());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(output) = analyze(&arguments, dir.path()) else { return };
    let text = text(&output);
    assert!(output.status.success() && text.trim().is_empty(), "{text}");
}

#[test]
fn every_service_is_started_again_for_ever_with_a_pause() {
    for (name, unit) in services() {
        assert_eq!(values(&unit, "StartLimitIntervalSec"), ["0"], "{name}");
        let wanted = if unit.contains("Type=oneshot") { "on-failure" } else { "always" };
        assert_eq!(values(&unit, "Restart"), [wanted], "{name}");
        let pause = seconds(&unit, "RestartSec").is_some_and(|seconds| seconds >= 2);
        // A connection cuts that pause short, so a unit with a socket has another.
        let other = values(&unit, "ExecStopPost").iter().any(|line| line.contains("sleep 2"));
        assert!(other || pause && !unit.contains(".socket"), "{name}");
    }
}

#[test]
fn roles_are_watched_and_have_the_time_that_they_need_to_end() {
    for (name, unit) in services().into_iter().filter(|(_, unit)| unit.contains("Type=notify")) {
        assert!(seconds(&unit, "WatchdogSec").is_some_and(|time| time >= 30), "{name}");
        // Two drains of 10 s and a minute; with a longer drain, weir asks for more by itself.
        assert!(seconds(&unit, "TimeoutStopSec").is_some_and(|time| time >= 80), "{name}");
        assert_eq!(values(&unit, "NotifyAccess"), ["main"], "{name}");
        // Weir tells that it lives for half a minute longer, from its first moment on.
        assert!(seconds(&unit, "TimeoutStartSec").is_some_and(|time| time > 30), "{name}");
    }
}

#[test]
fn nothing_of_ours_needs_nats_to_start() {
    for (name, unit) in units() {
        for key in ["Requires", "BindsTo", "Requisite", "Wants"] {
            let needed = values(&unit, key).join(" ");
            assert!(!needed.contains("nats-server"), "{name}: {key}={needed}");
        }
    }
    let gateway = &units()["weir-gateway.service"];
    let order = values(gateway, "After").join(" ");
    assert!(order.contains("weir-secrets.service") && order.contains("nats-server.service"));
    assert_eq!(values(gateway, "Requires"), ["weir-gateway.socket"]);
}

#[test]
fn weir_knows_the_commands_of_the_units() {
    for (name, unit) in services() {
        let line = values(&unit, "ExecStart")[0];
        let Some(arguments) = line.strip_prefix("/usr/local/bin/weir ") else { continue };
        // What stands before --help is read, and nothing of it is done.
        let told = command().args(arguments.split(' ')).arg("--help").output().expect("weir runs");
        assert!(told.status.success(), "{name}: {}", text(&told));
        let wrong = command().args(arguments.split(' ')).args(["--no-such", "--help"]).output();
        assert!(!wrong.expect("weir runs").status.success(), "{name}: is the check blind?");
    }
}

#[test]
fn weir_takes_what_the_units_give_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("weir.toml");
    fs::write(&config, "data_dir = \"/var/lib/weir\"\n[nats]\nurl = \"nats://127.0.0.1:4222\"\n")
        .expect("a file");
    let mut listeners = BTreeSet::new();
    for role in ["gateway", "projector", "api"] {
        let unit = &units()[&format!("weir-{role}.service")];
        let line = values(unit, "ExecStart")[0];
        assert_eq!(line, format!("/usr/local/bin/weir {role} --config /etc/weir/weir.toml"));
        let given = values(unit, "Environment");
        let variables = given.iter().filter_map(|variable| variable.split_once('='));
        let checked = command()
            .args(["config", "check", "--config"])
            .arg(&config)
            .envs(variables.clone())
            .output()
            .expect("weir runs");
        assert!(checked.status.success(), "{role}: {}", text(&checked));
        let admin = variables.clone().find(|(name, _)| *name == "WEIR_ADMIN__LISTEN");
        let (_, admin) = admin.expect("an admin listener of its own");
        assert!(admin.starts_with("127.0.0.1:"), "{role}: {admin}");
        listeners.insert(admin.to_owned());
    }
    assert_eq!(listeners.len(), 3, "they share a machine: {listeners:?}");
    let socket = &units()["weir-gateway.socket"];
    assert_eq!(values(socket, "FileDescriptorName"), ["public"]);
    assert_eq!(values(socket, "ListenStream"), ["8080"], "the port of gateway.listen");
}

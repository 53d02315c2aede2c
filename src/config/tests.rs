//! The configuration as an operator meets it: layers, problems, and what is shown.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::{Effective, EventTypeSettings, Flag, Problems, Sources, load};

/// A file, variables and flags in a folder of their own.
struct Given {
    folder: TempDir,
    sources: Sources,
}

impl Given {
    fn file(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("weir.toml");
        std::fs::write(&path, text).unwrap();
        Self { folder, sources: Sources { file: Some(path), ..Sources::default() } }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        let pair = (name.to_owned(), value.to_owned());
        self.sources.environment.push(pair);
        self
    }

    fn flag(mut self, name: &'static str, key: &'static str, value: &str) -> Self {
        let value = value.to_owned();
        self.sources.flags.push(Flag { name, key, value });
        self
    }

    fn load(&self) -> Result<Effective, Problems> {
        load(&self.sources)
    }

    /// Returns the problems with the folder's path taken out.
    fn problems(&self) -> String {
        let text = self.load().unwrap_err().to_string();
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn the_defaults_are_valid_and_complete() {
    let effective = load(&Sources::default()).unwrap();
    insta::assert_snapshot!(effective.to_text());
    let settings = effective.settings;
    assert_eq!(settings.wal.segment_age, Duration::from_mins(5));
    assert_eq!(settings.nats.url, None);
    let refunded = EventTypeSettings::Retraction { retracts: "purchased".into() };
    assert_eq!(settings.event_types["refunded"], refunded);
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let given =
        Given::file("data_dir = 'file'\ngateway.listen = 'file:1'\nadmin.listen = 'file:2'")
            .variable("WEIR_GATEWAY__LISTEN", "env:1")
            .variable("WEIR_DATA_DIR", "env")
            .flag("--data-dir", "data_dir", "flag");
    let effective = given.load().unwrap();
    assert_eq!(effective.settings.data_dir, PathBuf::from("flag"));
    assert_eq!(effective.settings.gateway.listen, "env:1");
    assert_eq!(effective.settings.admin.listen, "file:2");
    let shown = effective.to_text();
    let source = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().next_back().unwrap().to_owned()
    };
    assert_eq!(source("data_dir"), "--data-dir");
    assert_eq!(source("gateway.listen"), "WEIR_GATEWAY__LISTEN");
    assert!(source("admin.listen").ends_with("weir.toml"));
    assert_eq!(source("wal.max_bytes"), "default");
}

#[test]
fn all_problems_are_told_at_once_with_source_and_advice() {
    let given = Given::file(
        r#"
        dat_dir = "x"
        gateway = 5
        [admin]
        listen = "nowhere"
        [wal]
        max_bytes = "64MB5"
        segment_age = 300
        segment_bytes = true
        [event_types.viewed]
        kind = "interacton"
        [event_types.gift]
        weight = 2
        [event_types.returned]
        kind = "retraction"
        retracts = "purchase"
        [event_types.loved]
        kind = "interaction"
        weight = -1
        colour = "red"
        [event_types."not a name"]
        kind = "user_only"
        [event_types.signed_up]
        kind = "user_only"
        collection = "x"
        "#,
    )
    .variable("WEIR_GATEWAY_LISTEN", "127.0.0.1:1")
    .variable("WEIR_NATS__URL", "http://user:secret@host")
    .flag("--log-format", "log.format", "xml");
    let problems = given.problems();
    assert!(!problems.contains("secret"), "{problems}");
    insta::assert_snapshot!(problems);
}

#[test]
fn values_that_contradict_each_other_are_told() {
    let given = Given::file(
        "gateway.listen = '[::1]:80'\nadmin.listen = '[::1]:80'\n\
         gateway.chunk_timeout = '2min'\nwal.max_bytes = '32MiB'",
    );
    insta::assert_snapshot!(given.problems());
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_a_problem_beside_the_others() {
    let given = Given::file("data_dir = \n").variable("WEIR_LOG__FORMAT", "xml");
    let problems = given.problems();
    assert!(problems.contains("2 problems"), "{problems}");
    assert!(problems.contains("weir.toml is not TOML"), "{problems}");
    let sources = Sources { file: Some("/nowhere/weir.toml".into()), ..Sources::default() };
    let problems = load(&sources).unwrap_err().to_string();
    assert!(problems.contains("cannot be read"), "{problems}");
}

#[test]
fn event_types_are_added_changed_and_switched_off() {
    let given = Given::file(
        "[event_types]\n\
         searched = { kind = 'off' }\n\
         viewed = { weight = 0.5 }\n\
         clicked = { kind = 'user_only' }\n\
         watched = { kind = 'interaction' }\n",
    )
    .variable("WEIR_EVENT_TYPES__LIKED__WEIGHT", "7");
    let types = given.load().unwrap().settings.event_types;
    assert!(!types.contains_key("searched"));
    let interaction = |collection: &str, weight| EventTypeSettings::Interaction {
        collection: collection.into(),
        weight,
    };
    assert_eq!(types["viewed"], interaction("viewed", 0.5));
    assert_eq!(types["watched"], interaction("watched", 1.0));
    assert_eq!(types["liked"], interaction("liked", 7.0));
    assert_eq!(types["clicked"], EventTypeSettings::UserOnly);
}

#[test]
fn switching_off_what_a_retraction_needs_is_a_problem() {
    let given = Given::file("event_types.purchased = { kind = 'off' }");
    let problems = given.problems();
    assert!(problems.contains("event_types.refunded.retracts"), "{problems}");
}

#[test]
fn collections_that_the_graph_cannot_have_are_problems() {
    let given = Given::file(
        "[event_types]\n\
         users = { kind = 'interaction' }\n\
         watched = { kind = 'interaction', collection = '1st' }\n\
         seen = { kind = 'interaction', collection = 'viewed' }\n",
    );
    insta::assert_snapshot!(given.problems());
}

#[test]
fn variables_of_others_are_passed_over() {
    let given = Given::file("")
        .variable("WEIR_CONFIG", "x")
        .variable("WEIR_SERVICE_HOST", "10.0.0.1")
        .variable("WEIR_PORT_4222_TCP", "tcp://10.0.0.1:4222")
        .variable("HOME", "/root")
        .variable("WEIR_DATA_DIR", "")
        .variable("WEIR_NATS_SERVER", "/usr/bin/nats-server");
    let settings = given.load().unwrap().settings;
    assert_eq!(settings.data_dir, PathBuf::from("data"));
    assert_eq!(settings.nats.server, Some("/usr/bin/nats-server".into()));
}

#[test]
fn secrets_are_not_shown() {
    let given =
        Given::file("").flag("--nats-url", "nats.url", "nats://u:p@ss@a:1,tls://b:2,nats://tok@c");
    let effective = given.load().unwrap();
    let shown = effective.to_json().to_string();
    assert!(shown.contains("nats://***@a:1,tls://b:2,nats://***@c"), "{shown}");
    assert!(!shown.contains("p@ss") && !shown.contains("tok"), "{shown}");
}

//! The configuration as an operator meets it: layers, problems, and what is shown.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::{Effective, EventTypeSettings, Flag, Problems, Sources, load};
use crate::secret::SecretSource;

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
    let refunded =
        EventTypeSettings::Retraction { retracts: "purchased".into(), aliases: Vec::new() };
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
fn numbers_in_a_file_need_no_quotes() {
    let given = Given::file(
        "wal.max_bytes = 1073741824\n[gateway]\nbatch_events = 7\n[arango]\none_shard = true",
    );
    let settings = given.load().unwrap().settings;
    assert_eq!((settings.wal.max_bytes, settings.gateway.batch_events), (1 << 30, 7));
    assert!(settings.arango.one_shard);
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
        aliases: Vec::new(),
    };
    assert_eq!(types["viewed"], interaction("viewed", 0.5));
    assert_eq!(types["watched"], interaction("watched", 1.0));
    assert_eq!(types["liked"], interaction("liked", 7.0));
    assert_eq!(types["clicked"], EventTypeSettings::UserOnly { aliases: Vec::new() });
}

#[test]
fn aliases_of_event_types_are_a_list_or_a_text_and_mean_one_type() {
    let given = Given::file(
        "[event_types]\n\
         viewed = { aliases = ['Artikel angesehen', 'seen'] }\n\
         refunded = { aliases = 'returned, sent back' }\n\
         searched = { aliases = ['looked for'] }\n",
    );
    let effective = given.load().unwrap();
    assert!(effective.to_text().contains("Artikel angesehen"), "{}", effective.to_text());
    let types = effective.settings.event_types;
    let returned = EventTypeSettings::Retraction {
        retracts: "purchased".into(),
        aliases: vec!["returned".into(), "sent back".into()],
    };
    assert_eq!(types["refunded"], returned);
    assert_eq!(
        types["searched"],
        EventTypeSettings::UserOnly { aliases: vec!["looked for".into()] }
    );
    let given = Given::file(
        "[event_types]\n\
         viewed = { aliases = ['seen', 'Clicked'] }\n\
         liked = { aliases = ['SEEN', ''] }\n\
         rated = { aliases = 5 }\n",
    );
    insta::assert_snapshot!(given.problems(), @r#"
    the configuration has 4 problems:
      event_types.rated.aliases (weir.toml) is 5, not a list of names: write ["Product Viewed", "view"]
      event_types.liked.aliases (weir.toml) holds what cannot be a name: use 1 to 64 bytes without control characters
      event_types.viewed.aliases (weir.toml) holds "seen", which already means liked: remove it from one
      event_types.viewed.aliases (weir.toml) holds "clicked", which already means clicked: remove it from one
    "#);
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

/// A configuration whose three secrets come from a file, a variable and systemd.
fn secretive() -> Given {
    let given = Given::file("arango.password_file = 'FILE'\nnats.user = 'weir'");
    let folder = given.folder.path().to_owned();
    std::fs::write(folder.join("password"), "from-a-file\n").unwrap();
    std::fs::write(folder.join("weir.nats.token"), "from-systemd\n").unwrap();
    let file = folder.join("weir.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("FILE", folder.join("password").to_str().unwrap())).unwrap();
    given
}

#[test]
fn secrets_come_from_files_variables_and_systemd_and_are_never_shown() {
    let given = secretive().variable("WEIR_NATS__PASSWORD", "from-a-variable");
    let effective = given.load().unwrap();
    let read = |source: &Option<SecretSource>| {
        source.as_ref().map(|source| source.read().unwrap().expose().to_owned())
    };
    let settings = &effective.settings;
    assert_eq!(read(&settings.arango.password).as_deref(), Some("from-a-file"));
    assert_eq!(read(&settings.nats.password).as_deref(), Some("from-a-variable"));
    assert_eq!(read(&settings.nats.token), None);

    let folder = given.folder.path().to_str().unwrap().to_owned();
    let file = Given::file("").variable("CREDENTIALS_DIRECTORY", &folder);
    let token = file.load().unwrap();
    assert_eq!(read(&token.settings.nats.token).as_deref(), Some("from-systemd"));

    for effective in [&effective, &token] {
        let all = format!("{effective:?}{}{}", effective.to_text(), effective.to_json());
        assert!(!all.contains("from-"), "{all}");
        assert!(all.contains("(hidden)"), "{all}");
        assert_eq!(effective.unreadable(), []);
    }
    assert!(!format!("{:?}", given.sources).contains("from-"));
    let shown = effective.to_text();
    let place = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_once("(hidden)").unwrap().1.trim().replace(&folder, "")
    };
    assert_eq!(place("arango.password "), "/password, by /weir.toml");
    assert_eq!(place("nats.password "), "WEIR_NATS__PASSWORD");
    assert!(token.to_text().contains("/weir.nats.token"));
}

#[test]
fn a_secret_in_the_wrong_place_or_in_two_is_a_problem_that_does_not_show_it() {
    let given = Given::file(
        "arango.password = 'hunter2'\nnats.token_file = '/a'\nnats.password_file = '/b'\n\
         arango.url = 'http://root:hunter2@host'\nnats.monitor_url = 'http://u:hunter2@host:1'",
    )
    .variable("WEIR_NATS__TOKEN", "hunter2")
    .variable("WEIR_NATS__URL", "nats://hunter2@host")
    .variable("WEIR_NATS_PASSWORD", "hunter2")
    .variable("WEIR_ARANGO", "hunter2")
    .flag("--nats-password", "nats.password", "hunter2");
    let problems = given.problems();
    assert!(!problems.contains("hunter2"), "{problems}");
    insta::assert_snapshot!(problems);
    let broken = Given::file("arango.password = 'hunter2\n").problems();
    assert!(broken.contains("in line 1") && !broken.contains("hunter2"), "{broken}");
}

#[test]
fn one_file_named_twice_is_one_place() {
    let given = Given::file("").variable("WEIR_NATS__USER", "weir");
    let path = given.folder.path().join("weir.nats.password");
    std::fs::write(&path, "secret").unwrap();
    let given = given
        .variable("CREDENTIALS_DIRECTORY", path.parent().unwrap().to_str().unwrap())
        .variable("WEIR_NATS__PASSWORD_FILE", path.to_str().unwrap());
    assert_eq!(given.load().unwrap().settings.nats.password, Some(SecretSource::File(path)));
}

#[test]
fn nats_takes_one_way_to_log_in() {
    let given = Given::file("nats.credentials_file = '/c'\nnats.user = 'u'")
        .variable("WEIR_NATS__TOKEN", "t");
    insta::assert_snapshot!(given.problems());
}

#[test]
fn files_that_cannot_be_read_are_told_when_somebody_asks() {
    let given = Given::file("")
        .variable("WEIR_ARANGO__PASSWORD_FILE", "/nowhere/password")
        .variable("WEIR_ARANGO__CA_FILE", "/nowhere/ca.pem");
    let unreadable = given.load().unwrap().unreadable();
    let told: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("arango.password (/nowhere/password, by "), "{told:?}");
    assert!(told[1].starts_with("arango.ca_file (WEIR_ARANGO__CA_FILE) cannot be used: /nowhere"));
}

#[test]
fn an_arangodb_is_an_address_without_a_path() {
    let url = |text: &str| Given::file("").variable("WEIR_ARANGO__URL", text).load();
    for (given, taken) in [
        ("http://host:8529", "http://host:8529"),
        ("https://db.example.org/", "https://db.example.org"),
        ("http://[::1]:8529", "http://[::1]:8529"),
    ] {
        assert_eq!(url(given).unwrap().settings.arango.url.as_deref(), Some(taken));
    }
    for wrong in
        ["host:8529", "http://", "http://host/_db/x", "http://h:p:1", "http://h?x", "tcp://h:1"]
    {
        assert!(url(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn copies_and_times_that_contradict_each_other_are_told() {
    let given = Given::file(
        "[arango]\nwrite_concern = 3\nquery_timeout = '20s'\none_shard = 'maybe'\n\
         database_prefix = '1st'\nuser = ''\n[projector]\nack_wait = '3s'\nworkers = 65",
    );
    insta::assert_snapshot!(given.problems());
}

#[test]
fn copies_need_a_cluster_and_an_odd_number_of_servers() {
    let even = Given::file("nats.replicas = 2\nnats.url = 'nats://a:1,nats://b:2'").problems();
    assert!(even.contains("survives no more losses than 1") && even.contains("use 3"), "{even}");
    let alone = Given::file("nats.replicas = 3").problems();
    assert!(alone.contains("needs a cluster") && alone.contains("nats.url"), "{alone}");
    let three = "nats.replicas = 3\nnats.url = 'nats://a:1,nats://b:2,nats://c:3'\n\
                 nats.monitor_url = 'http://a:1, http://b:2'";
    assert_eq!(Given::file(three).load().expect("valid").settings.nats.replicas, 3);
    let one = Given::file("nats.monitor_url = 'http://a:1,b:2'").problems();
    assert!(one.contains("several with commas between"), "{one}");
}

#[test]
fn an_image_is_bounded_only_in_front_of_a_database() {
    let alone = Given::file("[image]\ndays = 30").problems();
    assert!(alone.contains("image.days") && alone.contains("set arango.url"), "{alone}");
    let both = Given::file("[image]\ndays = 30\n[arango]\nurl = 'http://a:8529'");
    assert_eq!(both.load().expect("valid").settings.image.days, Some(30));
}

#[test]
fn keys_of_an_issuer_come_from_this_machine_or_over_tls() {
    let told = |url: &str| {
        let jwt = format!("issuer = 'https://id.example'\naudience = 'weir'\njwks_url = '{url}'");
        Given::file(&format!("[access.jwt]\n{jwt}"))
            .load()
            .err()
            .map(|problems| problems.to_string())
    };
    for good in [
        "https://id.example/keys.json",
        "http://127.0.0.1:9000/keys",
        "http://[::1]:9000/keys",
        "http://localhost/keys",
    ] {
        assert_eq!(told(good), None, "{good}");
    }
    for bad in ["http://id.example/keys", "http://127.0.0.1.example/keys", "http://10.0.0.1:9000"] {
        assert!(told(bad).is_some_and(|told| told.contains("use https://")), "{bad}");
    }
    assert!(told("https://user@id.example/keys").is_some());
}

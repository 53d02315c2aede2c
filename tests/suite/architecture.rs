//! The layout holds: who may import whom, who names which library, and what never comes in.
//!
//! It reads the sources. Comments do not count, tests within the sources do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import of the crate, itself aside, in reading order. `cli` and `app` put everything together.
const ALLOWED: &[(&str, &[&str])] = &[
    // Bounds and the clock stand below everything.
    ("limits", &[]),
    ("clock", &[]),
    ("pulse", &["limits"]),
    ("secret", &["limits"]),
    // Pure: each only what is below it.
    ("event", &["limits"]),
    ("graph", &["event"]),
    ("projection", &["limits", "event", "graph"]),
    ("recommend", &["limits"]),
    ("describe", &["limits", "event"]),
    // The two logs, which never meet.
    ("stream", &["limits", "secret"]),
    ("wal", &["limits", "clock", "pulse"]),
    // What is kept.
    (
        "store",
        &["limits", "clock", "secret", "event", "graph", "projection", "recommend", "telemetry"],
    ),
    // What is fetched at boot: below everything but the names of what it fetches.
    ("secrets", &["limits", "clock", "secret", "config"]),
    // The edge and the child process.
    ("http", &["limits", "pulse", "describe", "telemetry"]),
    ("systemd", &["limits", "pulse"]),
    ("telemetry", &["limits"]),
    ("broker", &["limits", "telemetry"]),
    // Who may do what.
    ("access", &["limits", "clock", "stream", "http"]),
    // Components: what moves events between logs, stores and people. None knows the configuration.
    (
        "gateway",
        &[
            "limits",
            "clock",
            "secret",
            "access",
            "event",
            "graph",
            "describe",
            "http",
            "telemetry",
            "wal",
        ],
    ),
    ("generation", &["limits", "clock", "event", "stream"]),
    ("relay", &["limits", "clock", "pulse", "event", "stream", "telemetry", "wal"]),
    (
        "projector",
        &[
            "limits",
            "clock",
            "pulse",
            "event",
            "graph",
            "projection",
            "store",
            "stream",
            "telemetry",
        ],
    ),
    // Jobs stand above what they drive.
    (
        "replay",
        &[
            "limits",
            "clock",
            "event",
            "graph",
            "projection",
            "store",
            "stream",
            "telemetry",
            "generation",
            "projector",
        ],
    ),
    // Of jobs it knows what is asked for; commands bring it together with what runs.
    ("rollout", &["limits", "clock", "generation", "replay"]),
    (
        "query",
        &[
            "limits",
            "clock",
            "access",
            "event",
            "graph",
            "describe",
            "http",
            "recommend",
            "store",
            "telemetry",
        ],
    ),
    // Configuration knows kinds of values, not components.
    ("config", &["limits", "event", "secret"]),
    ("app", ALL),
    ("cli", ALL),
    ("fuzzing", ALL),
];

const ALL: &[&str] = &["*"];

/// Libraries that only one module may name.
const OWNED: &[(&str, &[&str])] = &[
    ("sled", &["wal"]),
    ("async_nats", &["stream"]),
    ("axum", &["http", "gateway", "query", "app", "cli"]),
    ("hyper", &["http", "gateway"]),
    ("hyper_util", &["http"]),
    ("rustls", &["http"]),
    ("tokio_rustls", &["http"]),
    ("ipnet", &["http", "config"]),
    ("listenfd", &["systemd"]),
    ("clap", &["cli"]),
    ("anyhow", &["app", "cli"]),
    ("figment", &["config"]),
    ("reqwest", &["cli", "access", "store", "stream", "secrets"]),
    ("jsonwebtoken", &["access"]),
    ("sha2", &["access", "secrets"]),
    ("hmac", &["secrets"]),
    ("toml", &["secrets"]),
    ("async_compression", &["gateway"]),
    ("arangors", &["store"]),
];

/// Modules without I/O, tasks, clocks or randomness, and what would bring them in.
const PURE: &[&str] = &["event", "graph", "projection", "recommend", "describe"];
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime",
    "async fn",
    ".await",
    "tracing",
    "metrics::",
    "Uuid",
    "uuid::",
    "rand::",
    "io::stdin",
    "io::stdout",
    "println!",
];

/// Libraries that may not be in the tree, however they come in.
const REFUSED: &[&str] = &["aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls"];

struct Source {
    path: PathBuf,
    module: String,
    text: String,
    /// Without comments.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn rust_files(dir: &str) -> Vec<Source> {
    let mut found = Vec::new();
    files_below(&root().join(dir), &mut found);
    found.sort();
    let sources = found.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().map(|line| before_comment(line).to_owned() + "\n").collect();
        let below = path.strip_prefix(root().join(dir)).unwrap();
        let module = below
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        Source { path, module, text, code }
    });
    sources.collect()
}

/// A line up to its comment; `//` of a URL in a text is none.
fn before_comment(line: &str) -> &str {
    let begin = line.match_indices("//").find(|(at, _)| *at == 0 || !line[..*at].ends_with(':'));
    begin.map_or(line, |(at, _)| &line[..at])
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Where a name stands in code as a path's beginning or a whole word.
fn names(code: &str, name: &str) -> bool {
    let bytes = code.as_bytes();
    code.match_indices(name).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = &code[at + name.len()..];
        !is_word(before)
            // After a comma code has a space; a filter of logs in a text has none.
            && !matches!(before, Some(b'.' | b'"' | b'`' | b'/' | b','))
            && after.starts_with("::")
            || code[..at].ends_with("use ") && after.starts_with([';', ' '])
    })
}

/// The modules that a file names: `crate::a::…`, and each of `crate::{a, b::c, …}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        if is_word(at.checked_sub(1).and_then(|at| code.as_bytes().get(at))) {
            continue;
        }
        let first = |path: &str| -> String {
            path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        match rest.strip_prefix('{') {
            Some(group) => found.extend(top_level(group).into_iter().map(first)),
            None => found.extend([first(rest)]),
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The parts of a group up to its closing brace, split at commas outside inner braces.
fn top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                parts.push(&group[begin..at]);
                return parts;
            }
            ',' if depth == 0 => {
                parts.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    panic!("a group of imports without an end");
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for Source { path, module, code, .. } in rust_files("src") {
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(may) = allowed.get(module.as_str()) else {
            wrong.push(format!("{}: the module {module} is not in the table", path.display()));
            continue;
        };
        let other = imports(&code).into_iter().filter(|name| *name != module);
        wrong.extend(
            other
                .filter(|name| *may != ALL && !may.contains(&name.as_str()))
                .map(|name| format!("{}: {module} may not import {name}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_says_what_the_design_promises() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let may =
        |module: &str, other: &str| allowed[module].contains(&other) || allowed[module] == ALL;
    assert!(!may("wal", "stream") && !may("stream", "wal"));
    for component in
        ["gateway", "relay", "projector", "query", "wal", "stream", "store", "broker", "http"]
    {
        assert!(!may(component, "config"), "{component}");
    }
    for pure in PURE {
        assert!(
            allowed[pure].iter().all(|below| PURE.contains(below) || *below == "limits"),
            "{pure}"
        );
    }
    // Nothing imports in a circle.
    let mut done: Vec<&str> = Vec::new();
    while done.len() < ALLOWED.len() {
        let next = ALLOWED
            .iter()
            .filter(|(module, _)| !done.contains(module))
            .find(|(_, below)| *below == ALL || below.iter().all(|below| done.contains(below)));
        let (module, _) = next.expect("the table has a circle");
        done.push(module);
    }
    let listed = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .map(|name| name.trim_end_matches(';'))
        .collect();
    assert_eq!(
        modules,
        allowed.keys().copied().collect(),
        "src/lib.rs and the table name the same modules"
    );
}

#[test]
fn libraries_are_named_by_their_owners_alone() {
    let sources = rust_files("src");
    let mut wrong = Vec::new();
    for (library, owners) in OWNED {
        let users: Vec<&Source> =
            sources.iter().filter(|source| names(&source.code, library)).collect();
        assert!(
            users.iter().any(|source| source.module == owners[0]),
            "nobody names {library}: is the check blind?"
        );
        let strangers = users.iter().filter(|source| !owners.contains(&source.module.as_str()));
        wrong.extend(strangers.map(|source| format!("{} names {library}", source.path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_do_no_input_or_output() {
    let mut wrong = Vec::new();
    for Source { path, code, .. } in
        rust_files("src").iter().filter(|source| PURE.contains(&source.module.as_str()))
    {
        wrong.extend(
            IMPURE
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in rust_files("src").iter().chain(&rust_files("tests")) {
        let lines = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        assert!(
            (1..=9).contains(&lines),
            "{} begins with {lines} lines of //!",
            source.path.display()
        );
    }
}

#[test]
fn libraries_that_do_not_build_everywhere_stay_out() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in REFUSED {
        assert!(
            !lock.contains(&format!("name = \"{name}\"\n")),
            "{name} came in: see `cargo tree -i {name}`"
        );
    }
}

#[test]
fn the_check_sees_what_it_looks_for() {
    let code = "use crate::{wal, stream::{self, Mark}, limits::X};\nfn f(g: crate::graph::Key) {}\nuse xcrate::no;";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["graph", "limits", "stream", "wal"]);
    assert_eq!(before_comment("let url = \"nats://x\"; // sled::open"), "let url = \"nats://x\"; ");
    assert!(names("let db = sled::open(path);", "sled") && names("use sled;", "sled"));
    assert!(!names("unsled::x; self.sled::y; a \"sled\" of files", "sled"));
}

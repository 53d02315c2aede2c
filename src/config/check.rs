//! Checks every value and collects every problem (pure).

use std::fmt;
use std::net::IpAddr;

use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::event_types;
use super::humane::{format_duration, format_size, parse_duration, parse_size};
use super::schema::{self, EVENT_TYPES_KEY, FIELDS, Kind, NEEDED, ORDERED};
use super::secrets::{Secrets, Settled};
use super::settings::Settings;
use super::show::{Effective, Row};
use super::sources::{Layer, Merged, Origin, insert};
use crate::limits::USER_BYTES;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The key, unless the whole source is wrong.
    pub key: Option<String>,
    /// A file, a variable, a flag.
    pub source: String,
    pub wrong: String,
    /// What to do.
    pub advice: String,
}

impl Problem {
    pub(super) fn new(origin: &Origin, key: &str, wrong: String, advice: String) -> Self {
        Self { key: Some(key.to_owned()), source: origin.name(key), wrong, advice }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(formatter, "{key} ({})", self.source)?,
            None => write!(formatter, "{}", self.source)?,
        }
        write!(formatter, " {}: {}", self.wrong, self.advice)
    }
}

/// All that is wrong; never empty.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let word = if count == 1 { "problem" } else { "problems" };
        write!(formatter, "the configuration has {count} {word}:")?;
        for problem in &self.0 {
            write!(formatter, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// Drops from a layer what is no key or has the wrong form, and reports it, so that the rest can be checked.
pub(super) fn prune(layer: &mut Layer, problems: &mut Vec<Problem>) {
    let Layer { origin, values } = layer;
    prune_table("", values, origin, problems);
}

fn prune_table(prefix: &str, table: &mut Dict, origin: &Origin, problems: &mut Vec<Problem>) {
    table.retain(|name, value| {
        let key = format!("{prefix}{name}");
        let is_table = key == EVENT_TYPES_KEY || schema::is_section(&key);
        match value {
            Value::Dict(_, types) if key == EVENT_TYPES_KEY => {
                event_types::prune(types, origin, problems);
                true
            }
            Value::Dict(_, inner) if is_table => {
                prune_table(&format!("{key}."), inner, origin, problems);
                true
            }
            other if is_table => {
                // Text is not shown: who writes a password may forget its key.
                let shown = other.as_str().map_or_else(|| show_value(other), |_| "text".into());
                let wrong = format!("is {shown}, not a table");
                let advice = format!("write its keys under [{key}]");
                problems.push(Problem::new(origin, &key, wrong, advice));
                false
            }
            _ if schema::find(&key).is_some() => true,
            _ => {
                problems.push(Problem::new(
                    origin,
                    &key,
                    "is not a key".into(),
                    suggestion(&key, origin),
                ));
                false
            }
        }
    });
}

/// Names the nearest key, in the words of the source.
fn suggestion(key: &str, origin: &Origin) -> String {
    let spelled = |key: &str| match origin {
        Origin::Environment => origin.name(key),
        _ => key.to_owned(),
    };
    let names: Vec<String> = FIELDS.iter().map(|field| spelled(field.key)).collect();
    nearest(&spelled(key), names.iter().map(String::as_str))
}

/// Names the candidate nearest to `word`, or all of a few, or else where to look.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> String {
    let best = candidates
        .clone()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min();
    match best {
        Some((distance, candidate)) if distance <= candidate.len() / 3 + 1 => {
            format!("did you mean \"{candidate}\"?")
        }
        _ if candidates.clone().count() <= 12 => {
            format!("use one of {}", candidates.collect::<Vec<_>>().join(", "))
        }
        _ => "remove it; weir config show lists all keys".into(),
    }
}

/// Checks all values; returns the settings if they can be built, which is always so without problems.
pub(super) fn check(
    merged: &Merged,
    secrets: Secrets,
    problems: &mut Vec<Problem>,
) -> Option<Effective> {
    let mut canonical = Dict::new();
    let mut rows = Vec::new();
    let secrets = secrets.settle(merged, problems);
    for field in FIELDS {
        if field.kind == Kind::Secret {
            rows.push(secrets.row(field.key));
            continue;
        }
        let Some(value) = merged.value(field.key) else {
            rows.push(Row::unset(field.key));
            continue;
        };
        let origin = merged.origin(&value);
        match read(field.kind, &value) {
            Ok((value, shown)) => {
                insert(&mut canonical, field.key, value);
                rows.push(Row::new(field.key, shown, origin.name(field.key)));
            }
            Err((wrong, advice)) => problems.push(Problem::new(origin, field.key, wrong, advice)),
        }
    }
    for (key, value) in event_types::check(merged, problems) {
        let origin = merged.value(&key).map_or(&Origin::Default, |value| merged.origin(&value));
        rows.push(Row::new(&key, plain(&value), origin.name(&key)));
        insert(&mut canonical, &key, value);
    }
    check_together(&canonical, merged, problems);
    check_login(&canonical, &secrets, merged, problems);
    let mut settings: Settings = Figment::from(Serialized::defaults(canonical)).extract().ok()?;
    secrets.place(&mut settings);
    Some(Effective { settings, rows, secrets: secrets.into_files() })
}

/// NATS takes one way to log in: a user with a password, a token, or a credentials file.
fn check_login(canonical: &Dict, secrets: &Settled, merged: &Merged, problems: &mut Vec<Problem>) {
    let has = |key: &str| secrets.has(key) || lookup(canonical, key).is_some();
    let mut report = |key: &str, wrong: &str, advice: &str| {
        let origin = merged.value(key);
        let source = match &origin {
            Some(value) => merged.origin(value).name(key),
            None => secrets.place_name(key),
        };
        problems.push(Problem {
            key: Some(key.into()),
            source,
            wrong: wrong.into(),
            advice: advice.into(),
        });
    };
    match (has("nats.user"), has("nats.password")) {
        (true, false) => {
            report(
                "nats.user",
                "has no password",
                "set nats.password_file, or WEIR_NATS__PASSWORD",
            );
        }
        (false, true) => report("nats.password", "has no user", "set nats.user"),
        _ => {}
    }
    let ways = ["nats.user", "nats.token", "nats.credentials_file"];
    for key in ways.into_iter().filter(|key| has(key)).skip(1) {
        report(key, "is a second way to log in", "keep one of user, token and credentials file");
    }
}

fn check_together(canonical: &Dict, merged: &Merged, problems: &mut Vec<Problem>) {
    let number = |key: &str| lookup(canonical, key).and_then(Value::to_u128);
    let mut report = |key: &str, wrong: String, advice: String| {
        let origin = merged.value(key).map_or(&Origin::Default, |value| merged.origin(&value));
        problems.push(Problem::new(origin, key, wrong, advice));
    };
    for (less, more) in ORDERED {
        if let (Some(low), Some(high)) = (number(less), number(more))
            && low > high
        {
            report(less, format!("is greater than {more}"), "lower it, or raise the other".into());
        }
    }
    check_jwt(canonical, &mut report);
    for (key, other) in NEEDED {
        if lookup(canonical, key).is_some() && lookup(canonical, other).is_none() {
            report(key, format!("is nothing without {other}"), format!("set {other} too"));
        }
    }
    if let Some(even @ (2 | 4)) = number("nats.replicas") {
        let wrong = format!("is {even}, which survives no more losses than {}", even - 1);
        report("nats.replicas", wrong, "use 3 (or 5) in a cluster, 1 without one".to_owned());
    }
    if number("nats.replicas") > Some(1) && lookup(canonical, "nats.url").is_none() {
        let wrong = "needs a cluster, and a child is one server".to_owned();
        let advice = "name its servers in nats.url, with commas between, or use 1".to_owned();
        report("nats.replicas", wrong, advice);
    }
    if number("image.days").is_some() && lookup(canonical, "arango.url").is_none() {
        let wrong = "bounds the graph in memory, and there is no other".to_owned();
        let advice =
            "set arango.url, which then answers what is older, or keep all of it".to_owned();
        report("image.days", wrong, advice);
    }
    let listen = |key| lookup(canonical, key).and_then(Value::as_str);
    for (other, whose) in [("gateway.listen", "gateway"), ("api.listen", "api")] {
        if let (Some(other), Some(admin)) = (listen(other), listen("admin.listen"))
            && other == admin
            && !other.ends_with(":0")
        {
            let wrong = format!("is the {whose}'s address");
            report("admin.listen", wrong, "choose another port".into());
        }
    }
}

/// Tokens need all three: who issues them, for whom, and whose keys sign them.
fn check_jwt(canonical: &Dict, report: &mut impl FnMut(&str, String, String)) {
    let has = |key: &str| lookup(canonical, &format!("access.jwt.{key}")).is_some();
    let all = [has("issuer"), has("audience"), has("jwks_url") || has("jwks_file")];
    if all.contains(&true) && all.contains(&false) {
        let wrong = "is not complete".to_owned();
        let advice = "set issuer, audience, and jwks_url or jwks_file, or none of them".to_owned();
        report("access.jwt", wrong, advice);
    }
    let url = lookup(canonical, "access.jwt.jwks_url").and_then(Value::as_str);
    if url.and_then(|url| url.strip_prefix("http://")).is_some_and(|rest| !is_here(rest)) {
        let wrong = "has keys fetched from another machine over plain HTTP".to_owned();
        let advice = "use https://: whoever is on the way could sign tokens otherwise".to_owned();
        report("access.jwt.jwks_url", wrong, advice);
    }
}

fn lookup<'a>(values: &'a Dict, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((section, rest)) => match values.get(section)? {
            Value::Dict(_, inner) => lookup(inner, rest),
            _ => None,
        },
        None => values.get(key),
    }
}

/// Reads one value: its canonical form and how to show it, or what is wrong and what to do.
fn read(kind: Kind, value: &Value) -> Result<(Value, String), (String, String)> {
    let refuse = |advice: String| (format!("is {}", show_value(value)), advice);
    let text = value.as_str();
    let number = value
        .to_i128()
        .and_then(|number| u64::try_from(number).ok())
        .or_else(|| value.to_u128().and_then(|number| u64::try_from(number).ok()));
    let words = |valid: bool, advice: &str| match text {
        Some(text) if valid => Ok((Value::from(text), text.to_owned())),
        _ => Err(refuse(advice.into())),
    };
    match kind {
        Kind::Path => words(text.is_some_and(|text| !text.is_empty()), "write a path"),
        Kind::Address => {
            words(text.is_some_and(is_address), "write an address and a port, as 127.0.0.1:8080")
        }
        Kind::NatsUrl | Kind::HttpUrl | Kind::MonitorUrl if text.is_some_and(has_user) => Err((
            "names a user or a password, which show up in process lists and logs".into(),
            user_advice(kind).into(),
        )),
        Kind::NatsUrl => words(
            text.is_some_and(|text| text.split(',').all(is_nats_url)),
            "write it as nats://host:4222, several with commas between",
        ),
        Kind::MonitorUrl => words(
            text.is_some_and(|text| text.split(',').all(is_monitor_url)),
            "write it as http://127.0.0.1:8222, several with commas between",
        ),
        Kind::HttpUrl => text
            .map(|text| text.trim_end_matches('/'))
            .filter(|text| is_http_url(text))
            .map(|text| (Value::from(text), text.to_owned()))
            .ok_or_else(|| refuse("write it as http://host:8529 or https://host:8529".into())),
        Kind::Name(most) => words(
            text.is_some_and(|text| is_name(text, most)),
            &format!("use 1 to {most} of a-z, 0-9, _ and -, a letter first"),
        ),
        Kind::Text => words(
            text.is_some_and(|text| {
                (1..=USER_BYTES).contains(&text.len()) && !text.contains(char::is_control)
            }),
            &format!("write 1 to {USER_BYTES} bytes of one line"),
        ),
        Kind::Secret => unreachable!("secrets are taken out of the layers before"),
        Kind::Bool => value
            .to_bool()
            .or_else(|| text.and_then(|text| text.parse().ok()))
            .map(|truth| (Value::from(truth), truth.to_string()))
            .ok_or_else(|| refuse("write true or false".into())),
        Kind::Choice(names) => words(
            text.is_some_and(|text| names.contains(&text)),
            &format!("use {}", names.join(" or ")),
        ),
        Kind::Url => words(
            text.is_some_and(is_url),
            "write it as https://id.example/keys.json, without a user",
        ),
        Kind::Words | Kind::Origins | Kind::Networks => read_list(kind, value)
            .map(|all| (Value::from(all.clone()), all.join(", ")))
            .map_err(|advice| refuse(advice.into())),
        Kind::LogFilter => words(
            text.is_some_and(|text| !text.is_empty() && EnvFilter::try_new(text).is_ok()),
            "write a level or a list as info,weir=debug",
        ),
        Kind::Size(low, high) => number
            .or_else(|| text.and_then(parse_size))
            .filter(|bytes| (low..=high).contains(bytes))
            .map(|bytes| (Value::from(bytes), format_size(bytes)))
            .ok_or_else(|| {
                let (low, high) = (format_size(low), format_size(high));
                refuse(format!("write a size as 64MiB, from {low} to {high}"))
            }),
        Kind::Duration(low, high) => text
            .and_then(parse_duration)
            .map(|time| time.as_millis() as u64)
            .filter(|time| (low..=high).contains(time))
            .map(|time| (Value::from(time), shown_time(time)))
            .ok_or_else(|| {
                let (low, high) = (shown_time(low), shown_time(high));
                refuse(format!("write a duration with its unit as 5min, from {low} to {high}"))
            }),
        Kind::Count(low, high) => number
            .or_else(|| text.and_then(|text| text.parse().ok()))
            .filter(|count| (low..=high).contains(count))
            .map(|count| (Value::from(count), count.to_string()))
            .ok_or_else(|| refuse(format!("write a whole number from {low} to {high}"))),
    }
}

/// Reads a list of one kind, or says what to write.
fn read_list(kind: Kind, value: &Value) -> Result<Vec<String>, &'static str> {
    let all = listed(value);
    match kind {
        Kind::Origins => all
            .filter(|origins| origins.iter().all(|origin| is_origin(origin)))
            .ok_or("write origins as https://shop.example, with commas between"),
        Kind::Networks => all
            .and_then(|all| all.iter().map(|text| network(text)).collect())
            .ok_or("write networks as 10.0.0.0/8 with commas between, and none of everybody"),
        _ => all.filter(|all| !all.is_empty()).ok_or("write words with commas between"),
    }
}

/// Reads a network; an address alone is a network of one. A network of everybody is none that can be trusted.
fn network(text: &str) -> Option<String> {
    let read = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let network = read.map(|network: IpNet| network.trunc())?;
    (network.prefix_len() > 0).then(|| network.to_string())
}

fn shown_time(milliseconds: u64) -> String {
    format_duration(std::time::Duration::from_millis(milliseconds))
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn is_monitor_url(text: &str) -> bool {
    text.trim().strip_prefix("http://").is_some_and(is_address)
}

fn is_nats_url(text: &str) -> bool {
    ["nats://", "tls://"].iter().filter_map(|scheme| text.trim().strip_prefix(scheme)).any(|rest| {
        !rest.is_empty() && !rest.starts_with(':') && !rest.contains(char::is_whitespace)
    })
}

fn is_http_url(text: &str) -> bool {
    let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_host = |host: &str| {
        !host.is_empty()
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    rest.is_some_and(|rest| match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => {
            host.parse::<std::net::Ipv6Addr>().is_ok()
                && (port.is_empty() || port.starts_with(':') && is_address(&format!("h{port}")))
        }
        None => {
            is_host(rest.rsplit_once(':').map_or(rest, |(host, _)| host))
                && (!rest.contains(':') || is_address(rest))
        }
    })
}

/// Reads a list of texts, or one text with commas between.
pub(super) fn listed(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(_, all) => all.iter().map(|each| each.as_str().map(str::to_owned)).collect(),
        other => {
            let parts = other.as_str()?.split(',').map(str::trim);
            Some(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
        }
    }
}

/// Tells whether what follows `http://` is this machine.
fn is_here(rest: &str) -> bool {
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host =
        if is_address(host) { host.rsplit_once(':').map_or(host, |(host, _)| host) } else { host };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

fn is_url(text: &str) -> bool {
    let host = text.find("://").map_or(0, |at| at + 3);
    let end = text[host..].find(['/', '?']).map_or(text.len(), |at| host + at);
    is_http_url(&text[..end]) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An origin as browsers send it: lower case, without a path. `*` and `null` are none.
fn is_origin(text: &str) -> bool {
    is_http_url(text) && text.bytes().all(|byte| !byte.is_ascii_uppercase())
}

fn is_name(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Tells a URL with something before its host, which may be a password.
fn has_user(text: &str) -> bool {
    text.contains('@')
}

fn user_advice(kind: Kind) -> &'static str {
    match kind {
        Kind::NatsUrl => "remove it, and set nats.user and nats.password_file, or nats.token_file",
        Kind::HttpUrl => "remove it, and set arango.user and arango.password_file",
        _ => "remove it",
    }
}

/// Shows a value in a problem, as it would stand in a file.
pub(super) fn show_value(value: &Value) -> String {
    match value {
        Value::Dict(..) => "a table".into(),
        Value::Array(..) => "a list".into(),
        Value::Empty(..) => "empty".into(),
        Value::String(..) | Value::Char(..) => format!("{:?}", plain(value)),
        Value::Bool(..) | Value::Num(..) => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Char(_, character) => character.to_string(),
        Value::Bool(_, truth) => truth.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .unwrap_or_default(),
        Value::Array(_, all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    }
}

//! The status as a small table for people (pure).

use serde_json::Value;

use super::status_graphs::{graph_notes, graph_table};

pub(super) const ABSENT: &str = "-";

/// Gateway, projector and api.
const ALL_ROLES: usize = 3;

/// Renders the JSON of `/admin/status`; parts that the process has not are left out, and values that it
/// cannot tell are shown as a dash.
pub(super) fn status_text(status: &Value) -> String {
    let mut text = format!("weir {}{}\n\n", word(&status["version"]), part(&status["roles"]));
    let waiting = if status["wal"].is_object() { ", events wait in the log" } else { "" };
    text.push_str(&nats_lines(&status["nats"], waiting));
    if status["wal"].is_object() {
        text.push_str(&wal_lines(&status["wal"]));
    }
    text.push_str(&relay_lines(&status["relay"]));
    let generations = status["generations"].as_array();
    if let Some(generations) = generations.filter(|list| !list.is_empty()) {
        text.push('\n');
        text.push_str(&graph_table(generations));
        text.extend(generations.iter().map(graph_notes));
    }
    text
}

/// Names the roles of a process that has not all of them.
fn part(roles: &Value) -> String {
    let names: Vec<&str> =
        roles.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if (1..ALL_ROLES).contains(&names.len()) {
        format!(" {}", names.join(", "))
    } else {
        String::new()
    }
}

fn nats_lines(nats: &Value, waiting: &str) -> String {
    let link = match nats["connected"].as_bool() {
        Some(true) => "connected".to_owned(),
        Some(false) => format!("NOT CONNECTED{waiting}"),
        None => ABSENT.to_owned(),
    };
    let lines = format!(
        "NATS     {link}  {}\nstream   {} to {}\n",
        word(&nats["url"]),
        number(&nats["firstSeq"]),
        number(&nats["lastSeq"]),
    );
    let alarm = nats["alarm"]
        .as_str()
        .map_or_else(String::new, |alarm| format!("         ALARM: {alarm}\n"));
    lines + &alarm
}

fn wal_lines(wal: &Value) -> String {
    let high = wal["highWater"].as_u64();
    let waiting = high
        .zip(wal["published"].as_u64())
        .map_or_else(|| ABSENT.into(), |(high, published)| grouped(high.saturating_sub(published)));
    let bytes = wal["bytes"].as_u64().map_or_else(|| ABSENT.into(), size);
    let lines =
        format!("WAL      through {}, {waiting} to publish, {bytes}\n", number(&wal["highWater"]));
    let degraded = match &wal["degraded"] {
        Value::String(reason) => format!("         DEGRADED: {reason}\n"),
        Value::Bool(true) => "         DEGRADED\n".to_owned(),
        _ => String::new(),
    };
    let full = wal["full"]
        .as_bool()
        .filter(|full| *full)
        .map(|_| "         FULL: events are refused with 503\n");
    lines + &degraded + full.unwrap_or_default()
}

/// What keeps events out of the stream, and what neither the stream nor the log has any more.
fn relay_lines(relay: &Value) -> String {
    let alarm = relay["alarm"].as_str().map(|alarm| format!("relay    ALARM: {alarm}\n"));
    let gone = relay["unhealable"].as_u64().filter(|gone| *gone > 0);
    let gone = gone.map(|gone| {
        format!(
            "relay    {} events that the stream may have lost are not in the log any more\n",
            grouped(gone)
        )
    });
    alarm.unwrap_or_default() + &gone.unwrap_or_default()
}

/// A text or a bare number as it stands.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => ABSENT.into(),
    }
}

pub(super) fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| ABSENT.into(), grouped)
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit below them, with one decimal.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(4);
    if unit == 0 {
        return format!("{bytes} B");
    }
    let amount = bytes as f64 / f64::from(1 << 10).powi(unit.cast_signed());
    format!("{amount:.1} {}", units[unit as usize])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_a_readable_table() {
        let status = json!({
            "version": "0.1.0",
            "nats": {"url": "nats://127.0.0.1:4222", "connected": true, "firstSeq": 1, "lastSeq": 1_234_567},
            "wal": {"highWater": 1_234_600, "published": 1_234_567, "bytes": 73_400_320, "degraded": null},
            "generations": [
                {"id": 1, "state": "active", "appliedThrough": 1_234_567, "lag": 0,
                 "digest": "0123456789abcdef0123456789abcdef", "documents": {"users": 900, "items": 1600, "viewed": 98_765}},
                {"id": 2, "state": "building", "appliedThrough": 12, "lag": 1_234_555,
                 "digest": null, "documents": {}},
            ],
        });
        insta::assert_snapshot!(status_text(&status));
    }

    #[test]
    fn what_is_wrong_is_loud() {
        let status = json!({
            "version": "0.1.0",
            "nats": {"url": "nats://127.0.0.1:4222", "connected": false},
            "wal": {"highWater": 5, "published": 2, "bytes": 900, "degraded": "one segment was quarantined", "full": true},
            "relay": {"alarm": "the stream is full", "unhealable": 7},
            "generations": [
                {"id": "g1", "state": "active", "store": "memory", "appliedThrough": 2, "lag": 0, "documents": {"users": 1},
                 "undecodable": 3, "lastUndecodable": {"sequence": 9, "subject": "events.nonsense", "reason": "not JSON"}},
                {"id": "g1", "state": "active", "store": "arangodb", "appliedThrough": 2, "lag": 40, "retrying": 12, "parked": 3,
                 "breakerOpen": true, "lastFailure": {"code": "unreachable", "error": "no connection", "atMs": 1}},
                {"id": "g2", "state": "following", "store": "arangodb", "waiting": "the database recsys_g2 is not made"},
            ],
        });
        insta::assert_snapshot!(status_text(&status));
    }

    #[test]
    fn an_answer_without_anything_is_shown_as_dashes() {
        insta::assert_snapshot!(status_text(&json!({})));
    }

    #[test]
    fn a_process_of_one_role_shows_what_it_has() {
        let nats = json!({"url": "nats://n:4222", "connected": false});
        let gateway = json!({"version": "0.1.0", "roles": ["gateway"], "nats": nats, "wal": {"highWater": 5}});
        let api = json!({"version": "0.1.0", "roles": ["api"], "nats": nats,
            "generations": [{"id": "g1", "state": "active", "appliedThrough": 2, "lag": 0}]});
        insta::assert_snapshot!(format!("{}----\n{}", status_text(&gateway), status_text(&api)));
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn a_stream_that_fills_up_is_told() {
        let status =
            serde_json::json!({ "nats": { "alarm": "the stream is past 70 % of its bytes" } });
        assert!(status_text(&status).contains("ALARM: the stream is past 70 % of its bytes\n"));
    }
}

//! Places of the log and paces as they are typed (pure).

use std::time::Duration;

use crate::config::parse_duration;
use crate::event::EventTime;
use crate::replay::Point;

/// Reads a sequence, an RFC 3339 time, or how long ago (`-2h`).
pub(super) fn parse_point(text: &str) -> Result<Point, String> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Point::Sequence).map_err(|_| "no log is that long".to_owned());
    }
    if let Some(ago) = text.strip_prefix('-') {
        return match parse_duration(ago) {
            Some(_) => Ok(Point::Text(text.to_owned())),
            None => Err("write how long ago with its unit, as -2h or -7d".to_owned()),
        };
    }
    if !text.contains(':') || EventTime::parse(text).is_err() {
        return Err(
            "write a sequence as 12345, a time as 2026-11-01T00:00:00Z, or how long ago as -2h"
                .to_owned(),
        );
    }
    Ok(Point::Text(text.to_owned()))
}

/// Reads a duration with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .ok_or_else(|| "write a duration with its unit, as 200ms, 2h or 7d".to_owned())
}

/// Most events a second; none for no cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap(pub Option<u64>);

/// Reads a cap, or that there shall be none.
pub(super) fn parse_cap(text: &str) -> Result<Cap, String> {
    if text == "none" {
        return Ok(Cap(None));
    }
    let rate = text.parse().ok().filter(|rate| *rate > 0);
    rate.map(|rate| Cap(Some(rate)))
        .ok_or_else(|| "write events a second, as 5000, or none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_sequence_a_time_or_how_long_ago() {
        assert_eq!(parse_point("12345"), Ok(Point::Sequence(12345)));
        for text in ["-2h", "-90min", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00+02:00"] {
            assert_eq!(parse_point(text), Ok(Point::Text(text.to_owned())));
        }
        for bad in [
            "",
            "-",
            "-2",
            "-2 weeks",
            "yesterday",
            "--to",
            "2026-11-01",
            "1.5",
            "99999999999999999999",
        ] {
            assert!(parse_point(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cap_is_a_number_or_none() {
        assert_eq!(parse_cap("5000"), Ok(Cap(Some(5000))));
        assert_eq!(parse_cap("none"), Ok(Cap(None)));
        assert!(parse_cap("0").is_err() && parse_cap("-1").is_err() && parse_cap("all").is_err());
    }
}

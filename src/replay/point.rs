//! A place in the log as a person names it, read. Pure.

use super::request::Point;
use crate::event::{EventTime, format_ms};

/// What a point means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Sequence(u64),
    /// The stream's time, in milliseconds since 1970.
    Time(i64),
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no place in the log: give a sequence (1200), a time (2026-11-01T00:00:00Z), or how long ago (-2h, -30min, -7d)"
)]
pub struct NoPlace(String);

/// Digits of a sequence at most: more are a mistake, and every JSON reader holds these exactly.
const SEQUENCE_DIGITS: usize = 15;

/// What may follow a number of how long ago, in milliseconds.
const UNITS: [(&str, i64); 9] = [
    ("ms", 1),
    ("s", 1_000),
    ("sec", 1_000),
    ("min", 60_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("hours", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

impl Point {
    /// Reads it; `now_ms` is what durations are counted back from.
    pub fn place(&self, now_ms: i64) -> Result<Place, NoPlace> {
        match self {
            Self::Sequence(sequence) => Ok(Place::Sequence(*sequence)),
            Self::Text(text) => {
                let text = text.trim();
                read(text, now_ms).ok_or_else(|| NoPlace(text.chars().take(80).collect()))
            }
        }
    }
}

fn read(text: &str, now_ms: i64) -> Option<Place> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let sequence = (text.len() <= SEQUENCE_DIGITS).then(|| text.parse().ok()).flatten();
        return sequence.map(Place::Sequence);
    }
    if let Some(ago) = text.strip_prefix('-') {
        let ms = duration_ms(ago)?;
        return now_ms.checked_sub(ms).map(|at| Place::Time(at.max(0)));
    }
    let looks_like_a_time = text.contains(['T', 't', ' ']) && text.contains('-');
    let at = looks_like_a_time.then(|| EventTime::parse(text).ok()).flatten();
    at.map(|at| Place::Time(at.ms()))
}

fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().ok()?;
    let (_, ms) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(ms)
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sequence(sequence) => write!(f, "{sequence}"),
            Self::Time(at_ms) => f.write_str(&format_ms(*at_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn place(text: &str) -> Option<Place> {
        Point::Text(text.to_owned()).place(NOW).ok()
    }

    #[test]
    fn sequences_times_and_durations_are_read() {
        assert_eq!(Point::Sequence(7).place(NOW), Ok(Place::Sequence(7)));
        assert_eq!(place("123456789012345"), Some(Place::Sequence(123_456_789_012_345)));
        assert_eq!(place(" 1200 "), Some(Place::Sequence(1200)));
        assert_eq!(place("2023-11-14T22:13:20Z"), Some(Place::Time(NOW)));
        assert_eq!(place("2023-11-15T00:13:20+02:00"), Some(Place::Time(NOW)));
        assert_eq!(place("-2h"), Some(Place::Time(NOW - 7_200_000)));
        assert_eq!(place("-30min"), Some(Place::Time(NOW - 1_800_000)));
        assert_eq!(place("-7d"), Some(Place::Time(NOW - 604_800_000)));
    }

    #[test]
    fn everything_else_is_told_with_what_may_be_given() {
        for text in [
            "",
            "yesterday",
            "1234567890123456",
            "-",
            "-2",
            "-2x",
            "2h",
            "1.5",
            "2023-11-14",
            "-99999999999999999d",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
        let error = Point::Text("yesterday".to_owned()).place(NOW).unwrap_err();
        assert!(error.to_string().contains("-30min"), "{error}");
    }

    #[test]
    fn a_point_in_json_is_a_number_or_a_text() {
        let points: Vec<Point> = serde_json::from_str(r#"[7, "7", "-2h"]"#).unwrap();
        let places: Vec<_> = points.iter().map(|point| point.place(NOW).unwrap()).collect();
        assert_eq!(places[..2], [Place::Sequence(7), Place::Sequence(7)]);
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_what_is_shown_is_read_again(text in "\\PC{0,30}", at in 631_152_000_000i64..3_155_760_000_000) {
            let _ = place(&text);
            prop_assert_eq!(place(&Place::Time(at).to_string()), Some(Place::Time(at)));
        }
    }
}

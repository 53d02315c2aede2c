//! Event times: RFC 3339, or an epoch in seconds, milliseconds or microseconds by magnitude.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// 1990-01-01T00:00:00Z, the first valid millisecond: old data is worth keeping, and 0 is a mistake.
const FIRST_MS: i64 = 631_152_000_000;
/// 2070-01-01T00:00:00Z, the first millisecond that is no longer valid.
const END_MS: i64 = 3_155_760_000_000;

/// Below this an epoch counts seconds (until the year 5138).
const SECONDS_BELOW: f64 = 1e11;
/// Below this an epoch counts milliseconds, from it on microseconds.
const MILLIS_BELOW: f64 = 1e14;

/// Milliseconds since the Unix epoch, within the years 1990 to 2069 (inclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("is neither RFC 3339 nor an epoch in seconds, milliseconds or microseconds")]
    Malformed,
    #[error("is outside the years 1990 to 2069")]
    OutOfRange,
}

impl EventTime {
    /// The first valid moment.
    pub const FIRST: Self = Self(FIRST_MS);

    pub fn from_ms(ms: i64) -> Result<Self, TimeError> {
        if (FIRST_MS..END_MS).contains(&ms) { Ok(Self(ms)) } else { Err(TimeError::OutOfRange) }
    }

    /// Reads an epoch whose unit follows from its magnitude; fractions are cut, not rounded.
    pub fn from_epoch(epoch: f64) -> Result<Self, TimeError> {
        if !epoch.is_finite() {
            return Err(TimeError::Malformed);
        }
        let ms = if epoch < SECONDS_BELOW {
            epoch * 1e3
        } else if epoch < MILLIS_BELOW {
            epoch
        } else {
            epoch / 1e3
        };
        // A fraction such as .123 s is not exact in binary: cut after the nearest microsecond.
        Self::from_ms(((ms * 1e3).round() / 1e3).floor() as i64)
    }

    /// Reads RFC 3339, or an epoch written as text.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            let epoch = text.parse::<f64>().map_err(|_| TimeError::Malformed)?;
            return Self::from_epoch(epoch);
        }
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimeError::Malformed)?;
        Self::from_ms(at.unix_timestamp_nanos().div_euclid(1_000_000) as i64)
    }

    pub fn ms(self) -> i64 {
        self.0
    }
}

/// Writes milliseconds since the epoch as RFC 3339 in UTC, with milliseconds.
pub fn format_ms(ms: i64) -> String {
    let whole = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        whole.year(),
        u8::from(whole.month()),
        whole.day(),
        whole.hour(),
        whole.minute(),
        whole.second(),
        whole.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_unit_of_an_epoch_follows_from_its_magnitude() {
        for epoch in [1_700_000_000.0, 1_700_000_000_000.0, 1_700_000_000_000_000.0] {
            assert_eq!(EventTime::from_epoch(epoch).map(EventTime::ms), Ok(1_700_000_000_000));
        }
        assert_eq!(
            EventTime::from_epoch(1_700_000_000.123).map(EventTime::ms),
            Ok(1_700_000_000_123)
        );
    }

    #[test]
    fn texts_are_rfc_3339_or_an_epoch() {
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-15T00:13:20+02:00",
            "2023-11-14T22:13:20.000999Z",
            "1700000000",
        ] {
            assert_eq!(EventTime::parse(text).map(EventTime::ms), Ok(1_700_000_000_000), "{text}");
        }
        for text in ["", ".", "yesterday", "2023-11-14", "2023-11-14T22:13:20", "1.2.3"] {
            assert_eq!(EventTime::parse(text), Err(TimeError::Malformed), "{text}");
        }
    }

    #[test]
    fn the_range_is_the_years_1990_to_2069() {
        for (text, valid) in [
            ("1989-12-31T23:59:59.999Z", false),
            ("1990-01-01T00:00:00Z", true),
            ("2069-12-31T23:59:59.999Z", true),
            ("2070-01-01T00:00:00Z", false),
        ] {
            assert_eq!(EventTime::parse(text).is_ok(), valid, "{text}");
        }
        assert_eq!(EventTime::from_epoch(f64::NAN), Err(TimeError::Malformed));
        assert_eq!(EventTime::from_epoch(-1.0), Err(TimeError::OutOfRange));
    }

    proptest! {
        #[test]
        fn formatting_round_trips(ms in FIRST_MS..END_MS) {
            prop_assert_eq!(EventTime::parse(&format_ms(ms)).map(EventTime::ms), Ok(ms));
            prop_assert_eq!(EventTime::from_epoch(ms as f64).map(EventTime::ms), Ok(ms));
        }
    }
}

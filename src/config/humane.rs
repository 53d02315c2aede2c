//! Sizes and durations as people write them: `64MiB`, `5min` (pure).

use std::time::Duration;

const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
    ("", 1),
];

const TIMES: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a size in bytes; a bare number is bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, SIZES)
}

/// Reads a duration; the unit is required, because nobody can guess it.
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, TIMES).map(Duration::from_millis)
}

/// Writes a size in the largest binary unit that divides it.
pub(super) fn format_size(bytes: u64) -> String {
    format(bytes, &SIZES[..4], "B")
}

/// Writes a duration in the largest unit that divides it, whole milliseconds at the least.
pub(super) fn format_duration(duration: Duration) -> String {
    format(duration.as_millis() as u64, TIMES, "ms")
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn format(value: u64, units: &[(&str, u64)], smallest: &str) -> String {
    units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)).map_or_else(
        || format!("{value}{smallest}"),
        |(unit, factor)| format!("{}{unit}", value / factor),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_and_durations_are_read_as_people_write_them() {
        assert_eq!(parse_size("64MiB"), Some(64 << 20));
        assert_eq!(parse_size(" 8 GiB "), Some(8 << 30));
        assert_eq!(parse_size("2MB"), Some(2_000_000));
        assert_eq!(parse_size("123"), Some(123));
        assert_eq!(parse_duration("5min"), Some(Duration::from_mins(5)));
        assert_eq!(parse_duration("250 ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_is_ambiguous_or_too_large_is_refused() {
        for text in ["", "MiB", "-1MiB", "1.5MiB", "1mib", "1 M", "99999999999TiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        for text in ["", "5", "5m", "1 hour", "-1s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in 0..u64::MAX / 86_400_000) {
            prop_assert_eq!(parse_size(&format_size(value)), Some(value));
            let duration = Duration::from_millis(value);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }
    }
}

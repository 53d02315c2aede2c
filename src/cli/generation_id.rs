//! A generation as it is named on the command line: `g2` (pure).

/// Reads `g1`, `g2` and so on.
pub(super) fn parse_generation(text: &str) -> Result<u64, String> {
    text.strip_prefix('g')
        .filter(|digits| digits.len() <= 9 && !digits.starts_with('0'))
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| "a generation is g and a number from 1, as g2".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_generation;

    #[test]
    fn a_generation_is_g_and_a_number_from_1() {
        assert_eq!(parse_generation("g1"), Ok(1));
        assert_eq!(parse_generation("g207"), Ok(207));
        for bad in ["", "g", "g0", "g01", "1", "G1", "g+1", "g-1", "g1000000000"] {
            assert!(parse_generation(bad).is_err(), "{bad}");
        }
    }
}

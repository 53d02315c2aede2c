//! NDJSON as it arrives: pieces in, whole lines out. Pure.

/// Cuts pieces into lines. What it keeps between two pieces is the beginning of one line, which the
/// limit of the body bounds.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Hands out every line that ends in this piece; blank ones are left out.
    pub fn push(&mut self, piece: &[u8], mut line: impl FnMut(&[u8])) {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if self.begun.is_empty() {
                give(&rest[..end], &mut line);
            } else {
                self.begun.extend_from_slice(&rest[..end]);
                give(&self.begun, &mut line);
                self.begun.clear();
            }
            rest = &rest[end + 1..];
        }
        self.begun.extend_from_slice(rest);
    }

    /// Hands out the last line, if it has no end of its own.
    pub fn finish(self, mut line: impl FnMut(&[u8])) {
        give(&self.begun, &mut line);
    }
}

fn give(text: &[u8], line: &mut impl FnMut(&[u8])) {
    if !text.trim_ascii().is_empty() {
        line(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wherever_a_text_is_cut_its_lines_are_the_same(
            text in "[ab\\n\\r ]{0,60}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut lines, mut told) = (Lines::default(), Vec::new());
            for pair in cuts.windows(2) {
                lines.push(&bytes[pair[0]..pair[1]], |line| told.push(line.to_vec()));
            }
            lines.finish(|line| told.push(line.to_vec()));
            let whole: Vec<Vec<u8>> = bytes
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.trim_ascii().is_empty())
                .map(<[u8]>::to_vec)
                .collect();
            prop_assert_eq!(told, whole);
        }
    }
}

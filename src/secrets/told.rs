//! What was told of failures, so that each is told once. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Failures by their text, and the secrets that have them.
pub type Failing = BTreeMap<String, Vec<String>>;

/// What the log has been told since all was well last.
#[derive(Debug, Default)]
pub struct Told(BTreeSet<String>);

/// What there is to tell now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Failures that were not told yet.
    pub failing: Failing,
    /// Nothing fails any more, and something did.
    pub well: bool,
}

impl Told {
    /// Takes all that fails now. A failure that comes and goes while others stay is told once.
    pub fn judge(&mut self, mut failing: Failing) -> News {
        if failing.is_empty() {
            let well = !self.0.is_empty();
            self.0.clear();
            return News { well, ..News::default() };
        }
        failing.retain(|text, _| self.0.insert(text.clone()));
        News { failing, well: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(all: &[(&str, &[&str])]) -> Failing {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        all.iter().map(|(text, names)| ((*text).to_owned(), owned(names))).collect()
    }

    #[test]
    fn each_failure_is_told_once_until_all_is_well_again() {
        let mut told = Told::default();
        assert_eq!(told.judge(failing(&[])), News::default());
        let away = failing(&[("Vault is away", &["a", "b"])]);
        assert_eq!(told.judge(away.clone()).failing, away);
        assert_eq!(told.judge(away.clone()), News::default());
        let slow = failing(&[("Vault is slow", &["a"])]);
        assert_eq!(told.judge(slow.clone()).failing, slow);
        assert_eq!(told.judge(away.clone()), News::default(), "it was told before");
        assert!(told.judge(failing(&[])).well);
        assert!(!told.judge(failing(&[])).well);
        assert_eq!(told.judge(away.clone()).failing, away);
    }
}

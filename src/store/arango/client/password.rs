//! What is known of a password that may be replaced: which one worked, and when to look for another.

use std::time::Instant;

use crate::limits::{ARANGO_PASSWORD_AGAIN, SECRET_LOOK};
use crate::secret::{Secret, SecretSource};

/// The password that worked last, and one that does not yet.
#[derive(Debug, Default)]
pub struct Known {
    worked: Option<Secret>,
    refused: Option<Secret>,
    /// When it is looked at next.
    look_at: Option<Instant>,
}

impl Known {
    pub fn worked(&self) -> Option<&Secret> {
        self.worked.as_ref()
    }

    pub fn works(&mut self, password: Secret) {
        (self.worked, self.refused) = (Some(password), None);
    }

    /// Notes one that was refused; tells whether that is new.
    pub fn refuses(&mut self, password: Secret) -> bool {
        let new = self.refused.as_ref() != Some(&password);
        self.refused = Some(password);
        new
    }

    /// Tells whether the password was replaced since it worked. It is looked at every few seconds, and one that
    /// was refused is tried again after a while.
    pub fn is_replaced(&mut self, source: &SecretSource, now: Instant) -> bool {
        if self.look_at.is_some_and(|at| now < at) || matches!(source, SecretSource::Value(_)) {
            return false;
        }
        self.look_at = Some(now + SECRET_LOOK);
        let (Some(worked), Ok(kept)) = (&self.worked, source.read()) else { return false };
        let replaced = *worked != kept;
        if replaced {
            self.look_at = Some(now + ARANGO_PASSWORD_AGAIN);
        }
        replaced
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_replaced_password_is_noticed_once_and_again_after_a_while() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("password");
        let source = SecretSource::File(file.clone());
        let (mut known, start) = (Known::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!known.is_replaced(&source, at(0)), "there is none yet");
        known.works(Secret::new("one"));
        std::fs::write(&file, "one").expect("it is written");
        assert!(!known.is_replaced(&source, at(2)));
        std::fs::write(&file, "two").expect("it is written");
        assert!(!known.is_replaced(&source, at(3)), "it was just looked at");
        assert!(known.is_replaced(&source, at(4)));
        assert!(known.refuses(Secret::new("two")) && !known.refuses(Secret::new("two")));
        assert!(!known.is_replaced(&source, at(6)));
        assert!(known.is_replaced(&source, at(4) + ARANGO_PASSWORD_AGAIN));
        known.works(Secret::new("two"));
        assert!(!known.is_replaced(&source, at(1000)));
        std::fs::remove_file(&file).expect("it is there");
        assert!(!known.is_replaced(&source, at(2000)), "what cannot be read replaces nothing");
    }
}

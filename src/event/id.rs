//! Identifiers of users, items, events and sources.

use std::borrow::Cow;

use crate::limits::ID_BYTES;

/// An identifier: 1 to 256 bytes (inclusive) of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<'a>(Cow<'a, str>);

/// Why a text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("is empty; an id has 1 to {ID_BYTES} bytes")]
    Empty,
    #[error("has {0} bytes; an id has 1 to {ID_BYTES}")]
    TooLong(usize),
    #[error("has a control character")]
    ControlCharacter,
}

impl<'a> Id<'a> {
    /// Takes a text as an identifier, unchanged.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, IdError> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lets go of what was borrowed.
    pub fn into_owned(self) -> Id<'static> {
        Id(Cow::Owned(self.0.into_owned()))
    }

    /// Borrows from this one.
    pub fn borrowed(&self) -> Id<'_> {
        Id(Cow::Borrowed(&self.0))
    }
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES {
        return Err(IdError::TooLong(text.len()));
    }
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !plain && text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter);
    }
    Ok(())
}

impl std::fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_bounds_are_inclusive() {
        assert_eq!(Id::new(""), Err(IdError::Empty));
        assert!(Id::new("x").is_ok());
        assert!(Id::new("x".repeat(256)).is_ok());
        assert_eq!(Id::new("x".repeat(257)), Err(IdError::TooLong(257)));
    }

    #[test]
    fn control_characters_are_refused_and_other_scripts_are_not() {
        for bad in ["a\nb", "\0", "a\u{7f}", "a\u{85}b"] {
            assert_eq!(Id::new(bad), Err(IdError::ControlCharacter), "{bad:?}");
        }
        assert!(Id::new("пользователь 7 🦀").is_ok());
    }
}

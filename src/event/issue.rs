//! What is wrong with an event, told so that a producer can mend it.

use std::borrow::Cow;

/// One thing wrong with one event. Never holds payload text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// RFC 6901 pointer into the event, `""` for the whole.
    pub pointer: Cow<'static, str>,
    /// Stable `snake_case` tag.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub detail: Cow<'static, str>,
}

/// All that is wrong with one event.
pub type Issues = Vec<Issue>;

impl Issue {
    pub fn new(
        pointer: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

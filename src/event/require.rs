//! Which parts an event of a kind must have, and which it may not.

use super::Kind;
use super::issue::{Issue, Issues};

/// Which parts an event has.
pub(super) struct Present {
    pub user: bool,
    pub item: bool,
    pub lines: bool,
    pub retracts: bool,
}

impl Present {
    pub fn require(&self, kind: &Kind, issues: &mut Issues) {
        let (needs_user, needs_item) = match kind {
            Kind::Interaction { .. } | Kind::Retraction { .. } => (true, true),
            Kind::UserProfile | Kind::UserOnly => (true, false),
            Kind::ItemProfile => (false, true),
        };
        let retraction = matches!(kind, Kind::Retraction { .. });
        let mut missing = |absent: bool, pointer: &'static str, detail: &'static str| {
            if absent && !issues.iter().any(|issue| issue.pointer == pointer) {
                issues.push(Issue::new(pointer, "missing_field", detail));
            }
        };
        missing(needs_user && !self.user, "/userId", "userId is required");
        let no_item = if retraction {
            "itemId or items is required: a retraction names what it takes back"
        } else {
            "itemId is required"
        };
        missing(needs_item && !self.item && !self.lines, "/itemId", no_item);
        missing(
            retraction && !self.retracts,
            "/retracts",
            "retracts is required: the id of the event that is taken back",
        );
        if self.retracts && !retraction {
            issues.push(Issue::new(
                "/retracts",
                "unexpected_field",
                "only a retraction may name an event it takes back",
            ));
        }
        if self.item && self.lines {
            issues.push(Issue::new(
                "/items",
                "unexpected_field",
                "has itemId as well: send one of the two",
            ));
        }
        if self.lines && matches!(kind, Kind::ItemProfile) {
            issues.push(Issue::new(
                "/items",
                "unexpected_field",
                "a profile is of one item: send itemId",
            ));
        }
    }

    /// With an unknown type, what nearly every type needs.
    pub fn require_any(&self, issues: &mut Issues) {
        for (absent, pointer, detail) in [
            (!self.user, "/userId", "userId is required"),
            (!self.item && !self.lines, "/itemId", "itemId is required"),
        ] {
            if absent && !issues.iter().any(|issue| issue.pointer == pointer) {
                issues.push(Issue::new(pointer, "missing_field", detail));
            }
        }
    }
}

//! From written values to ids, times, numbers and lines, or to what is wrong with them.

use std::borrow::Cow;

use super::draft::Line;
use super::fields::Field;
use super::issue::{Issue, Issues};
use super::json::Scalar;
use super::raw::Raw;
use super::{EventTime, Id, TimeError};
use crate::limits::{EXACT_INTEGER, ORDER_LINES};

impl<'a> Raw<'a> {
    pub fn id(
        &mut self,
        field: Field,
        pointer: &'static str,
        issues: &mut Issues,
    ) -> Option<Id<'a>> {
        let (pointer, value) =
            self.take(field).map_or((pointer, None), |(pointer, value)| (pointer, Some(value)));
        id(pointer.into(), value?, issues)
    }

    pub fn time(&mut self, issues: &mut Issues) -> Option<EventTime> {
        let (pointer, value) = self.take(Field::Timestamp)?;
        let Some(time) = moment(&value) else {
            issues.push(wrong_type(pointer, "RFC 3339 or an epoch", &value));
            return None;
        };
        time.map_err(|error| {
            issues.push(Issue::new(pointer, "invalid_timestamp", error.to_string()));
        })
        .ok()
    }
}

/// The time that a value tells; `None` for what can be none.
pub(super) fn moment(value: &Scalar<'_>) -> Option<Result<EventTime, TimeError>> {
    match value {
        Scalar::Text(text) => Some(EventTime::parse(text)),
        Scalar::Integer(epoch) => Some(EventTime::from_epoch(*epoch as f64)),
        Scalar::Float(epoch) => Some(EventTime::from_epoch(*epoch)),
        Scalar::Null | Scalar::Other(_) => None,
    }
}

fn id<'a>(pointer: Cow<'static, str>, value: Scalar<'a>, issues: &mut Issues) -> Option<Id<'a>> {
    let text = match value {
        Scalar::Text(text) => text,
        Scalar::Integer(number) => Cow::Owned(number.to_string()),
        other => {
            issues.push(wrong_type(pointer, "a string or an integer", &other));
            return None;
        }
    };
    Id::new(text)
        .map_err(|error| issues.push(Issue::new(pointer, "invalid_id", error.to_string())))
        .ok()
}

pub(super) fn number(
    pointer: impl Into<Cow<'static, str>>,
    value: &Scalar<'_>,
    issues: &mut Issues,
) -> Option<f64> {
    match value {
        Scalar::Float(number) => Some(*number),
        Scalar::Integer(number) if number.unsigned_abs() <= u128::from(EXACT_INTEGER) => {
            Some(*number as f64)
        }
        Scalar::Integer(_) => {
            issues.push(Issue::new(pointer, "number_out_of_range", "is an integer beyond 2^53"));
            None
        }
        other => {
            issues.push(wrong_type(pointer, "a number", other));
            None
        }
    }
}

pub(super) fn lines<'a>(raw: Vec<(Scalar<'a>, Scalar<'a>)>, issues: &mut Issues) -> Vec<Line<'a>> {
    if raw.len() > ORDER_LINES {
        issues.push(Issue::new(
            "/items",
            "too_many_lines",
            format!("has more than {ORDER_LINES} lines"),
        ));
        return Vec::new();
    }
    let mut lines = Vec::with_capacity(raw.len());
    for (index, (item, value)) in raw.into_iter().enumerate() {
        let value = match value {
            Scalar::Null => None,
            value => number(format!("/items/{index}/value"), &value, issues),
        };
        let pointer = format!("/items/{index}/itemId");
        if item == Scalar::Null {
            issues.push(Issue::new(pointer, "missing_field", "itemId is required"));
        } else if let Some(item) = id(pointer.into(), item, issues) {
            lines.push(Line { item, value });
        }
    }
    lines
}

pub(super) fn wrong_type(
    pointer: impl Into<Cow<'static, str>>,
    wanted: &str,
    found: &Scalar<'_>,
) -> Issue {
    let found = match found {
        Scalar::Text(_) => "a string",
        Scalar::Integer(_) | Scalar::Float(_) => "a number",
        Scalar::Null => "null",
        Scalar::Other(name) => name,
    };
    Issue::new(pointer, "invalid_type", format!("must be {wanted}, not {found}"))
}

//! The stable tags of what can be wrong with one event or one parameter.
//!
//! Those of whole requests are with the operations that answer them.

/// What can be wrong with an event, as `errors[].code` tells it.
pub const EVENT_CODES: &[&str] = &[
    "conflicting_alias",
    "dropped_field",
    "duplicate_key",
    "event_too_large",
    "invalid_attribute",
    "invalid_id",
    "invalid_key",
    "invalid_timestamp",
    "invalid_type",
    "malformed_json",
    "missing_field",
    "nested_batch",
    "number_out_of_range",
    "source_not_permitted",
    "timestamp_in_future",
    "too_deep",
    "too_many_keys",
    "too_many_lines",
    "type_mismatch",
    "type_not_permitted",
    "unexpected_field",
    "unknown_event_type",
    "unknown_schema",
    "unsupported_call",
    "unsupported_specversion",
];

/// What can be wrong with a parameter of a query.
pub const PARAMETER_CODES: &[&str] = &["invalid_parameter", "unknown_parameter"];

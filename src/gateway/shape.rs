//! How a request's body holds its events.

/// One event, or several in one of two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Json,
    CloudEvent,
    CloudBatch,
    CloudBinary,
    /// NDJSON: an event a line, blank lines skipped.
    Lines,
}

/// The content types that are taken, for `Accept-Post`.
pub const ACCEPTED: &str = "application/json, application/x-ndjson";

/// Says what shape a body has, from its content type and its first character; `None` for a content
/// type that is not taken.
///
/// A body without a content type, of plain text, or with the type that curl gives by default, is
/// taken for JSON: the older gateway never looked.
pub fn shape_of(content_type: Option<&str>, headers: &http::HeaderMap) -> Option<Shape> {
    let _ = headers;
    let media_type =
        content_type.map(|text| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    match media_type.as_deref() {
        None
        | Some(
            ""
            | "application/json"
            | "text/json"
            | "text/plain"
            | "application/x-www-form-urlencoded",
        ) => Some(Shape::Json),
        Some(
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/json-lines"
            | "application/x-jsonlines",
        ) => Some(Shape::Lines),
        Some(_) => None,
    }
}

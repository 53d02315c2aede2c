//! How a request's body holds its events.

/// One event, or several in one of two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Object,
    Array,
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
pub fn shape_of(content_type: Option<&str>, body: &[u8]) -> Option<Shape> {
    let media_type =
        content_type.map(|text| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let json = if first == Some(&b'[') { Shape::Array } else { Shape::Object };
    match media_type.as_deref() {
        None
        | Some(
            ""
            | "application/json"
            | "text/json"
            | "text/plain"
            | "application/x-www-form-urlencoded",
        ) => Some(json),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_and_then_the_first_character() {
        for (content_type, body, shape) in [
            (None, "{}", Some(Shape::Object)),
            (None, " \n[{}]", Some(Shape::Array)),
            (Some("application/json; charset=utf-8"), "[", Some(Shape::Array)),
            (Some("Application/JSON"), "", Some(Shape::Object)),
            (Some("application/x-ndjson"), "{}", Some(Shape::Lines)),
            (Some("application/x-www-form-urlencoded"), "{}", Some(Shape::Object)),
            (Some("application/xml"), "<a/>", None),
            (Some("multipart/form-data; boundary=x"), "{}", None),
        ] {
            assert_eq!(shape_of(content_type, body.as_bytes()), shape, "{content_type:?} {body}");
        }
    }
}

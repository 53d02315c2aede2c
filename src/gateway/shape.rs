//! How a request's body holds its events.

use http::{HeaderMap, HeaderName};

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One event or an array; or an object that holds several, as other collectors' clients send it.
    Json,
    /// NDJSON: an event a line, blank lines skipped.
    Lines,
    /// CloudEvents in structured mode.
    CloudEvent,
    CloudBatch,
    /// CloudEvents in binary mode: the attributes are in the headers.
    CloudBinary,
}

/// The content types that are taken, for `Accept-Post`.
pub const ACCEPTED: &str = "application/json, application/x-ndjson, application/cloudevents+json, \
                            application/cloudevents-batch+json";

const SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");

/// Says what form a body has, from its headers; `None` for a content type that is not taken.
///
/// A body without a content type, of plain text, or with the type that curl gives by default, is
/// taken for JSON: the older gateway never looked.
pub fn shape_of(content_type: Option<&str>, headers: &HeaderMap) -> Option<Shape> {
    let media_type =
        content_type.map(|text| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    let shape = match media_type.as_deref() {
        None
        | Some(
            ""
            | "application/json"
            | "text/json"
            | "text/plain"
            | "application/x-www-form-urlencoded",
        ) => Shape::Json,
        Some(
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/json-lines"
            | "application/x-jsonlines",
        ) => Shape::Lines,
        Some("application/cloudevents-batch+json") => Shape::CloudBatch,
        Some("application/cloudevents+json") => Shape::CloudEvent,
        // Another form of JSON is the data of an event in binary mode, or nothing that we know.
        Some(other)
            if other.ends_with("+json") && !other.starts_with("application/cloudevents") =>
        {
            return headers.contains_key(SPECVERSION).then_some(Shape::CloudBinary);
        }
        Some(_) => return None,
    };
    let is_binary = shape == Shape::Json && headers.contains_key(SPECVERSION);
    Some(if is_binary { Shape::CloudBinary } else { shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_and_the_headers_of_cloudevents() {
        let cloud: HeaderMap =
            [(SPECVERSION, "1.0".parse().expect("a value"))].into_iter().collect();
        for (content_type, plain, with_cloud) in [
            (None, Some(Shape::Json), Some(Shape::CloudBinary)),
            (Some("application/json; charset=utf-8"), Some(Shape::Json), Some(Shape::CloudBinary)),
            (Some("Application/JSON"), Some(Shape::Json), Some(Shape::CloudBinary)),
            (Some("text/plain;charset=UTF-8"), Some(Shape::Json), Some(Shape::CloudBinary)),
            (Some("application/x-ndjson"), Some(Shape::Lines), Some(Shape::Lines)),
            (Some("application/vnd.shop+json"), None, Some(Shape::CloudBinary)),
            (
                Some("application/cloudevents+json"),
                Some(Shape::CloudEvent),
                Some(Shape::CloudEvent),
            ),
            (
                Some("application/cloudevents-batch+json; charset=utf-8"),
                Some(Shape::CloudBatch),
                Some(Shape::CloudBatch),
            ),
            (Some("application/cloudevents+avro"), None, None),
            (Some("application/xml"), None, None),
            (Some("multipart/form-data; boundary=x"), None, None),
        ] {
            assert_eq!(shape_of(content_type, &HeaderMap::new()), plain, "{content_type:?}");
            assert_eq!(shape_of(content_type, &cloud), with_cloud, "{content_type:?}");
        }
    }
}

//! The picture of one pixel, for pages that can send nothing else: an event in a query, by GET.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};

/// Where it is.
pub const PATH: &str = "/pixel.gif";

/// A transparent picture of one pixel.
const GIF: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\
    \x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// 200: the event is synced. Nobody on the way may keep the picture, or the next event would not arrive.
pub(super) fn answer() -> Response {
    let mut response = Response::new(Body::from(GIF));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

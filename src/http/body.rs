//! Reads a whole request body within a size, a pace and a total time.
//!
//! One timer a body, armed only when the body is not there yet: a small request that arrives with
//! its head costs no timer at all.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use hyper::body::{Body, Frame};
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};

use super::problem::Problem;
use crate::limits::HTTP_BODY_BYTES;

/// The bounds of one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Largest body, in bytes (inclusive).
    pub max_bytes: usize,
    /// Longest wait for the next piece.
    pub chunk_deadline: Duration,
    /// Longest time for the whole body.
    pub total_deadline: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_bytes: HTTP_BODY_BYTES,
            chunk_deadline: Duration::from_secs(10),
            total_deadline: Duration::from_mins(1),
        }
    }
}

/// Why a body was not read to its end.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// `actual` is known when the client announced a length.
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize, actual: Option<u64> },
    #[error("the body came too slowly")]
    TooSlow,
    #[error("the body ended before its announced end")]
    Broken,
}

impl BodyError {
    /// Tells whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        // Every one of these leaves unread bytes behind, so the connection cannot be used again.
        match error {
            BodyError::TooLarge { limit, actual } => {
                let actual = actual.map_or_else(|| "more".to_owned(), |bytes| bytes.to_string());
                let detail = format!("the body may have {limit} bytes, it has {actual}");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
            }
            BodyError::TooSlow => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_too_slow",
                "the body did not arrive in time",
            ),
            BodyError::Broken => Problem::new(
                StatusCode::BAD_REQUEST,
                "body_incomplete",
                "the body ended before its announced end, or its encoding is broken",
            ),
        }
        .close()
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// STUB
#[derive(Clone, Debug, Default)]
pub struct BodyBudget;

/// The address of whoever sent a request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub std::net::IpAddr);

/// Reads a body piece by piece within its limits.
pub struct BodyReader<B> {
    body: B,
    pace: Pace,
    limits: BodyLimits,
    read: usize,
}

impl<B: Body<Data = Bytes> + Unpin> BodyReader<B> {
    /// Begins to read; an announced length over the limit is refused unread.
    pub fn new(body: B, limits: BodyLimits, _budget: &BodyBudget) -> Result<Self, BodyError> {
        let announced = body.size_hint().exact();
        if announced.is_some_and(|length| length > limits.max_bytes as u64) {
            return Err(BodyError::TooLarge { limit: limits.max_bytes, actual: announced });
        }
        Ok(Self { body, pace: Pace::new(limits), limits, read: 0 })
    }

    /// Returns the length that was announced, if one was.
    pub fn announced(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// Returns the next piece, never an empty one; `None` at the end. Trailers are dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let piece = next_piece(Pin::new(&mut self.body), Pin::new(&mut self.pace)).await?;
        self.read += piece.as_ref().map_or(0, Bytes::len);
        check_size(self.read, self.limits)?;
        Ok(piece)
    }
}

/// Reads `body` to its end; trailers are dropped. An announced length over the limit is refused unread.
pub async fn read_body<B>(body: B, limits: BodyLimits) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
{
    let body = pin!(body);
    let mut reader = BodyReader::new(body, limits, &BodyBudget)?;
    let Some(first) = reader.next().await? else { return Ok(Bytes::new()) };
    let Some(second) = reader.next().await? else { return Ok(first) };
    let mut whole = BytesMut::with_capacity(first.len() + second.len());
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        whole.extend_from_slice(&piece);
        next = reader.next().await?;
    }
    Ok(whole.freeze())
}

fn check_size(length: usize, limits: BodyLimits) -> Result<(), BodyError> {
    if length > limits.max_bytes {
        return Err(BodyError::TooLarge { limit: limits.max_bytes, actual: None });
    }
    Ok(())
}

/// Waits for the next data frame that is not empty, no longer than the pace allows.
async fn next_piece<B>(
    mut body: Pin<&mut B>,
    mut pace: Pin<&mut Pace>,
) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes>,
{
    loop {
        let frame = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            Poll::Pending => pace.as_mut().poll_late(cx).map(Err),
        })
        .await?;
        match frame.map(|frame| frame.map(Frame::into_data)) {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Broken),
            Some(Ok(Err(_trailers))) => {}
            Some(Ok(Ok(piece))) if piece.is_empty() => {}
            Some(Ok(Ok(piece))) => {
                pace.as_mut().progress();
                return Ok(Some(piece));
            }
        }
    }
}

/// The deadlines of one body: the nearer of the next piece's and the whole body's.
struct Pace {
    limits: BodyLimits,
    /// Armed at the first wait.
    timer: Option<(Pin<Box<Sleep>>, Instant)>,
}

impl Pace {
    fn new(limits: BodyLimits) -> Self {
        Self { limits, timer: None }
    }

    /// Notes that a piece came: the wait for the next begins now.
    fn progress(mut self: Pin<&mut Self>) {
        let chunk_deadline = self.limits.chunk_deadline;
        if let Some((timer, end)) = &mut self.timer {
            timer.as_mut().reset((Instant::now() + chunk_deadline).min(*end));
        }
    }

    fn poll_late(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BodyError> {
        let limits = self.limits;
        let (timer, _) = self.timer.get_or_insert_with(|| {
            let now = Instant::now();
            let end = now + limits.total_deadline;
            let first = (now + limits.chunk_deadline).min(end);
            (Box::pin(sleep_until(first)), end)
        });
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(BodyError::TooSlow)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn limits(max_bytes: usize) -> BodyLimits {
        BodyLimits {
            max_bytes,
            chunk_deadline: Duration::from_millis(100),
            total_deadline: Duration::from_millis(250),
        }
    }

    fn pieces(texts: &'static [&'static str]) -> impl Body<Data = Bytes, Error = Infallible> {
        let frames = texts.iter().map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes()))));
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order_and_empty_bodies_are_empty() {
        let whole = read_body(pieces(&["ab", "", "c", "de"]), limits(5)).await;
        assert_eq!(whole.unwrap(), "abcde");
        let one = read_body(pieces(&["abc"]), limits(3)).await;
        assert_eq!(one.unwrap(), "abc");
        let none = read_body(pieces(&[]), limits(3)).await;
        assert_eq!(none.unwrap(), "");
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_named() {
        let body = Full::new(Bytes::from_static(b"abcdef"));
        let expected = BodyError::TooLarge { limit: 5, actual: Some(6) };
        assert_eq!(read_body(body, limits(5)).await, Err(expected));
    }

    #[tokio::test]
    async fn a_body_without_length_is_cut_at_the_limit() {
        let expected = BodyError::TooLarge { limit: 5, actual: None };
        let one = read_body(pieces(&["abcdef"]), limits(5)).await;
        assert_eq!(one, Err(expected));
        let two = read_body(pieces(&["abc", "def"]), limits(5)).await;
        assert!(matches!(two, Err(BodyError::TooLarge { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_is_given_up_at_the_chunk_deadline() {
        let start = Instant::now();
        let frames = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))]);
        let body = StreamBody::new(frames.chain(stream::pending()));
        assert_eq!(read_body(body, limits(5)).await, Err(BodyError::TooSlow));
        assert!(start.elapsed() < Duration::from_millis(150));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_is_given_up_at_the_total_deadline() {
        let start = Instant::now();
        let drip = stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))
        });
        let result = read_body(StreamBody::new(drip), limits(1000)).await;
        assert_eq!(result, Err(BodyError::TooSlow));
        assert!(start.elapsed() >= Duration::from_millis(250));
    }
}

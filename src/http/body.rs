//! Reads request bodies, whole or piece by piece, within a size, a pace and the room that a process has.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use hyper::body::{Body, Frame};
use thiserror::Error;

use super::budget::{BodyBudget, Hold};
use super::pace::Pace;
use super::problem::Problem;
use crate::limits::{HTTP_BODY_BYTES, HTTP_MIN_BODY_RATE, HTTP_ROOM_AGAIN_S};

/// The bounds of one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Largest body, in bytes (inclusive).
    pub max_bytes: usize,
    /// Longest wait for the next piece.
    pub chunk_deadline: Duration,
    /// Longest wait for the whole body.
    pub total_deadline: Duration,
    /// Fewest bytes a second over all waits, the length of one `chunk_deadline` left out; 0 asks for none.
    pub min_rate: u64,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_bytes: HTTP_BODY_BYTES,
            chunk_deadline: Duration::from_secs(10),
            total_deadline: Duration::from_mins(1),
            min_rate: HTTP_MIN_BODY_RATE,
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
    #[error("the bodies of other requests take all the room there is")]
    NoRoom,
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
            BodyError::NoRoom => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "too many bodies are on their way; send the same again",
            )
            .retry_after(HTTP_ROOM_AGAIN_S),
        }
        .close()
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// Reads one body piece by piece, within all of its limits.
#[derive(Debug)]
pub struct BodyReader<B> {
    body: B,
    limits: BodyLimits,
    pace: Pace,
    hold: Hold,
    announced: Option<u64>,
    received: usize,
}

impl<B> BodyReader<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Begins to read. An announced length that is over the limit, or for which there is no room, is refused
    /// unread; a body of unknown length takes room as it comes.
    pub fn new(body: B, limits: BodyLimits, budget: &BodyBudget) -> Result<Self, BodyError> {
        let announced = body.size_hint().exact();
        if announced.is_some_and(|length| length > limits.max_bytes as u64) {
            return Err(BodyError::TooLarge { limit: limits.max_bytes, actual: announced });
        }
        let hold = budget.hold(announced.unwrap_or_default() as usize)?;
        Ok(Self { body, limits, pace: Pace::new(limits), hold, announced, received: 0 })
    }

    /// Returns the length that the client announced.
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Returns the bytes that came so far.
    pub fn received(&self) -> usize {
        self.received
    }

    /// Gives back room for bytes that came and are not held any more.
    pub fn release(&mut self, bytes: usize) {
        self.hold.shrink(bytes);
    }

    /// Ends reading and returns the room, for as long as what was read is held.
    pub fn into_hold(self) -> Hold {
        self.hold
    }

    /// Returns the next piece, never an empty one; `None` at the end. Trailers are dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(piece) = self.next_piece().await? else { return Ok(None) };
        self.received += piece.len();
        if self.received > self.limits.max_bytes {
            return Err(BodyError::TooLarge { limit: self.limits.max_bytes, actual: None });
        }
        if self.announced.is_none() {
            self.hold.grow(piece.len())?;
        }
        Ok(Some(piece))
    }

    /// Reads what is left and returns it in one piece.
    pub async fn whole(&mut self) -> Result<Bytes, BodyError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let expected = self.announced.map_or(self.received, |length| length as usize);
        let mut whole = BytesMut::with_capacity(expected);
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(piece) = next {
            whole.extend_from_slice(&piece);
            next = self.next().await?;
        }
        Ok(whole.freeze())
    }

    /// Waits for the next data frame that is not empty, no longer than the pace allows.
    async fn next_piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let frame = poll_fn(|cx| match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => Poll::Ready(Ok(frame)),
                Poll::Pending => self.pace.poll_late(cx).map(|()| Err(BodyError::TooSlow)),
            })
            .await?;
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => return Ok(None),
                Some(Err(_)) => return Err(BodyError::Broken),
                Some(Ok(Err(_trailers))) => {}
                Some(Ok(Ok(piece))) if piece.is_empty() => {}
                Some(Ok(Ok(piece))) => {
                    self.pace.progress(piece.len());
                    return Ok(Some(piece));
                }
            }
        }
    }
}

/// Reads `body` to its end. The room is the body's until the hold is dropped.
pub async fn read_body<B>(
    body: B,
    limits: BodyLimits,
    budget: &BodyBudget,
) -> Result<(Bytes, Hold), BodyError>
where
    B: Body<Data = Bytes>,
{
    let body = pin!(body);
    let mut reader = BodyReader::new(body, limits, budget)?;
    let whole = reader.whole().await?;
    Ok((whole, reader.into_hold()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use http_body_util::{Full, StreamBody};

    use tokio::time::Instant;

    use super::*;

    async fn read<B: Body<Data = Bytes>>(body: B, limits: BodyLimits) -> Result<Bytes, BodyError> {
        read_body(body, limits, &BodyBudget::default()).await.map(|(whole, _)| whole)
    }

    fn limits(max_bytes: usize) -> BodyLimits {
        BodyLimits {
            max_bytes,
            chunk_deadline: Duration::from_millis(100),
            total_deadline: Duration::from_millis(250),
            min_rate: 0,
        }
    }

    fn pieces(texts: &'static [&'static str]) -> impl Body<Data = Bytes, Error = Infallible> {
        let frames = texts.iter().map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes()))));
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order_and_empty_bodies_are_empty() {
        let whole = read(pieces(&["ab", "", "c", "de"]), limits(5)).await;
        assert_eq!(whole.unwrap(), "abcde");
        let one = read(pieces(&["abc"]), limits(3)).await;
        assert_eq!(one.unwrap(), "abc");
        let none = read(pieces(&[]), limits(3)).await;
        assert_eq!(none.unwrap(), "");
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_named() {
        let body = Full::new(Bytes::from_static(b"abcdef"));
        let expected = BodyError::TooLarge { limit: 5, actual: Some(6) };
        assert_eq!(read(body, limits(5)).await, Err(expected));
    }

    #[tokio::test]
    async fn a_body_without_length_is_cut_at_the_limit() {
        let expected = BodyError::TooLarge { limit: 5, actual: None };
        let one = read(pieces(&["abcdef"]), limits(5)).await;
        assert_eq!(one, Err(expected));
        let two = read(pieces(&["abc", "def"]), limits(5)).await;
        assert!(matches!(two, Err(BodyError::TooLarge { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_is_given_up_at_the_chunk_deadline() {
        let start = Instant::now();
        let frames = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))]);
        let body = StreamBody::new(frames.chain(stream::pending()));
        assert_eq!(read(body, limits(5)).await, Err(BodyError::TooSlow));
        assert!(start.elapsed() < Duration::from_millis(150));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_is_given_up_at_the_total_deadline() {
        let start = Instant::now();
        let drip = stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))
        });
        let result = read(StreamBody::new(drip), limits(1000)).await;
        assert_eq!(result, Err(BodyError::TooSlow));
        assert!(start.elapsed() >= Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_below_the_least_rate_is_given_up_before_its_deadline() {
        let start = Instant::now();
        let drip = stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))
        });
        let limits = BodyLimits { min_rate: 100, ..limits(1000) };
        assert_eq!(read(StreamBody::new(drip), limits).await, Err(BodyError::TooSlow));
        let took = start.elapsed();
        assert!(took > Duration::from_millis(100) && took < Duration::from_millis(220), "{took:?}");
    }

    #[tokio::test]
    async fn bodies_take_room_and_those_without_are_refused() {
        let budget = BodyBudget::new(8);
        let announced = || Full::new(Bytes::from_static(b"abcdef"));
        let (whole, hold) = read_body(announced(), limits(10), &budget).await.unwrap();
        assert_eq!((whole.len(), hold.bytes(), budget.held()), (6, 6, 6));
        let refused = read_body(announced(), limits(10), &budget).await.map(|_| ());
        assert_eq!(refused, Err(BodyError::NoRoom));
        let grown = read_body(pieces(&["a", "b", "c"]), limits(10), &budget).await.map(|_| ());
        assert_eq!(grown, Err(BodyError::NoRoom));
        assert_eq!(budget.held(), 6);
        drop(hold);
        let mut reader = BodyReader::new(announced(), limits(10), &budget).unwrap();
        let piece = reader.next().await.unwrap().expect("one piece");
        reader.release(piece.len());
        assert_eq!((reader.received(), budget.held()), (6, 0));
        assert_eq!(reader.next().await, Ok(None));
    }
}

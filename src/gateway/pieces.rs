//! A request's body, piece by piece, unpacked if it is packed, and no larger than it may be.

use std::io;
use std::pin::Pin;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::answer;
use crate::http::{BodyError, BodyReader, Problem};
use crate::limits::{UNPACKED_PIECE_BYTES, ZSTD_WINDOW_LOG};

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Reads `Content-Encoding`; one coding at most is taken.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Self::Identity) };
        let name = value.as_bytes().trim_ascii();
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match () {
            () if values.next().is_some() => Err(answer::unknown_encoding()),
            () if is(b"identity") || is(b"") => Ok(Self::Identity),
            () if is(b"gzip") || is(b"x-gzip") => Ok(Self::Gzip),
            () if is(b"zstd") => Ok(Self::Zstd),
            () => Err(answer::unknown_encoding()),
        }
    }
}

/// The pieces of one body.
pub(super) struct Pieces {
    source: Source,
    most: usize,
    given: usize,
}

#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the hot one, on the stack of its request"
)]
enum Source {
    Plain(BodyReader<Incoming>),
    Packed(Pin<Box<dyn AsyncRead + Send>>),
}

impl Pieces {
    /// Reads a body that has at most `most` bytes (inclusive) once it is unpacked. The reader's own limits hold for
    /// what comes over the wire.
    pub fn new(reader: BodyReader<Incoming>, encoding: Encoding, most: usize) -> Self {
        let source = match encoding {
            Encoding::Identity => Source::Plain(reader),
            Encoding::Gzip => {
                let mut decoder = GzipDecoder::new(readable(reader));
                decoder.multiple_members(true);
                Source::Packed(Box::pin(decoder))
            }
            Encoding::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                let mut decoder = ZstdDecoder::with_params(readable(reader), &[window]);
                decoder.multiple_members(true);
                Source::Packed(Box::pin(decoder))
            }
        };
        Self { source, most, given: 0 }
    }

    /// Returns how many bytes a plain body was announced to have; 0 if that is not known.
    pub fn expected(&self) -> usize {
        match &self.source {
            Source::Plain(reader) => reader.announced().unwrap_or_default() as usize,
            Source::Packed(_) => 0,
        }
    }

    /// Returns how many bytes were read so far, unpacked.
    pub fn given(&self) -> usize {
        self.given
    }

    /// Returns the next piece, never an empty one; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let piece = match &mut self.source {
            Source::Plain(reader) => reader.next().await?,
            Source::Packed(decoder) => unpacked(decoder).await?,
        };
        self.given += piece.as_ref().map_or(0, Bytes::len);
        if self.given > self.most {
            return Err(answer::unpacked_too_large(self.most));
        }
        Ok(piece)
    }

    /// Returns all that is left as one; without a copy if it came as one piece.
    pub async fn whole(&mut self) -> Result<Bytes, Problem> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = BytesMut::with_capacity(2 * (first.len() + second.len()));
        all.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(piece) = next {
            all.extend_from_slice(&piece);
            next = self.next().await?;
        }
        Ok(all.freeze())
    }
}

/// A body as something to read from; its errors travel inside those of reading.
fn readable(reader: BodyReader<Incoming>) -> impl tokio::io::AsyncBufRead + Send {
    let pieces = stream::try_unfold(reader, async |mut reader| {
        let piece = reader.next().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, reader)))
    });
    StreamReader::new(Box::pin(pieces))
}

async fn unpacked(decoder: &mut Pin<Box<dyn AsyncRead + Send>>) -> Result<Option<Bytes>, Problem> {
    let mut piece = BytesMut::with_capacity(UNPACKED_PIECE_BYTES);
    match decoder.read_buf(&mut piece).await {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(piece.freeze())),
        Err(error) => Err(match error.downcast::<BodyError>() {
            Ok(of_the_body) => of_the_body.into(),
            Err(_) => malformed(),
        }),
    }
}

fn malformed() -> Problem {
    let detail = "the body is not what its Content-Encoding says, or ends too early";
    Problem::new(StatusCode::BAD_REQUEST, "malformed_encoding", detail).close()
}

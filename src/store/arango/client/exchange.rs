//! One request and its answer on the wire, with a bound on what is read.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use reqwest::Client;

use crate::limits::ARANGO_ANSWER_BYTES;
use crate::store::arango::classify::{Evidence, Finding, Wire, classify};

/// Why there is no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("{text}")]
    Wire { wire: Wire, text: String },
    /// The server refused to give a token.
    #[error("no token was given: HTTP {status}")]
    Login { status: u16, body: String },
}

impl Trouble {
    pub fn wire(wire: Wire, text: impl Into<String>) -> Self {
        Self::Wire { wire, text: text.into() }
    }

    /// For metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wire { wire, .. } => wire.code(),
            Self::Login { .. } => "login",
        }
    }
}

impl From<Trouble> for Finding {
    fn from(trouble: Trouble) -> Self {
        match &trouble {
            Trouble::Wire { wire, text } => classify(Evidence::Wire { wire: *wire, text }),
            Trouble::Login { status, body } => classify(Evidence::Answer { status: *status, body }),
        }
    }
}

/// Sends a request and reads its answer to the end.
pub async fn exchange(http: &Client, request: Request<Bytes>) -> Result<Response<String>, Trouble> {
    let request = reqwest::Request::try_from(request).map_err(|error| of_reqwest(&error))?;
    let mut answer = http.execute(request).await.map_err(|error| of_reqwest(&error))?;
    let announced = answer.content_length().unwrap_or(0);
    if announced > ARANGO_ANSWER_BYTES as u64 {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced as usize);
    while let Some(chunk) = answer.chunk().await.map_err(|error| of_reqwest(&error))? {
        if body.len() + chunk.len() > ARANGO_ANSWER_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    // What is no text is no JSON either; the status still counts.
    let text = String::from_utf8(body.into())
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let mut whole = Response::new(text);
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(whole)
}

fn too_large() -> Trouble {
    Trouble::wire(
        Wire::TooLarge,
        format!("ArangoDB answers with more than {ARANGO_ANSWER_BYTES} bytes"),
    )
}

fn of_reqwest(error: &reqwest::Error) -> Trouble {
    let wire = if error.is_connect() {
        Wire::Unreachable
    } else if error.is_timeout() {
        Wire::TimedOut
    } else {
        Wire::Cut
    };
    let what = match wire {
        Wire::Unreachable => "ArangoDB cannot be reached",
        _ => "the connection to ArangoDB ended within a request",
    };
    Trouble::wire(wire, format!("{what}: {}", root_cause(error)))
}

/// The innermost cause: the outer ones only say that there is one.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

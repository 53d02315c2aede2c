//! Publishing to the log, one message or an atomic batch, with every outcome as data.
//!
//! A batch is stored whole, without a gap and with one sync, or not at all. Nothing here is repeated:
//! what is not known to be stored is the caller's to send again under the same id.

use std::time::Duration;

use async_nats::{HeaderMap, HeaderValue, Subject, header};
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::Instant;

use crate::limits;
use crate::stream::connection::Nats;
use crate::stream::replies::{Expected, Replies, Reply};

/// How long an answer may take, counted from the publish.
const ACK_DEADLINE: Duration = Duration::from_secs(5);

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// `events.<type>`.
    pub subject: &'a str,
    /// What the server drops a second message by, while its window lasts.
    pub message_id: &'a str,
    /// The message.
    pub payload: Bytes,
}

/// What became of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, from `first` to `last` (inclusive) in the order of the batch.
    Stored {
        /// The sequence of the first message.
        first: u64,
        /// The sequence of the last message.
        last: u64,
    },
    /// The server has this id already, at this sequence. Only for a single message.
    Duplicate {
        /// Where it says the message is.
        sequence: u64,
    },
    /// Nothing of the batch was stored, because the server has an id of it already.
    BatchRefusedForDuplicate,
    /// Not known to be stored; sending it again is right.
    Retry(RetryCause),
    /// Not stored, and it will not be before somebody changes something.
    Refused(RefusedCause),
}

/// Why it is not known to be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetryCause {
    /// The link is down, or broke before the answer.
    #[error("not connected to NATS")]
    Disconnected,
    /// No answer in time.
    #[error("no answer from NATS within {} s", ACK_DEADLINE.as_secs())]
    TimedOut,
    /// No stream takes the subject, or its leader is being elected.
    #[error("no stream takes the message now")]
    NoStream,
    /// The server has too many open batches.
    #[error("too many open batches")]
    TooManyBatches,
    /// A part of the batch did not arrive.
    #[error("the batch did not arrive whole")]
    BatchIncomplete,
    /// The server cannot store it now.
    #[error("the stream does not take it now: {0}")]
    Unavailable(String),
}

/// Why it was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedCause {
    /// The stream, or the server's disk, is at its bound.
    #[error("the stream is full: {0}")]
    Full(String),
    /// The stream was changed so that it takes no atomic batches.
    #[error("the stream takes no atomic batches")]
    AtomicDisabled,
    /// The message or the batch is larger than the server takes.
    #[error("too large for the server: {0}")]
    TooLarge(String),
    /// Anything else, in the server's words.
    #[error("refused by the server ({code}): {text}")]
    Other {
        /// The server's error code.
        code: u64,
        /// Its description.
        text: String,
    },
}

/// An answer that is on its way; dropping it forgets the publish.
pub struct Ack {
    state: AckState,
    size: u64,
    /// Who is told whether it was decided on.
    nats: Option<Nats>,
}

enum AckState {
    Known(Outcome),
    Expected(Expected, Instant),
}

impl Ack {
    fn known(outcome: Outcome) -> Self {
        Self { state: AckState::Known(outcome), size: 0, nats: None }
    }

    fn expected(nats: &Nats, (expected, deadline): (Expected, Instant), size: u64) -> Self {
        let state = AckState::Expected(expected, deadline);
        Self { state, size, nats: Some(nats.clone()) }
    }

    pub(super) fn retry(cause: RetryCause) -> Self {
        Self::known(Outcome::Retry(cause))
    }

    /// Waits for the outcome, at most until 5 s after the publish.
    pub async fn outcome(self) -> Outcome {
        let (mut expected, deadline) = match self.state {
            AckState::Known(outcome) => return outcome,
            AckState::Expected(expected, deadline) => (expected, deadline),
        };
        let outcome = match tokio::time::timeout_at(deadline, expected.reply()).await {
            Err(_) => Outcome::Retry(RetryCause::TimedOut),
            Ok(Reply::Disconnected) => Outcome::Retry(RetryCause::Disconnected),
            Ok(Reply::NoResponders) => Outcome::Retry(RetryCause::NoStream),
            Ok(Reply::Body(body)) => read_answer(&body, self.size),
        };
        if let Some(nats) = self.nats
            && outcome != Outcome::Retry(RetryCause::Disconnected)
        {
            nats.published(!matches!(outcome, Outcome::Retry(_)), deadline - ACK_DEADLINE);
        }
        outcome
    }
}

/// Publishes one message under its id and returns once it is on its way.
pub async fn send_one(nats: &Nats, replies: &Replies, message: Outgoing<'_>) -> Ack {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_MESSAGE_ID, message.message_id);
    send(nats, replies, message.subject, headers, message.payload).await
}

/// Publishes one message with the headers it is given and returns once it is on its way.
pub async fn send(
    nats: &Nats,
    replies: &Replies,
    subject: &str,
    headers: HeaderMap,
    payload: Bytes,
) -> Ack {
    let link = *nats.link().borrow();
    if !link.connected {
        return Ack::known(Outcome::Retry(RetryCause::Disconnected));
    }
    let deadline = Instant::now() + ACK_DEADLINE;
    let (reply, expected) = replies.expect(link.times);
    let subject = Subject::from(subject);
    let sent = nats.client().publish_with_reply_and_headers(subject, reply, headers, payload);
    match bounded(deadline, sent).await {
        Ok(()) => Ack::expected(nats, (expected, deadline), 1),
        Err(outcome) => Ack::known(outcome),
    }
}

/// Publishes an atomic batch of 1 to [`limits::ATOMIC_BATCH_MESSAGES`] messages and returns once it is on its way.
pub async fn send_atomic(nats: &Nats, replies: &Replies, batch: &[Outgoing<'_>]) -> Ack {
    assert!(
        (1..=limits::ATOMIC_BATCH_MESSAGES).contains(&batch.len()),
        "a batch has 1 to {} messages",
        limits::ATOMIC_BATCH_MESSAGES
    );
    let link = *nats.link().borrow();
    if !link.connected {
        return Ack::known(Outcome::Retry(RetryCause::Disconnected));
    }
    let deadline = Instant::now() + ACK_DEADLINE;
    let (reply, expected) = replies.expect(link.times);
    let id = HeaderValue::from(uuid::Uuid::now_v7().simple().to_string().as_str());
    let client = nats.client();
    for (index, message) in batch.iter().enumerate() {
        let last = index + 1 == batch.len();
        let headers = batch_headers(&id, index as u64 + 1, last, message.message_id);
        let (subject, payload) = (Subject::from(message.subject), message.payload.clone());
        // The first answer tells why a batch cannot begin; in between nobody is asked.
        let sent = if index == 0 || last {
            let sent =
                client.publish_with_reply_and_headers(subject, reply.clone(), headers, payload);
            bounded(deadline, sent).await
        } else {
            bounded(deadline, client.publish_with_headers(subject, headers, payload)).await
        };
        if let Err(outcome) = sent {
            return Ack::known(outcome);
        }
    }
    Ack::expected(nats, (expected, deadline), batch.len() as u64)
}

fn batch_headers(id: &HeaderValue, sequence: u64, last: bool, message_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_MESSAGE_ID, message_id);
    headers.insert(header::NATS_BATCH_ID, id.clone());
    headers.insert(header::NATS_BATCH_SEQUENCE, HeaderValue::from(sequence));
    if last {
        headers.insert(header::NATS_BATCH_COMMIT, header::NATS_BATCH_COMMIT_FINAL);
    }
    headers
}

/// Hands a message to the connection, whose queue is full while it is down.
async fn bounded(
    deadline: Instant,
    sent: impl Future<Output = Result<(), async_nats::PublishError>>,
) -> Result<(), Outcome> {
    match tokio::time::timeout_at(deadline, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error))
            if error.kind() == async_nats::client::PublishErrorKind::MaxPayloadExceeded =>
        {
            Err(Outcome::Refused(RefusedCause::TooLarge(error.to_string())))
        }
        Ok(Err(error)) if error.kind() == async_nats::client::PublishErrorKind::Send => {
            Err(Outcome::Retry(RetryCause::Disconnected))
        }
        Ok(Err(error)) => {
            Err(Outcome::Refused(RefusedCause::Other { code: 0, text: error.to_string() }))
        }
        Err(_) => Err(Outcome::Retry(RetryCause::TimedOut)),
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Reads the server's answer to a publish of `size` messages.
fn read_answer(body: &[u8], size: u64) -> Outcome {
    match serde_json::from_slice::<Answer>(body) {
        Err(error) => {
            Outcome::Retry(RetryCause::Unavailable(format!("an answer that is none: {error}")))
        }
        Ok(Answer { error: Some(error), .. }) => read_error(error),
        Ok(Answer { seq, duplicate: true, .. }) => Outcome::Duplicate { sequence: seq },
        Ok(Answer { seq, .. }) => {
            Outcome::Stored { first: (seq + 1).saturating_sub(size), last: seq }
        }
    }
}

fn read_error(AnswerError { err_code: code, description: text }: AnswerError) -> Outcome {
    match code {
        10_201 => Outcome::BatchRefusedForDuplicate,
        // Unknown or repeated parts of a batch, as a broken link leaves them.
        10_175 | 10_176 | 10_179 => Outcome::Retry(RetryCause::BatchIncomplete),
        10_210 => Outcome::Retry(RetryCause::TooManyBatches),
        10_174 => Outcome::Refused(RefusedCause::AtomicDisabled),
        10_054 | 10_097 | 10_199 => Outcome::Refused(RefusedCause::TooLarge(text)),
        10_002 | 10_023 | 10_047 | 10_122 => Outcome::Refused(RefusedCause::Full(text)),
        // The store failed: either at one of its bounds, which it names, or at its disk.
        10_077 if text.contains("maximum") => Outcome::Refused(RefusedCause::Full(text)),
        10_077 | 10_004..=10_009 | 10_039 | 10_041 | 10_076 | 10_118 | 10_158 | 10_167 | 10_194 => {
            Outcome::Retry(RetryCause::Unavailable(text))
        }
        _ => Outcome::Refused(RefusedCause::Other { code, text }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: u64, text: &str) -> Outcome {
        let body = format!(
            r#"{{"error":{{"code":400,"err_code":{code},"description":"{text}"}},"stream":"EVENTS","seq":0}}"#
        );
        read_answer(body.as_bytes(), 1)
    }

    #[test]
    fn answers_are_read() {
        let stored = read_answer(br#"{"stream":"EVENTS","seq":12,"batch":"x","count":3}"#, 3);
        assert_eq!(stored, Outcome::Stored { first: 10, last: 12 });
        let duplicate = read_answer(br#"{"stream":"EVENTS","seq":12,"duplicate":true}"#, 1);
        assert_eq!(duplicate, Outcome::Duplicate { sequence: 12 });
        assert!(matches!(read_answer(b"nonsense", 1), Outcome::Retry(_)));
    }

    #[test]
    fn errors_say_whether_to_send_again() {
        assert_eq!(error(10_201, ""), Outcome::BatchRefusedForDuplicate);
        assert_eq!(error(10_176, ""), Outcome::Retry(RetryCause::BatchIncomplete));
        assert_eq!(error(10_210, ""), Outcome::Retry(RetryCause::TooManyBatches));
        let full = error(10_077, "maximum bytes exceeded");
        assert_eq!(full, Outcome::Refused(RefusedCause::Full("maximum bytes exceeded".into())));
        assert!(matches!(error(10_077, "write error"), Outcome::Retry(_)));
        assert!(matches!(
            error(10_071, "wrong last sequence"),
            Outcome::Refused(RefusedCause::Other { code: 10_071, .. })
        ));
    }
}

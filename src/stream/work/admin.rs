//! The consumer behind the work: made, compared, asked for its state, and sent to another place.

use async_nats::jetstream::consumer::{DeliverPolicy, Info, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{ConsumerErrorKind, ConsumerResetErrorKind};
use async_nats::jetstream::{ErrorCode, stream::ConsumerError};
use serde::Serialize;

use crate::stream::handle::{LogState, StreamHandle};
use crate::stream::position::Epoch;
use crate::stream::reader::ReadError;
use crate::stream::work::options::{WorkOptions, repaired};
use crate::stream::work::queue::WorkQueue;

/// How far the work is, of all workers together. Sequences are the stream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkState {
    /// Everything up to here (inclusive) is acknowledged.
    pub ack_floor: u64,
    /// The last message delivered to anybody.
    pub delivered: u64,
    /// Messages not delivered to anybody yet.
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    pub ack_pending: u64,
    /// Of these, messages delivered more than once.
    pub redelivered: u64,
    /// Requests for messages that are open: somebody works.
    pub waiting: u64,
}

impl WorkQueue {
    /// Returns how far the work is; [`ReadError::Gone`] as well when nobody has begun it.
    pub async fn state(&self) -> Result<WorkState, ReadError> {
        let handle = self.handle().await;
        let info = info(&handle, &self.options.durable).await?.ok_or(ReadError::Gone)?;
        Ok(WorkState {
            ack_floor: info.ack_floor.stream_sequence,
            delivered: info.delivered.stream_sequence,
            pending: info.num_pending,
            ack_pending: info.num_ack_pending as u64,
            redelivered: info.num_redelivered as u64,
            waiting: info.num_waiting as u64,
        })
    }

    /// Has the next delivery, to whichever worker, be the first message from a sequence on (inclusive).
    ///
    /// Everything below counts as done, everything from there on is delivered again. On a server below 2.14
    /// the consumer is made anew.
    pub async fn reset(&mut self, from: u64) -> Result<(), ReadError> {
        let handle = self.handle().await;
        if info(&handle, &self.options.durable).await?.is_none() {
            create(&handle, self.options.declared()).await?;
        }
        self.forget();
        let reset = handle.stream().reset_consumer(&self.options.durable, Some(from.max(1)));
        match handle.bounded(reset, "no answer").await? {
            Ok(_) => Ok(()),
            // An older server, or a consumer that began elsewhere.
            Err(error)
                if matches!(
                    error.kind(),
                    ConsumerResetErrorKind::NotFound | ConsumerResetErrorKind::InvalidReset
                ) =>
            {
                self.make_anew(&handle, from.max(1)).await
            }
            Err(error) => Err(ReadError::Unavailable(error.to_string())),
        }
    }

    /// Removes the consumer and with it all knowledge of what was done, as when a generation ends.
    pub async fn remove(self) -> Result<(), ReadError> {
        delete(&self.handle().await, &self.options.durable).await
    }

    async fn make_anew(&self, handle: &StreamHandle, from: u64) -> Result<(), ReadError> {
        delete(handle, &self.options.durable).await?;
        let begins = DeliverPolicy::ByStartSequence { start_sequence: from };
        let config = pull::Config { deliver_policy: begins, ..self.options.declared() };
        create(handle, config).await
    }

    async fn handle(&self) -> StreamHandle {
        StreamHandle::new(self.nats.clone(), self.options.stream.name()).await
    }
}

/// Makes sure that the stream is the expected one and that the consumer exists as declared and is not ahead of it.
pub async fn prepare(
    handle: &StreamHandle,
    options: &WorkOptions,
    expected: Option<&Epoch>,
) -> Result<(), ReadError> {
    let mut state = handle.state().await?;
    let info = info(handle, &options.durable).await?;
    let position = info.as_ref().map_or(0, |info| info.delivered.stream_sequence);
    if position > state.last_sequence {
        // The state was asked first, so the stream may have grown since.
        state = handle.state().await?;
    }
    if let Some(reason) = divergence(expected, &state, position) {
        return Err(ReadError::Diverged { position, reason });
    }
    let Some(info) = info else {
        let from = options.begins.unwrap_or(1);
        tracing::info!(durable = options.durable, from, "the work begins");
        return create(handle, options.declared()).await;
    };
    repair(handle, options, info).await
}

/// Tells what differs if the stream is not the one that was worked on up to a sequence. Pure.
fn divergence(expected: Option<&Epoch>, state: &LogState, delivered: u64) -> Option<&'static str> {
    if expected.is_some() && expected != state.epoch.as_ref() {
        return Some("it has another epoch");
    }
    (delivered > state.last_sequence).then_some("it ends before what was delivered")
}

async fn repair(handle: &StreamHandle, options: &WorkOptions, info: Info) -> Result<(), ReadError> {
    let durable = &options.durable;
    let found: pull::Config =
        async_nats::jetstream::consumer::FromConsumer::try_from_consumer_config(info.config)
            .map_err(|_| {
                ReadError::Unavailable(format!(
                    "the consumer {durable} is of another kind: delete it"
                ))
            })?;
    let Some(config) = repaired(&options.declared(), &found) else { return Ok(()) };
    tracing::info!(durable, "the consumer's settings differ and are changed");
    let updating = handle.context().update_consumer_on_stream(config, handle.name());
    let updated = handle.bounded(updating, "no answer").await?;
    updated.map(|_| ()).map_err(|error| {
        let what = format!("the consumer {durable} cannot be changed to what is declared: {error}");
        ReadError::Unavailable(what)
    })
}

async fn info(handle: &StreamHandle, durable: &str) -> Result<Option<Info>, ReadError> {
    let asked = handle.bounded(handle.stream().consumer_info(durable), "no answer").await?;
    match asked {
        Ok(info) => Ok(Some(info)),
        Err(error) => match error.kind() {
            ConsumerInfoErrorKind::NotFound => Ok(None),
            ConsumerInfoErrorKind::StreamNotFound => Err(ReadError::Gone),
            _ => Err(ReadError::Unavailable(error.to_string())),
        },
    }
}

/// Makes the consumer; somebody else may make the same at the same moment.
async fn create(handle: &StreamHandle, config: pull::Config) -> Result<(), ReadError> {
    let creating = handle.context().create_consumer_on_stream(config, handle.name());
    let created = handle.bounded(creating, "no answer").await?;
    created.map(|_| ()).map_err(|error| consumer_error(&error))
}

async fn delete(handle: &StreamHandle, durable: &str) -> Result<(), ReadError> {
    let deleting = handle.stream().delete_consumer(durable);
    match handle.bounded(deleting, "no answer").await? {
        Ok(_) => Ok(()),
        Err(error) if is(&error, ErrorCode::CONSUMER_NOT_FOUND) => Ok(()),
        Err(error) => Err(consumer_error(&error)),
    }
}

fn consumer_error(error: &ConsumerError) -> ReadError {
    if is(error, ErrorCode::STREAM_NOT_FOUND) {
        ReadError::Gone
    } else {
        ReadError::Unavailable(error.to_string())
    }
}

fn is(error: &ConsumerError, code: ErrorCode) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(e) if e.error_code() == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_stream_or_one_that_lost_its_end_has_diverged() {
        let epoch = |name: &str| Epoch(name.to_owned());
        let state = LogState {
            epoch: Some(epoch("one")),
            first_sequence: 1,
            last_sequence: 10,
            messages: 10,
            bytes: 0,
            max_bytes: -1,
        };
        assert_eq!(divergence(None, &state, 10), None);
        assert_eq!(divergence(Some(&epoch("one")), &state, 10), None);
        assert!(divergence(Some(&epoch("two")), &state, 0).is_some());
        assert!(divergence(None, &state, 11).is_some());
        let nameless = LogState { epoch: None, ..state };
        assert!(divergence(Some(&epoch("one")), &nameless, 0).is_some());
        assert_eq!(divergence(None, &nameless, 0), None);
    }
}

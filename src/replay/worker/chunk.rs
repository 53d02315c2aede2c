//! Reads one chunk of a range from where it stands to its end.

use std::sync::Arc;
use std::time::Duration;

use super::apply::Applier;
use super::hand::Halt;
use crate::replay::pacer::Pacer;
use crate::stream::{Batch, Epoch, EventLog, GetError, LogState, Mark, ReadError, StoredMessage};

/// Silence after which the log is asked whether there is anything to wait for.
const QUIET: Duration = Duration::from_millis(500);
/// Wait before a log is asked again that could not be.
const AGAIN: Duration = Duration::from_millis(250);

/// One chunk's task.
pub(super) struct ChunkTask {
    pub log: EventLog,
    pub applier: Arc<Applier>,
    pub pacer: Arc<Pacer>,
    pub index: usize,
}

/// What is to be done after a read.
enum Step {
    On,
    /// The log changed: from the beginning.
    Anew,
    Read,
}

impl ChunkTask {
    /// Reads to the end. What is not readable now is waited for.
    pub async fn run(self) -> Result<(), Halt> {
        self.recheck().await;
        while !self.is_read() {
            self.follow().await?;
        }
        Ok(())
    }

    /// Begins anew where the log is not the one that was read before; as long as it takes to tell.
    async fn recheck(&self) {
        let mark = self.applier.ledger.marks()[self.index];
        loop {
            match is_other(&self.log, mark).await {
                Ok(false) => return,
                Ok(true) => return self.applier.ledger.begin_anew(self.index),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn follow(&self) -> Result<(), Halt> {
        let (next, _) = self.place();
        let epoch = self.applier.epoch.clone();
        let mut reader = self.log.reader(next).expecting(epoch, None);
        loop {
            let step = match tokio::time::timeout(QUIET, reader.next()).await {
                Ok(Ok(batch)) => self.take(&batch).await?,
                Ok(Err(error @ ReadError::Diverged { .. })) => self.diverged(&error).await?,
                Ok(Err(_)) => Step::On,
                Err(_) => self.look_ahead().await?,
            };
            match step {
                Step::On => {}
                Step::Read => return Ok(()),
                Step::Anew => {
                    self.applier.ledger.begin_anew(self.index);
                    return Ok(());
                }
            }
        }
    }

    async fn take(&self, batch: &Batch) -> Result<Step, Halt> {
        let (_, to) = self.place();
        let within = batch.messages.partition_point(|message| message.sequence < to);
        for part in batch.messages[..within].chunks(self.applier.at_once()) {
            let (from, _) = self.place();
            let fates = Box::pin(self.applier.apply(part)).await;
            let read = part.iter().map(|message| message.sequence).zip(fates);
            let last = part.last().map(StoredMessage::mark);
            let next = self.applier.ledger.take(self.index, read, last);
            self.applier.note(from, next);
            self.pacer.pace(part.len() as u64).await;
            tokio::task::yield_now().await;
        }
        if within < batch.messages.len() {
            self.close();
        }
        match (self.is_read(), batch.pending) {
            (true, _) => Ok(Step::Read),
            (false, 0) => self.look_ahead().await,
            (false, _) => Ok(Step::On),
        }
    }

    /// Closes the chunk if the log holds nothing more of it.
    async fn look_ahead(&self) -> Result<Step, Halt> {
        let (next, to) = self.place();
        let Ok(found) = self.log.next_from(next).await else { return Ok(Step::On) };
        if found.is_some_and(|message| message.sequence < to) {
            return Ok(Step::On);
        }
        let Ok(state) = self.log.state().await else { return Ok(Step::On) };
        if state.epoch.as_ref() != Some(&self.applier.epoch) || state.last_sequence + 1 < to {
            return self.judge().await;
        }
        self.close();
        Ok(Step::Read)
    }

    /// Nothing is left up to the end.
    fn close(&self) {
        let (from, to) = self.place();
        self.applier.ledger.close(self.index);
        self.applier.note(from, to);
    }

    async fn diverged(&self, error: &ReadError) -> Result<Step, Halt> {
        tracing::warn!(%error, chunk = self.index, "a part of a job is read again from its beginning");
        self.judge().await
    }

    /// The log is not what was read: another one, one that is too short now, or one to be read again.
    async fn judge(&self) -> Result<Step, Halt> {
        let state = loop {
            match self.log.state().await {
                Ok(state) => break state,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        };
        let (_, to) = self.place();
        can_hold(&state, &self.applier.epoch, to)?;
        Ok(Step::Anew)
    }

    fn is_read(&self) -> bool {
        let (next, to) = self.place();
        next >= to
    }

    fn place(&self) -> (u64, u64) {
        self.applier.ledger.place(self.index)
    }
}

/// Whether another message stands where this one was read. Where none stands any more nothing is told: messages are
/// erased and trimmed, and a log that lost its end and grew again has others there.
pub(super) async fn is_other(log: &EventLog, mark: Option<Mark>) -> Result<bool, GetError> {
    let Some(mark) = mark else { return Ok(false) };
    Ok(log.get(mark.sequence).await?.is_some_and(|message| message.mark() != mark))
}

/// Says why a log can never hold what was planned, up to a sequence (exclusive).
pub(super) fn can_hold(state: &LogState, epoch: &Epoch, to: u64) -> Result<(), Halt> {
    if state.epoch.as_ref() != Some(epoch) {
        return Err(Halt::Failed(
            "the log is another one than the job was planned for: plan it again".to_owned(),
        ));
    }
    if state.last_sequence + 1 < to {
        let last = state.last_sequence;
        return Err(Halt::Failed(format!(
            "the log has lost its end and holds nothing past {last}: plan the job again once it is whole"
        )));
    }
    Ok(())
}

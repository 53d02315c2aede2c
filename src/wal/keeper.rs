//! The thread for everything off the answer's path: seals, HIGHWATER, CURSOR, deletion, checks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use super::files;
use super::marks::{self, HighWater, Seal};
use super::shared::Shared;
use crate::limits::{WAL_CHECK_PERIOD, WAL_CURSOR_PERIOD, WAL_HIGH_WATER_PERIOD};

#[derive(Default)]
struct Mail {
    seals: Vec<Seal>,
    hurry: bool,
    stop: bool,
}

/// What the keeper is asked to do.
#[derive(Default)]
pub(super) struct Inbox {
    mail: Mutex<Mail>,
    ready: Condvar,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().expect("nothing panics while it holds the inbox")
    }

    /// Asks to seal a finished segment.
    pub fn seal(&self, seal: Seal) {
        self.lock().seals.push(seal);
        self.ready.notify_one();
    }

    /// Asks to make the cursor durable now.
    pub fn hurry(&self) {
        self.lock().hurry = true;
        self.ready.notify_one();
    }

    /// Asks for the last round.
    pub fn stop(&self) {
        self.lock().stop = true;
        self.ready.notify_one();
    }

    fn wait(&self) -> Mail {
        let idle = |mail: &mut Mail| mail.seals.is_empty() && !mail.hurry && !mail.stop;
        let (mut mail, _) = self
            .ready
            .wait_timeout_while(self.lock(), WAL_HIGH_WATER_PERIOD, idle)
            .expect("nothing panics while it holds the inbox");
        let stop = mail.stop;
        Mail { stop, ..std::mem::take(&mut *mail) }
    }
}

/// The keeper's own state.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    high_water: HighWater,
    written: u64,
    cursor_at: Instant,
    checked_at: Instant,
    /// Seals that could not be written yet.
    unsealed: Vec<Seal>,
}

/// Tells that the log is closed when the thread ends, however it does.
struct Stopping(Arc<Shared>);

impl Drop for Stopping {
    fn drop(&mut self) {
        let finished = std::mem::take(&mut self.0.state().finished);
        drop(finished);
        self.0.readers().clear();
        if let Ok(mut lock) = self.0.lock.lock() {
            lock.take();
        }
        self.0.stopped.send_replace(true);
    }
}

impl Keeper {
    pub fn new(shared: Arc<Shared>, high_water: HighWater) -> Keeper {
        let now = Instant::now();
        Keeper {
            shared,
            high_water,
            written: 0,
            cursor_at: now,
            checked_at: now,
            unsealed: Vec::new(),
        }
    }

    /// Works until told to stop, and makes everything durable before it ends.
    pub fn run(mut self) {
        let _stopping = Stopping(Arc::clone(&self.shared));
        loop {
            self.shared.pulses.keeper.beat();
            let mail = self.shared.inbox.wait();
            self.unsealed.extend(mail.seals);
            let result = self.round(mail.hurry || mail.stop);
            if let Err(error) = &result {
                tracing::warn!(%error, "the log's upkeep failed; it is tried again");
            }
            self.shared.state().keeping =
                result.err().map(|error| format!("upkeep failed: {error}"));
            if mail.stop {
                break;
            }
        }
    }

    /// Does what is due. One failure keeps nothing else from being done: on a full disk, only a moved
    /// cursor and deleted segments help.
    fn round(&mut self, hurry: bool) -> std::io::Result<()> {
        let mut results = vec![self.write_high_water(), self.write_seals()];
        if hurry || self.cursor_at.elapsed() >= WAL_CURSOR_PERIOD {
            self.cursor_at = Instant::now();
            results.push(self.shared.persist_cursor());
            results.push(self.delete_old());
            self.roll_old();
        }
        results.push(self.check_one());
        results.into_iter().collect()
    }

    fn write_high_water(&mut self) -> std::io::Result<()> {
        let committed = self.shared.committed();
        if committed > self.written {
            self.high_water.write(committed)?;
            self.written = committed;
        }
        Ok(())
    }

    /// Seals finished segments, and hands them to the readers.
    fn write_seals(&mut self) -> std::io::Result<()> {
        while let Some(seal) = self.unsealed.last().copied() {
            let mut readers = self.shared.readers();
            if self.shared.state().ledger.sealed.contains_key(&seal.first) {
                marks::write_seal(
                    &files::segment_dir(&self.shared.options.dir, seal.first),
                    &seal,
                )?;
            }
            let finished = self.shared.state().finished.remove(&seal.first);
            if let Some(segment) = finished {
                readers.add(segment);
            }
            self.unsealed.pop();
        }
        Ok(())
    }

    fn delete_old(&self) -> std::io::Result<()> {
        let options = &self.shared.options;
        let old = {
            let mut state = self.shared.state();
            let (now, published) = (Instant::now(), state.published);
            let through = published.min(state.cursor);
            state.ledger.note_published(published, now);
            state.ledger.out_of_grace(through, now, options.grace_age, options.grace_bytes)
        };
        old.into_iter().try_for_each(|first| self.shared.delete(first))
    }

    /// Has a segment that grew old without appends finished, so that its grace can end.
    fn roll_old(&self) {
        let state = self.shared.state();
        let active = state.ledger.active.as_ref().filter(|active| active.entries > 0);
        if active.is_some_and(|active| active.opened.elapsed() >= self.shared.options.segment_age) {
            self.shared.queue.roll();
        }
    }

    fn check_one(&mut self) -> std::io::Result<()> {
        if self.checked_at.elapsed() < WAL_CHECK_PERIOD {
            return Ok(());
        }
        self.checked_at = Instant::now();
        let unchecked = {
            let state = self.shared.state();
            state.ledger.sealed.iter().find(|(_, sealed)| !sealed.checked).map(|(first, _)| *first)
        };
        unchecked.map_or(Ok(()), |first| self.shared.check_sealed(first))
    }
}

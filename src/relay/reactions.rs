//! What the relay does with what its loop hears: entries read, groups landed, the stream checked.
//!
//! Nothing here waits; whatever has to be sent, asked or kept is left for the loop to start.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::event::{Publication, PublicationError};
use crate::relay::check::{CheckError, Loss, Verdict};
use crate::relay::engine::{Engine, Event, Waiting};
use crate::relay::flight::Landed;
use crate::relay::marks::{PublishMark, PublishMarks};
use crate::relay::settle::{Entry, Group, Trouble, settle};
use crate::relay::window::Window;
use crate::stream::Epoch;
use crate::wal::ReadOutcome;

/// The shortest and the longest wait before something is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

impl Engine {
    /// Takes in an event of the loop.
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Landed(landed) => self.handle_landed(landed),
            Event::Read(Ok(read)) => self.handle_read(read),
            Event::Read(Err(error)) => {
                self.read_not_before = Instant::now() + BACKOFF.1;
                self.tell(format!("the log on disk cannot be read: {error}"), false);
            }
            Event::Checked(Ok(Verdict::Sound { epoch })) => self.handle_sound(&epoch),
            Event::Checked(Ok(Verdict::Lost { epoch, held, reason })) => {
                self.handle_lost(epoch, held, reason);
            }
            Event::Checked(Err(error)) => self.handle_unchecked(&error),
            Event::Saved(Err(error)) => {
                self.unsaved = true;
                self.tell(format!("the relay's marks cannot be kept: {error}"), false);
            }
            Event::Saved(Ok(())) | Event::Woken => {}
        }
        self.publish_status();
    }

    fn handle_read(&mut self, read: ReadOutcome) {
        for lost in &read.lost {
            tracing::error!(?lost, "the log on disk has lost entries before they were published");
        }
        let mut entries = Vec::with_capacity(read.entries.len());
        for (sequence, bytes) in read.entries {
            match decode(sequence, &bytes) {
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    self.status.undecodable += 1;
                    tracing::error!(sequence, %error, "an entry of the log on disk is no event; it is passed over");
                }
            }
        }
        self.window.hand_out(entries.iter().map(|entry| entry.sequence), read.next);
        if !entries.is_empty() {
            self.send(Group::new(entries));
        }
        self.handle_progress();
    }

    fn handle_landed(&mut self, landed: Landed) {
        let settled = settle(landed.group, landed.answer);
        self.status.published += settled.stored.len() as u64;
        let healed =
            |(sequence, newly): &&(u64, bool)| *newly && *sequence <= self.acknowledged_through;
        self.status.healed += settled.stored.iter().filter(healed).count() as u64;
        if !settled.stored.is_empty() {
            self.status.alarm = None;
        }
        self.window.done(settled.stored.iter().map(|(sequence, _)| *sequence), settled.mark);
        if let Some(trouble) = settled.trouble {
            self.handle_trouble(trouble);
        }
        for group in settled.again {
            let not_before = Instant::now() + backoff(group.attempts);
            self.waiting.push_back(Waiting { group, not_before });
        }
        self.handle_progress();
    }

    fn handle_trouble(&mut self, trouble: Trouble) {
        self.status.retries += 1;
        if trouble.check {
            self.sound_for = None;
            self.next_check = self.next_check.min(Instant::now() + BACKOFF.0);
        }
        self.tell(trouble.text, trouble.alarm);
    }

    /// Tells the WAL and the marks how far everything is stored.
    fn handle_progress(&mut self) {
        let cursor = self.window.cursor();
        if cursor == self.status.cursor {
            return;
        }
        self.status.cursor = cursor;
        self.wal.mark_published(cursor);
        self.cursor_sender.send_replace(cursor);
        if let Some(mark) = self.window.mark() {
            self.marks.push(cursor, mark);
            self.unsaved = true;
        }
    }

    fn handle_sound(&mut self, epoch: &Epoch) {
        self.check_failures = 0;
        // Another epoch is sound only while nothing was published to the one before.
        if self.marks.epoch.as_ref() != Some(epoch) {
            self.marks = PublishMarks::of(epoch.clone());
            self.unsaved = true;
        }
        self.sound_for = Some(self.checking_for);
    }

    fn handle_lost(&mut self, epoch: Epoch, held: Option<PublishMark>, reason: Loss) {
        self.check_failures = 0;
        self.acknowledged_through = self.acknowledged_through.max(self.window.cursor());
        self.healing_through = self.healing_through.max(self.window.next() - 1);
        let through = held.map_or(0, |held| held.through);
        self.wal.rewind_published(through);
        let from = self.wal.published();
        let unhealable = unhealable(reason, through, from);
        self.status.heals += 1;
        self.status.unhealable += unhealable;
        tracing::warn!(
            %reason, %epoch, from, through = self.acknowledged_through, unhealable,
            "the stream lost what it had acknowledged: it is published again from the log on disk"
        );
        if self.marks.epoch.as_ref() == Some(&epoch) {
            self.marks.forget_after(through);
        } else {
            self.marks = PublishMarks::of(epoch);
        }
        self.unsaved = true;
        self.window = Window::new(from, held.map(|held| held.mark));
        self.flights = FuturesUnordered::new();
        self.waiting.clear();
        self.reading = None;
        self.status.cursor = from;
        self.cursor_sender.send_replace(from);
        self.sound_for = Some(self.checking_for);
    }

    fn handle_unchecked(&mut self, error: &CheckError) {
        self.check_failures += 1;
        self.sound_for = None;
        self.next_check = Instant::now() + backoff(self.check_failures);
        self.tell(format!("the stream cannot be checked: {error}"), !error.is_retryable());
    }

    fn tell(&mut self, text: String, alarm: bool) {
        if alarm && self.status.alarm.as_ref() != Some(&text) {
            tracing::error!(
                reason = text,
                "events cannot be stored in the stream; they wait in the log on disk"
            );
            self.status.alarm = Some(text.clone());
        } else if self.status.last_error.as_ref() != Some(&text) {
            tracing::warn!(reason = text, "the relay tries again");
        }
        self.status.last_error = Some(text);
    }

    fn publish_status(&mut self) {
        self.status.sound = self.sound_for.is_some();
        self.status.lag = self.committed.borrow().saturating_sub(self.status.cursor);
        self.status.in_flight = self.window.outstanding() as u64;
        self.status_sender.send_replace(self.status.clone());
    }
}

/// How many entries after `through` the WAL no longer gives when it begins at `from`. It begins before `through`
/// when it was killed after the marks were kept and before its own cursor was.
fn unhealable(reason: Loss, through: u64, from: u64) -> u64 {
    if reason == Loss::Forgotten { 0 } else { from.saturating_sub(through) }
}

fn decode(sequence: u64, bytes: &Bytes) -> Result<Entry, PublicationError> {
    let publication = Publication::decode(bytes)?;
    Ok(Entry {
        sequence,
        subject: publication.subject(),
        message_id: publication.message_id,
        payload: publication.payload,
    })
}

fn backoff(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        _ => (BACKOFF.0 * 2_u32.pow(attempts.min(16) - 1)).min(BACKOFF.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wal_whose_cursor_is_behind_the_marks_has_lost_nothing() {
        assert_eq!(unhealable(Loss::Missing, 90, 60), 0);
        assert_eq!(unhealable(Loss::Missing, 90, 100), 10);
        assert_eq!(unhealable(Loss::OtherStream, 0, 100), 100);
        assert_eq!(unhealable(Loss::Forgotten, 0, 100), 0);
    }
}

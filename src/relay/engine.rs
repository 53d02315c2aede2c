//! The relay's loop: one task that reads the WAL, keeps several groups on their way, and checks the stream.
//!
//! Nothing is sent before the stream was asked whether it still holds what it acknowledged: at the start,
//! after every reconnection, and when a publish finds no stream. While all is well it is asked again every
//! few seconds, by one get.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::event::Publication;
use crate::limits;
use crate::relay::check::{CheckError, Loss, Question, Verdict, check};
use crate::relay::flight::{Landed, fly};
use crate::relay::marks::{PublishMark, PublishMarks};
use crate::relay::marks_file::MarksFile;
use crate::relay::settle::{Entry, Group, Trouble, settle};
use crate::relay::status::Status;
use crate::relay::window::Window;
use crate::stream::{Epoch, EventLog, Link};
use crate::wal::{ReadError, ReadOutcome, Wal};

/// How often the newest mark is read back while all is well.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// How often the marks are written, at most.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// The shortest and the longest wait before something is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// A group that waits to be sent again.
struct Waiting {
    group: Group,
    not_before: Instant,
}

/// The relay's state and what it has under way.
pub struct Engine {
    wal: Wal,
    log: EventLog,
    file: MarksFile,
    link: watch::Receiver<Link>,
    committed: watch::Receiver<u64>,
    marks: PublishMarks,
    window: Window,
    /// The connection for which the stream was found sound; `None` while that is not known.
    sound_for: Option<u64>,
    check_failures: u32,
    /// Up to here the WAL is published for the second time.
    healing_through: u64,
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    waiting: VecDeque<Waiting>,
    reading: Option<BoxFuture<'static, Result<ReadOutcome, ReadError>>>,
    read_not_before: Instant,
    /// The connection that is being checked.
    checking_for: u64,
    checking: Option<BoxFuture<'static, Result<Verdict, CheckError>>>,
    next_check: Instant,
    saving: Option<BoxFuture<'static, io::Result<()>>>,
    next_save: Instant,
    unsaved: bool,
    status: Status,
    status_sender: watch::Sender<Status>,
    cursor_sender: watch::Sender<u64>,
}

/// What the loop waits for.
enum Event {
    Landed(Landed),
    Read(Result<ReadOutcome, ReadError>),
    Checked(Result<Verdict, CheckError>),
    Saved(io::Result<()>),
    Woken,
}

impl Engine {
    /// Begins where the marks end: the WAL's own cursor may be ahead of them, or behind a rewind that was not kept.
    pub fn new(
        wal: Wal,
        log: EventLog,
        file: MarksFile,
        marks: PublishMarks,
    ) -> (Self, watch::Receiver<Status>, watch::Receiver<u64>) {
        let newest = marks.newest();
        if marks.epoch.is_some() {
            wal.rewind_published(newest.map_or(0, |newest| newest.through));
        }
        let cursor = wal.published();
        let (status_sender, status) = watch::channel(Status { cursor, ..Status::default() });
        let (cursor_sender, cursor_watch) = watch::channel(cursor);
        let now = Instant::now();
        let engine = Self {
            link: log.nats().link(),
            committed: wal.committed(),
            window: Window::new(cursor, newest.map(|newest| newest.mark)),
            wal,
            log,
            file,
            marks,
            sound_for: None,
            check_failures: 0,
            healing_through: 0,
            flights: FuturesUnordered::new(),
            waiting: VecDeque::new(),
            reading: None,
            read_not_before: now,
            checking_for: 0,
            checking: None,
            next_check: now,
            saving: None,
            next_save: now,
            unsaved: false,
            status: Status { cursor, ..Status::default() },
            status_sender,
            cursor_sender,
        };
        (engine, status, cursor_watch)
    }

    /// Relays until cancelled.
    pub async fn run(&mut self, token: &CancellationToken) {
        while !token.is_cancelled() {
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                event = self.turn() => self.handle(event),
            }
        }
    }

    /// Relays until everything committed is published, or the link is down.
    pub async fn drain(&mut self) {
        while self.window.cursor() < *self.committed.borrow() && self.link.borrow().connected {
            let event = self.turn().await;
            self.handle(event);
        }
    }

    /// Keeps the marks. What is still on its way will be sent again at the next start.
    pub async fn finish(&mut self) {
        if let Some(saving) = self.saving.take() {
            let saved = saving.await;
            self.handle(Event::Saved(saved));
        }
        if self.unsaved {
            let saved = self.save().await;
            self.handle(Event::Saved(saved));
        }
    }

    /// Starts what can be started, then waits for the next event. Cancelling it loses nothing.
    async fn turn(&mut self) -> Event {
        self.start_what_can_be();
        let wake = self.next_wake();
        tokio::select! {
            Some(landed) = self.flights.next(), if !self.flights.is_empty() => Event::Landed(landed),
            read = finished(&mut self.reading) => Event::Read(read),
            checked = finished(&mut self.checking) => Event::Checked(checked),
            saved = finished(&mut self.saving) => Event::Saved(saved),
            _ = self.committed.changed() => Event::Woken,
            _ = self.link.changed() => Event::Woken,
            () = tokio::time::sleep_until(wake) => Event::Woken,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Landed(landed) => self.handle_landed(landed),
            Event::Read(Ok(read)) => self.handle_read(read),
            Event::Read(Err(error)) => {
                self.read_not_before = Instant::now() + BACKOFF.1;
                self.tell(format!("the log on disk cannot be read: {error}"), false);
            }
            Event::Checked(Ok(Verdict::Sound { epoch })) => self.handle_sound(&epoch),
            Event::Checked(Ok(Verdict::Lost { epoch, held, reason })) => self.handle_lost(epoch, held, reason),
            Event::Checked(Err(error)) => self.handle_unchecked(&error),
            Event::Saved(Ok(())) => {}
            Event::Saved(Err(error)) => {
                self.unsaved = true;
                self.tell(format!("the relay's marks cannot be kept: {error}"), false);
            }
            Event::Woken => {}
        }
        self.publish_status();
    }

    fn start_what_can_be(&mut self) {
        let now = Instant::now();
        let link = *self.link.borrow_and_update();
        if self.sound_for != Some(link.times) {
            self.sound_for = None;
        }
        if link.connected && self.checking.is_none() && now >= self.next_check {
            self.start_check(link.times);
        }
        if self.unsaved && self.saving.is_none() && now >= self.next_save {
            let saving = self.save();
            self.saving = Some(saving);
        }
        if link.connected && self.sound_for.is_some() {
            self.send_again(now);
            self.start_reading(now);
        }
    }

    fn start_check(&mut self, times: u64) {
        let question = Question {
            marks: self.marks.clone(),
            published: self.wal.published() > 0,
            thorough: self.sound_for != Some(times),
        };
        self.next_check = Instant::now() + CHECK_INTERVAL;
        self.checking_for = times;
        self.checking = Some(Box::pin(check(self.log.clone(), question)));
    }

    fn send_again(&mut self, now: Instant) {
        let mut kept = VecDeque::new();
        while let Some(waiting) = self.waiting.pop_front() {
            if self.flights.len() < limits::RELAY_FLIGHTS && waiting.not_before <= now {
                self.send(waiting.group);
            } else {
                kept.push_back(waiting);
            }
        }
        self.waiting = kept;
    }

    fn send(&mut self, group: Group) {
        let healing = group.entries.iter().any(|entry| entry.sequence <= self.healing_through);
        self.flights.push(Box::pin(fly(self.log.clone(), group, healing)));
    }

    fn start_reading(&mut self, now: Instant) {
        let room = limits::RELAY_OUTSTANDING.saturating_sub(self.window.outstanding());
        let behind = *self.committed.borrow_and_update() >= self.window.next();
        let busy = self.flights.len() >= limits::RELAY_FLIGHTS;
        if behind && !busy && room > 0 && self.reading.is_none() && now >= self.read_not_before {
            let (wal, from) = (self.wal.clone(), self.window.next());
            let entries = room.min(limits::ATOMIC_BATCH_MESSAGES);
            let read = async move { wal.read(from, entries, limits::RELAY_BATCH_BYTES).await };
            self.reading = Some(Box::pin(read));
        }
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
        let healed = |(sequence, newly): &&(u64, bool)| *newly && *sequence <= self.healing_through;
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
        if self.marks.epoch.is_none() {
            self.marks = PublishMarks::of(epoch.clone());
            self.unsaved = true;
        }
        self.sound_for = Some(self.checking_for);
    }

    fn handle_lost(&mut self, epoch: Epoch, held: Option<PublishMark>, reason: Loss) {
        self.check_failures = 0;
        let before = self.window.cursor();
        self.healing_through = self.healing_through.max(self.window.next() - 1);
        let through = held.map_or(0, |held| held.through);
        self.wal.rewind_published(through);
        let from = self.wal.published();
        let unhealable = if reason == Loss::Forgotten { 0 } else { from - through };
        self.status.heals += 1;
        self.status.unhealable += unhealable;
        tracing::warn!(
            %reason, %epoch, from, through = before, unhealable,
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

    fn save(&mut self) -> BoxFuture<'static, io::Result<()>> {
        self.unsaved = false;
        self.next_save = Instant::now() + SAVE_INTERVAL;
        let (file, marks) = (self.file.clone(), self.marks.clone());
        let writing = tokio::task::spawn_blocking(move || file.write(&marks));
        Box::pin(async move { writing.await.unwrap_or_else(|error| Err(io::Error::other(error))) })
    }

    fn tell(&mut self, text: String, alarm: bool) {
        if alarm && self.status.alarm.as_ref() != Some(&text) {
            tracing::error!(reason = text, "events cannot be stored in the stream; they wait in the log on disk");
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

    /// The next moment at which something can be started that no event announces.
    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let connected = self.link.borrow().connected;
        let mut wake = now + CHECK_INTERVAL;
        if connected && self.checking.is_none() {
            wake = wake.min(self.next_check);
        }
        if self.unsaved && self.saving.is_none() {
            wake = wake.min(self.next_save);
        }
        if connected && self.sound_for.is_some() && self.flights.len() < limits::RELAY_FLIGHTS {
            let reading = Some(self.read_not_before).filter(|at| *at > now);
            wake = self.waiting.iter().map(|waiting| waiting.not_before).chain(reading).fold(wake, Instant::min);
        }
        wake
    }
}

fn decode(sequence: u64, bytes: &Bytes) -> Result<Entry, crate::event::PublicationError> {
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

/// Waits for a slot's future and empties the slot; an empty slot waits for ever.
async fn finished<T>(slot: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(future) = slot else {
        return pending().await;
    };
    let value = future.await;
    *slot = None;
    value
}

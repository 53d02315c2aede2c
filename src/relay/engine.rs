//! The relay's loop: one task that reads the WAL, keeps several groups on their way, and checks the stream.
//!
//! Nothing is sent before the stream was asked whether it still holds what it acknowledged: at the start,
//! after every reconnection, and when a publish finds no stream. While all is well it is asked again every
//! few seconds, by one get.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::pulse::Pulse;
use crate::relay::check::{CheckError, Question, Verdict, check};
use crate::relay::flight::{Landed, fly};
use crate::relay::marks::PublishMarks;
use crate::relay::marks_file::MarksFile;
use crate::relay::settle::Group;
use crate::relay::status::Status;
use crate::relay::window::Window;
use crate::stream::{EventLog, Link};
use crate::wal::{ReadError, ReadOutcome, Wal};

/// How often the newest mark is read back while all is well.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// How often the marks are written, at most.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// A group that waits to be sent again.
pub struct Waiting {
    pub(super) group: Group,
    pub(super) not_before: Instant,
}

/// The relay's state and what it has under way.
pub struct Engine {
    pub(super) wal: Wal,
    pub(super) log: EventLog,
    pub(super) file: MarksFile,
    pub(super) link: watch::Receiver<Link>,
    pub(super) committed: watch::Receiver<u64>,
    pub(super) marks: PublishMarks,
    pub(super) window: Window,
    pub(super) seen_times: u64,
    /// The connection for which the stream was found sound; `None` while that is not known.
    pub(super) sound_for: Option<u64>,
    pub(super) check_failures: u32,
    /// Up to here the WAL was handed out before the stream lost something: its duplicates are not believed.
    pub(super) healing_through: u64,
    /// Up to here it had been acknowledged as well.
    pub(super) acknowledged_through: u64,
    pub(super) flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) reading: Option<BoxFuture<'static, Result<ReadOutcome, ReadError>>>,
    pub(super) read_not_before: Instant,
    /// The connection that is being checked.
    pub(super) checking_for: u64,
    pub(super) checking: Option<BoxFuture<'static, Result<Verdict, CheckError>>>,
    pub(super) next_check: Instant,
    pub(super) saving: Option<BoxFuture<'static, io::Result<()>>>,
    pub(super) next_save: Instant,
    pub(super) unsaved: bool,
    pub(super) pulse: Pulse,
    pub(super) status: Status,
    pub(super) status_sender: watch::Sender<Status>,
    pub(super) cursor_sender: watch::Sender<u64>,
}

/// What the loop waits for.
pub enum Event {
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
            seen_times: 0,
            sound_for: None,
            check_failures: 0,
            healing_through: 0,
            acknowledged_through: 0,
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
            pulse: Pulse::new("the relay"),
            status: Status { cursor, ..Status::default() },
            status_sender,
            cursor_sender,
        };
        (engine, status, cursor_watch)
    }

    /// Relays until cancelled.
    pub async fn run(&mut self, token: &CancellationToken) {
        let pulse = self.pulse.clone();
        while !token.is_cancelled() {
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                event = async { pulse.while_waiting(pin!(self.turn())).await } => self.handle(event),
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

    fn start_what_can_be(&mut self) {
        let now = Instant::now();
        let link = *self.link.borrow_and_update();
        if self.seen_times != link.times {
            // Another connection: what a check of the older one waits for will not come.
            self.seen_times = link.times;
            self.sound_for = None;
            self.checking = None;
            self.next_check = now;
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
        let thorough = self.sound_for != Some(times);
        if thorough {
            self.begin_again();
        }
        let question =
            Question { marks: self.marks.clone(), published: self.wal.published() > 0, thorough };
        self.next_check = Instant::now() + CHECK_INTERVAL;
        self.checking_for = times;
        self.checking = Some(Box::pin(check(self.log.clone(), question)));
    }

    /// Lets go of everything under way and begins at the cursor.
    ///
    /// An answer that comes in during a check may be of the stream as it was before it lost something: it
    /// would count as stored, and the check would not have known to look for it.
    fn begin_again(&mut self) {
        self.healing_through = self.healing_through.max(self.window.next() - 1);
        self.window = Window::new(self.window.cursor(), self.window.mark());
        self.flights = FuturesUnordered::new();
        self.waiting.clear();
        self.reading = None;
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

    pub(super) fn send(&mut self, group: Group) {
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

    fn save(&mut self) -> BoxFuture<'static, io::Result<()>> {
        self.unsaved = false;
        self.next_save = Instant::now() + SAVE_INTERVAL;
        let (file, marks) = (self.file.clone(), self.marks.clone());
        let writing = tokio::task::spawn_blocking(move || file.write(&marks));
        Box::pin(async move { writing.await.unwrap_or_else(|error| Err(io::Error::other(error))) })
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
            wake = self
                .waiting
                .iter()
                .map(|waiting| waiting.not_before)
                .chain(reading)
                .fold(wake, Instant::min);
        }
        wake
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

//! One reconciliation: part after part of the WAL is compared with the stream, and what is missing published.

use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};

use crate::limits;
use crate::relay::marks::PublishMarks;
use crate::relay::marks_file::MarksFile;
use crate::relay::reconcile::entries::{Part, missing, read_again};
use crate::relay::reconcile::judge::{Explained, Fate, Stream, judge};
use crate::relay::reconcile::publish::{Placed, Stuck, publish};
use crate::relay::reconcile::report::{Finding, Found, Report, Stage};
use crate::relay::reconcile::survey::{survey, trusted};
use crate::relay::settle::{Entry, Group};
use crate::stream::{EnsureError, EventLog, GetError, LogState, Mark, ReadError};
use crate::wal::{self, OfflineError};

/// What to reconcile, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The WAL's directory, which no process runs.
    pub dir: PathBuf,
    /// Only tell what would be done.
    pub plan: bool,
    /// Publish also what was erased, or may have been.
    pub include_erased: bool,
    /// Entries that are held in memory at once; of more, a part after the other is compared.
    pub entries_at_once: usize,
}

impl Options {
    /// Publishes what the stream lost, and nothing else.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let entries_at_once = limits::RECONCILE_ENTRIES;
        Self { dir: dir.into(), plan: false, include_erased: false, entries_at_once }
    }
}

/// What is told on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Finding(Finding),
    Progress { stage: Stage, done: u64, of: Option<u64> },
}

/// Why it could not be finished. What was published until then stays.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Wal(#[from] OfflineError),
    #[error("cannot read or write the relay's marks: {0}")]
    Marks(#[from] io::Error),
    #[error(transparent)]
    Ensure(#[from] EnsureError),
    #[error(transparent)]
    Get(#[from] GetError),
    #[error("the stream cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error(transparent)]
    Stuck(#[from] Stuck),
    #[error("a part of the work broke off: {0}")]
    Broken(#[from] JoinError),
}

/// Compares a WAL with the stream, and publishes what the stream lost under the same ids.
///
/// What the server has deleted or trimmed stays away. The relay's marks are written anew at the end, so that a
/// gateway that starts then finds its stream sound.
pub async fn reconcile(
    options: Options,
    log: EventLog,
    tell: &mut dyn FnMut(Told),
) -> Result<Report, ReconcileError> {
    let file = MarksFile::new(&options.dir);
    let marks = file.read()?;
    let newest = marks.newest().map_or(0, |newest| newest.through);
    let published = wal::inspect(&options.dir)?.published.max(newest);
    let (state, gone) = look(&log, options.plan).await?;
    let other = gone || (marks.epoch.is_some() && marks.epoch != state.epoch);
    let held = match &state.epoch {
        Some(epoch) => trusted(&log, &marks, epoch).await?,
        None => PublishMarks::default(),
    };
    let report = Report { planned: options.plan, ..Report::default() };
    let mut run = Run {
        options,
        log,
        state,
        other,
        remembered: marks,
        held,
        published,
        report,
        last: 0,
        before: 0,
        explained: Explained::new(),
        highest: None,
        tell,
    };
    let mut from = Some(1);
    while let Some(first) = from {
        from = run.part(first).await?;
    }
    run.keep_marks(&file)?;
    Ok(run.report)
}

/// Returns how far the stream reaches, and whether there was none; makes it then, unless only planned.
async fn look(log: &EventLog, plan: bool) -> Result<(LogState, bool), ReconcileError> {
    let gone = match log.state().await {
        Ok(state) if plan => return Ok((state, false)),
        Ok(_) => false,
        Err(GetError::Gone) if plan => return Ok((nothing(), true)),
        Err(GetError::Gone) => true,
        Err(error) => return Err(error.into()),
    };
    log.ensure().await?;
    Ok((log.state().await?, gone))
}

fn nothing() -> LogState {
    let (first_sequence, max_bytes) = (1, -1);
    LogState { epoch: None, first_sequence, last_sequence: 0, messages: 0, bytes: 0, max_bytes }
}

struct Run<'t> {
    options: Options,
    log: EventLog,
    state: LogState,
    /// It is another stream than the WAL was published to.
    other: bool,
    /// What the relay remembers: where entries stood, whatever became of them.
    remembered: PublishMarks,
    /// What of that the stream still holds.
    held: PublishMarks,
    /// Through here (inclusive) the WAL was acknowledged.
    published: u64,
    report: Report,
    /// The WAL's last sequence that was read.
    last: u64,
    /// The place of the last entry so far that the stream has; 0 if none.
    before: u64,
    explained: Explained,
    /// The last place in the stream of anything of the WAL, and its hash.
    highest: Option<(u64, [u8; 16])>,
    tell: &'t mut dyn FnMut(Told),
}

impl Run<'_> {
    /// Reconciles the entries from a sequence on that fit in memory; returns where the next part begins.
    async fn part(&mut self, from: u64) -> Result<Option<u64>, ReconcileError> {
        let (dir, most) = (self.options.dir.clone(), self.options.entries_at_once);
        let mut part = spawn_blocking(move || Part::read(&dir, from, most)).await??;
        let index = &mut part.index;
        (self.tell)(Told::Progress { stage: Stage::Disk, done: part.entries, of: None });
        let gaps = survey(&self.log, &self.state, &self.held, index, self.tell).await?;
        let stream = Stream {
            first: self.state.first_sequence,
            last: self.state.last_sequence,
            gaps: &gaps,
            marks: &self.remembered,
            other: self.other,
            before: self.before,
        };
        let fates = judge(index.entries(), self.published, &stream, &mut self.explained);
        self.count(&part, &fates);
        self.highest = self.highest.max(part.index.highest());
        self.last = self.last.max(part.last);
        let placed = part.index.entries().iter().rev().find_map(|known| known.place);
        self.before = placed.unwrap_or(self.before);
        let missing = missing(part.index.entries(), &fates);
        drop(part.index);
        self.bring(missing).await?;
        Ok(part.next)
    }

    fn count(&mut self, part: &Part, fates: &[Fate]) {
        let of = |fate: Fate| fates.iter().filter(|other| **other == fate).count() as u64;
        let report = &mut self.report;
        report.entries += part.entries;
        report.undecodable += part.undecodable;
        report.copies += part.index.copies;
        report.held += of(Fate::Held);
        report.trimmed += of(Fate::Trimmed);
        report.not_yet_published += of(Fate::Unpublished);
        let (erased, perhaps) = (of(Fate::Erased), of(Fate::MaybeErased));
        report.lost += of(Fate::Lost);
        if self.options.include_erased {
            report.lost += erased + perhaps;
        } else {
            report.erased += erased;
            report.may_have_been_erased += perhaps;
        }
    }

    /// Reads the missing entries again, publishes those that belong into the stream, and tells of all.
    async fn bring(&mut self, missing: Vec<(u64, Fate)>) -> Result<(), ReconcileError> {
        let all = missing.len() as u64;
        let (sender, mut chosen) = mpsc::channel(limits::ATOMIC_BATCH_MESSAGES);
        let dir = self.options.dir.clone();
        let reading = spawn_blocking(move || read_again(&dir, &missing, &sender));
        let (mut group, mut bytes, mut done) = (Vec::new(), 0, 0);
        while let Some((entry, fate)) = chosen.recv().await {
            done += 1;
            (self.tell)(Told::Progress { stage: Stage::Publish, done, of: Some(all) });
            if !self.shall_publish(fate) {
                self.tell_of(&entry, self.unpublished(fate), None);
                continue;
            }
            bytes += entry.payload.len();
            group.push(entry);
            if group.len() == limits::ATOMIC_BATCH_MESSAGES || bytes >= limits::RELAY_BATCH_BYTES {
                bytes = 0;
                self.send(std::mem::take(&mut group)).await?;
            }
        }
        if !group.is_empty() {
            self.send(group).await?;
        }
        Ok(reading.await??)
    }

    fn shall_publish(&self, fate: Fate) -> bool {
        let wanted = match fate {
            Fate::Lost | Fate::Unpublished => true,
            Fate::Erased | Fate::MaybeErased => self.options.include_erased,
            Fate::Held | Fate::Trimmed => false,
        };
        wanted && !self.options.plan
    }

    /// What is told of an entry that is not published.
    fn unpublished(&self, fate: Fate) -> Found {
        match fate {
            Fate::Unpublished => Found::NotYetPublished,
            Fate::Erased if !self.options.include_erased => Found::Erased,
            Fate::MaybeErased if !self.options.include_erased => Found::MayHaveBeenErased,
            _ => Found::Lost,
        }
    }

    async fn send(&mut self, entries: Vec<Entry>) -> Result<(), ReconcileError> {
        let mut placed = publish(&self.log, Group::new(entries)).await?;
        placed.sort_by_key(|placed| placed.entry.sequence);
        for Placed { entry, place, newly } in placed {
            let found = match (newly, entry.sequence > self.published) {
                (false, _) => Found::Held,
                (true, true) => Found::Published,
                (true, false) => Found::Healed,
            };
            self.report.stored += 1;
            self.highest = self.highest.max(Some((place, entry.mark(place).hash)));
            self.tell_of(&entry, found, Some(place));
        }
        Ok(())
    }

    fn tell_of(&mut self, entry: &Entry, found: Found, sequence: Option<u64>) {
        let (subject, message_id) = (entry.subject.clone(), entry.message_id.clone());
        let wal_sequence = entry.sequence;
        (self.tell)(Told::Finding(Finding { found, wal_sequence, subject, message_id, sequence }));
    }

    /// Remembers that everything in the WAL is in the stream, as far as it belongs there.
    fn keep_marks(&mut self, file: &MarksFile) -> io::Result<()> {
        let complete = self.report.stored == self.report.lost + self.report.not_yet_published;
        let (Some((sequence, hash)), true, false) = (self.highest, complete, self.options.plan)
        else {
            return Ok(());
        };
        self.held.push(self.last, Mark { sequence, hash });
        file.write(&self.held)
    }
}

//! The journal of a rollout: a JSON entry a line, each on disk before anything is built upon it.
//!
//! A directory holds the journals of all rollouts; the one with the last name is the current one. Whoever runs it
//! holds the lock. A last line without its end was torn by a crash, and whatever it told had not been built upon.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::record::{Begun, Entry, Event, Record, RecordError};
use crate::limits::ROLLOUT_JOURNAL_BYTES;

const LOCK: &str = "lock";
const ABORT: &str = "abort";
const EXTENSION: &str = "jsonl";

/// A journal that this process alone appends to.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    path: PathBuf,
    file: File,
    _lock: File,
}

/// Why a journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("another weir rollout runs in {0}: weir rollout status tells where it is")]
    Taken(PathBuf),
    #[error("{path}, line {line}, cannot be read: {error}")]
    Line { path: PathBuf, line: usize, error: serde_json::Error },
    #[error("{path}: {error}")]
    Record { path: PathBuf, error: RecordError },
    #[error("there is no rollout in {0}: begin one with weir rollout start")]
    None(PathBuf),
    #[error(
        "the rollout {id} is {state}: resume it with weir rollout resume, or end it with weir rollout abort"
    )]
    Unfinished { id: String, state: String },
    #[error("{0} is longer than {ROLLOUT_JOURNAL_BYTES} bytes: is it a journal?")]
    TooLong(PathBuf),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |error| JournalError::Io { path, error }
}

/// Reads the current journal; none if there never was a rollout.
pub fn latest(dir: &Path) -> Result<Option<(PathBuf, Vec<Entry>, Record)>, JournalError> {
    let Some(path) = newest(dir)? else { return Ok(None) };
    let (entries, _) = read(&path)?;
    if entries.is_empty() {
        // Torn before its first line was whole: nothing had begun.
        return Ok(None);
    }
    let record =
        Record::of(&entries).map_err(|error| JournalError::Record { path: path.clone(), error })?;
    Ok(Some((path, entries, record)))
}

/// Asks whoever runs the rollout to send the new version back.
pub fn request_abort(dir: &Path, why: &str) -> Result<(), JournalError> {
    let path = dir.join(ABORT);
    fs::write(&path, why).map_err(failed(&path))
}

fn newest(dir: &Path) -> Result<Option<PathBuf>, JournalError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(dir)(error)),
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|end| end == EXTENSION)).max())
}

/// Returns the whole lines, and how many bytes they take.
fn read(path: &Path) -> Result<(Vec<Entry>, u64), JournalError> {
    let length = fs::metadata(path).map_err(failed(path))?.len();
    if length > ROLLOUT_JOURNAL_BYTES {
        return Err(JournalError::TooLong(path.to_owned()));
    }
    let text = fs::read(path).map_err(failed(path))?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut entries = Vec::new();
    for (number, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let entry = serde_json::from_slice(line).map_err(|error| JournalError::Line {
            path: path.to_owned(),
            line: number + 1,
            error,
        })?;
        entries.push(entry);
    }
    Ok((entries, whole as u64))
}

impl Journal {
    /// Begins a new journal; the one before must be over.
    pub fn begin(dir: &Path, begun: Begun, at_ms: i64) -> Result<(Self, Record), JournalError> {
        fs::create_dir_all(dir).map_err(failed(dir))?;
        let lock = lock(dir)?;
        if let Some((_, _, record)) = latest(dir)?
            && !record.state.is_over()
        {
            let state = record.state.to_string();
            return Err(JournalError::Unfinished { id: record.begun.id, state });
        }
        let path = dir.join(format!("{}.{EXTENSION}", begun.id));
        let file = File::options().create_new(true).append(true).open(&path);
        let file = file.map_err(failed(&path))?;
        let mut journal = Self { dir: dir.to_owned(), path, file, _lock: lock };
        journal.forget_abort()?;
        let entry = Entry { at_ms, event: Event::Began(Box::new(begun)) };
        journal.append(&entry)?;
        // The name too is to outlive a power failure.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed(dir))?;
        let record = Record::of(&[entry])
            .map_err(|error| JournalError::Record { path: journal.path.clone(), error })?;
        Ok((journal, record))
    }

    /// Goes on with the current journal; a torn line at its end is cut off.
    pub fn resume(dir: &Path) -> Result<(Self, Record), JournalError> {
        let nothing = || JournalError::None(dir.to_owned());
        let path = newest(dir)?.ok_or_else(nothing)?;
        let lock = lock(dir)?;
        let (_, _, record) = latest(dir)?.ok_or_else(nothing)?;
        let (_, whole) = read(&path)?;
        let file = File::options().append(true).open(&path).map_err(failed(&path))?;
        file.set_len(whole).map_err(failed(&path))?;
        Ok((Self { dir: dir.to_owned(), path, file, _lock: lock }, record))
    }

    /// Writes an entry; it is on disk when this returns.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(entry).expect("entries always serialize");
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed(&self.path))?;
        self.file.sync_data().map_err(failed(&self.path))
    }

    /// Why somebody wants the new version sent back, if somebody does.
    pub fn abort_wanted(&self) -> Option<String> {
        fs::read_to_string(self.dir.join(ABORT)).ok()
    }

    /// Forgets that somebody wanted that.
    pub fn forget_abort(&self) -> Result<(), JournalError> {
        let path = self.dir.join(ABORT);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path)(error)),
            _ => Ok(()),
        }
    }
}

fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(failed(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Taken(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::{Judgement, Move, Plan, Sides, State};

    fn begun(id: &str) -> Begun {
        Begun {
            id: id.into(),
            provider: "local".into(),
            to: "/weir-2".into(),
            sides: Sides { live: None, next: "green".into() },
            plan: Plan::default(),
            judgement: Judgement::default(),
            jobs_url: None,
        }
    }

    fn said(text: &str) -> Entry {
        Entry { at_ms: 5, event: Event::Said { text: text.into() } }
    }

    #[test]
    fn what_was_written_is_there_again_and_a_torn_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::begin(dir.path(), begun("r1"), 1).unwrap();
        journal.append(&said("tea")).unwrap();
        let path = journal.path.clone();
        drop(journal);
        File::options().append(true).open(&path).unwrap().write_all(b"{\"atMs\":9,\"ev").unwrap();
        let (mut journal, record) = Journal::resume(dir.path()).unwrap();
        assert_eq!(record.state, State::Preparing);
        journal.append(&said("cake")).unwrap();
        let (_, entries, _) = latest(dir.path()).unwrap().unwrap();
        let texts: Vec<&Event> = entries[1..].iter().map(|entry| &entry.event).collect();
        assert_eq!(texts, [&said("tea").event, &said("cake").event]);
    }

    #[test]
    fn one_process_runs_one_rollout_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Journal::resume(dir.path()), Err(JournalError::None(_))));
        let (mut journal, record) = Journal::begin(dir.path(), begun("r1"), 1).unwrap();
        assert!(matches!(Journal::resume(dir.path()), Err(JournalError::Taken(_))));
        let reason = crate::rollout::Reason::Apart;
        for what in [Move::Refused { reason }, Move::Ended] {
            let to = record.state.clone();
            journal.append(&Entry { at_ms: 2, event: Event::Moved { what, to } }).unwrap();
            drop(journal);
            let second = Journal::begin(dir.path(), begun("r2"), 3);
            let record = latest(dir.path()).unwrap().unwrap().2;
            assert_eq!(second.is_ok(), record.begun.id == "r2", "{}", record.state);
            if second.is_ok() {
                return;
            }
            assert!(matches!(second, Err(JournalError::Unfinished { .. })));
            journal = Journal::resume(dir.path()).unwrap().0;
        }
        panic!("a rollout that is over makes room for the next");
    }

    #[test]
    fn an_abort_is_asked_for_beside_the_one_who_runs() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::begin(dir.path(), begun("r1"), 1).unwrap();
        assert_eq!(journal.abort_wanted(), None);
        request_abort(dir.path(), "it looks odd").unwrap();
        assert_eq!(journal.abort_wanted().as_deref(), Some("it looks odd"));
        journal.forget_abort().unwrap();
        assert_eq!(journal.abort_wanted(), None);
    }

    #[test]
    fn a_line_that_is_none_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("r1.jsonl"), "{}\n").unwrap();
        let told = latest(dir.path()).unwrap_err().to_string();
        assert!(told.contains("r1.jsonl, line 1"), "{told}");
    }
}

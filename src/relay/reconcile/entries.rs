//! The WAL's entries, read twice: once to know them, and those that are missing once more to publish them.

use std::ops::ControlFlow;
use std::path::Path;

use tokio::sync::mpsc;

use crate::event::Publication;
use crate::relay::reconcile::index::{Index, Known};
use crate::relay::reconcile::judge::Fate;
use crate::relay::settle::Entry;
use crate::stream::position::message_hash;
use crate::wal::{self, OfflineError};

/// A part of the WAL.
pub struct Part {
    /// Its events.
    pub index: Index,
    /// All its entries, and those that are no events.
    pub entries: u64,
    pub undecodable: u64,
    /// Its last sequence; 0 if it has none.
    pub last: u64,
    /// Where the next part begins, if there is more.
    pub next: Option<u64>,
}

impl Part {
    /// Reads the WAL from a sequence (inclusive) on, at most so many events.
    pub fn read(dir: &Path, from: u64, most: usize) -> Result<Self, OfflineError> {
        let index = Index::default();
        let mut part = Self { index, entries: 0, undecodable: 0, last: 0, next: None };
        wal::walk(dir, from, |sequence, bytes| {
            if part.index.len() >= most {
                part.next = Some(sequence);
                return ControlFlow::Break(());
            }
            part.entries += 1;
            part.last = sequence;
            match Publication::decode(&bytes) {
                Ok(publication) => part.index.push(sequence, hash(&publication)),
                Err(_) => part.undecodable += 1,
            }
            ControlFlow::Continue(())
        })?;
        Ok(part)
    }
}

fn hash(publication: &Publication) -> [u8; 16] {
    message_hash(&publication.subject(), Some(&publication.message_id), &[])
}

/// The entries of which something is told or done.
pub fn missing(entries: &[Known], fates: &[Fate]) -> Vec<(u64, Fate)> {
    let all = entries.iter().zip(fates);
    let missing = all.filter(|(_, fate)| !matches!(fate, Fate::Held | Fate::Trimmed));
    missing.map(|(known, fate)| (known.sequence, *fate)).collect()
}

/// Reads chosen entries, which rise, once more, until nobody wants them.
pub fn read_again(
    dir: &Path,
    chosen: &[(u64, Fate)],
    sender: &mpsc::Sender<(Entry, Fate)>,
) -> Result<(), OfflineError> {
    let mut chosen = chosen.iter().copied().peekable();
    let Some((first, _)) = chosen.peek().copied() else { return Ok(()) };
    wal::walk(dir, first, |sequence, bytes| {
        let Some((wanted, fate)) = chosen.peek().copied() else {
            return ControlFlow::Break(());
        };
        if sequence != wanted {
            return ControlFlow::Continue(());
        }
        chosen.next();
        let Ok(publication) = Publication::decode(&bytes) else {
            return ControlFlow::Continue(());
        };
        let entry = Entry {
            sequence,
            subject: publication.subject(),
            message_id: publication.message_id,
            payload: publication.payload,
        };
        match sender.blocking_send((entry, fate)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })
}

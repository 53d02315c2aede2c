//! How far the chunks of a job are, shared by the tasks that read them. What it shows is true at any moment.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::replay::fold::Fate;
use crate::replay::job::Chunk;
use crate::stream::Mark;

/// The chunks of a job in hand.
pub(super) struct Ledger {
    chunks: Mutex<Vec<Chunk>>,
    /// What a task waits for.
    trouble: Mutex<Option<String>>,
}

impl Ledger {
    pub fn new(chunks: Vec<Chunk>) -> Self {
        Self { chunks: Mutex::new(chunks), trouble: Mutex::new(None) }
    }

    pub fn snapshot(&self) -> Vec<Chunk> {
        self.chunks().clone()
    }

    /// The chunks that are not read to their end, the first at the end.
    pub fn unread(&self) -> Vec<usize> {
        let chunks = self.chunks();
        let unread = chunks.iter().enumerate().rev().filter(|(_, chunk)| !chunk.is_read());
        unread.map(|(index, _)| index).collect()
    }

    /// Where a chunk goes on, and where it ends (exclusive).
    pub fn place(&self, index: usize) -> (u64, u64) {
        let chunk = &self.chunks()[index];
        (chunk.next, chunk.to)
    }

    /// The last message that was taken of each chunk.
    pub fn marks(&self) -> Vec<Option<Mark>> {
        self.chunks().iter().map(|chunk| chunk.last).collect()
    }

    /// Takes what became of messages, the last of which is given, cursor and counters in one; returns the place
    /// where the chunk goes on.
    pub fn take(
        &self,
        index: usize,
        read: impl IntoIterator<Item = (u64, Fate)>,
        last: Option<Mark>,
    ) -> u64 {
        let chunk = &mut self.chunks()[index];
        read.into_iter().for_each(|(sequence, fate)| chunk.take(sequence, fate));
        if let Some(mark) = last {
            chunk.mark(mark);
        }
        chunk.next
    }

    /// The log holds nothing more of a chunk.
    pub fn close(&self, index: usize) {
        let chunk = &mut self.chunks()[index];
        chunk.pass_over(chunk.to);
    }

    pub fn begin_anew(&self, index: usize) {
        self.chunks()[index].begin_anew();
    }

    /// Notes what a task waits for, or that it waits no more.
    pub fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn chunks(&self) -> MutexGuard<'_, Vec<Chunk>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

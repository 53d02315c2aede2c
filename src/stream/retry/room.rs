//! How much RETRY may still take.
//!
//! A stream with schedules cannot refuse what is new when it is full: bounded, it would throw away the oldest.
//! So the server holds it unbounded and its writers keep the bound: they ask for its size every so often and
//! count what they add in between. The server's own `max_file_store` refuses in any case.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::stream::entry::Entry;
use crate::stream::handle::GetError;
use crate::stream::side::{QueueError, SideStream};

/// How long an answer counts.
const FRESH: Duration = Duration::from_millis(500);
/// What an entry takes beside its payload, subject and error: the other headers, written out.
const HEADERS: usize = 640;

/// The account of one writer.
pub struct Room {
    max_bytes: u64,
    used: AtomicU64,
    asked: Mutex<Option<Instant>>,
}

impl Room {
    pub fn new(max_bytes: u64) -> Self {
        Self { max_bytes, used: AtomicU64::new(0), asked: Mutex::new(None) }
    }

    /// Asks the stream for its size, unless that was done just now.
    pub async fn look(&self, side: &SideStream) -> Result<(), QueueError> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            return Ok(());
        }
        let used = match side.handle().state().await {
            Ok(state) => state.bytes,
            Err(GetError::Gone) => 0,
            Err(error) => return Err(side.failed(&error)),
        };
        self.used.store(used, Ordering::Relaxed);
        *asked = Some(Instant::now());
        Ok(())
    }

    /// Takes the room of an entry, or says that there is none.
    pub fn take(&self, entry: &Entry, side: &SideStream) -> Result<(), QueueError> {
        let size = (entry.payload.len() + entry.error.len() + entry.subject.len() + HEADERS) as u64;
        let used = self.used.fetch_add(size, Ordering::Relaxed);
        if used + size <= self.max_bytes {
            return Ok(());
        }
        self.used.fetch_sub(size, Ordering::Relaxed);
        let text = format!("{used} of {} bytes", self.max_bytes);
        Err(QueueError::Full { stream: side.handle().name().to_owned(), text })
    }
}

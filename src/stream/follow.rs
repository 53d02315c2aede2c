//! A live copy of a small stream: the newest message of each subject, handed to whoever keeps the copy.
//!
//! A reader brings changes at once; a question every so often finds what it may have missed. At any doubt
//! everything is read again from the beginning, while the last copy goes on being served.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::stream::handle::{LogState, StreamHandle};
use crate::stream::message::StoredMessage;
use crate::stream::reader::{ReadError, Reader};

/// How often the stream is asked whether something was missed: a change is seen within two of these.
const POLL: Duration = Duration::from_millis(400);

/// Keeps the copy.
pub trait Copied: Send + 'static {
    /// Everything comes again from the beginning: what is there is of the past once `caught_up` is told.
    fn begin(&mut self);
    /// Takes the newest message of its subject.
    fn take(&mut self, message: &StoredMessage);
    /// The copy is as the stream is now.
    fn caught_up(&mut self);
    /// How many messages the stream must hold at least, if nothing was removed behind our back.
    fn held(&self) -> u64;
}

/// Follows a stream until the guard is dropped.
pub fn follow(handle: StreamHandle, copy: impl Copied) -> DropGuard {
    let token = CancellationToken::new();
    let ended = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = run(handle, copy) => {}
        }
    });
    token.drop_guard()
}

async fn run(handle: StreamHandle, mut copy: impl Copied) {
    loop {
        copy.begin();
        if let Err(error) = read_along(&handle, &mut copy).await {
            tracing::debug!(stream = handle.name(), %error, "a live copy is made anew");
        }
        tokio::time::sleep(POLL / 4).await;
    }
}

/// Reads from the beginning and follows until there is a doubt.
async fn read_along(handle: &StreamHandle, copy: &mut impl Copied) -> Result<(), ReadError> {
    handle.nats().connected().await;
    let begun = handle.state().await?;
    let mut reader = Reader::new(handle.clone(), 1);
    if let Some(epoch) = begun.epoch.clone() {
        reader = reader.expecting(epoch, None);
    }
    let mut caught_up = reader.position() > begun.last_sequence || begun.messages == 0;
    if caught_up {
        copy.caught_up();
    }
    let mut poll_at = Instant::now() + POLL;
    let mut before: Option<(u64, LogState)> = None;
    loop {
        tokio::select! {
            biased;
            read = reader.next() => {
                let batch = match read {
                    Ok(batch) => batch,
                    Err(error @ (ReadError::Diverged { .. } | ReadError::Gone)) => return Err(error),
                    Err(_) => continue,
                };
                batch.messages.iter().for_each(|message| copy.take(message));
                if caught_up || batch.pending == 0 {
                    caught_up = true;
                    copy.caught_up();
                }
            }
            () = tokio::time::sleep_until(poll_at) => {
                poll_at = Instant::now() + POLL;
                let Ok(state) = handle.state().await else { continue };
                let position = reader.position();
                let held = caught_up.then(|| copy.held());
                if doubtful(&begun, position, &state, held) {
                    return Ok(());
                }
                // What was removed before it was read does not come either.
                if stuck(before.as_ref(), position, &state)
                    && handle.get(state.last_sequence).await?.is_some()
                {
                    return Ok(());
                }
                before = Some((position, state));
            }
        }
    }
}

/// Tells whether the stream is another one, was cut, or has lost messages. `held` is `None` before the first whole copy.
fn doubtful(begun: &LogState, position: u64, now: &LogState, held: Option<u64>) -> bool {
    now.epoch != begun.epoch
        || now.last_sequence + 1 < position
        || held.map_or(now.messages == 0, |held| now.messages < held)
}

/// Tells whether the stream had something at the last look already that did not come since.
fn stuck(before: Option<&(u64, LogState)>, position: u64, now: &LogState) -> bool {
    before.is_some_and(|(was, state)| {
        *was == position && position <= state.last_sequence && now.messages > 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(last: u64, messages: u64) -> LogState {
        LogState {
            epoch: None,
            first_sequence: 1,
            last_sequence: last,
            messages,
            bytes: 0,
            max_bytes: -1,
        }
    }

    #[test]
    fn what_was_missed_cut_or_removed_is_doubted_and_nothing_else() {
        let begun = state(5, 5);
        let doubt = |position, now: LogState, held| doubtful(&begun, position, &now, held);
        assert!(!doubt(6, state(5, 5), Some(5)));
        assert!(!doubt(6, state(7, 7), Some(5)), "it may be on its way");
        assert!(!doubt(3, state(5, 5), None));
        assert!(doubt(6, state(4, 4), Some(4)), "it was cut");
        assert!(doubt(6, state(5, 3), Some(5)), "something was removed");
        assert!(doubt(3, state(5, 0), None), "nothing is left to read");
        let other = LogState { epoch: Some(crate::stream::Epoch("other".into())), ..state(5, 5) };
        assert!(doubt(6, other, Some(5)));
        assert!(stuck(Some(&(6, state(7, 7))), 6, &state(7, 7)), "it did not come");
        assert!(!stuck(Some(&(6, state(7, 7))), 8, &state(7, 7)));
        assert!(!stuck(None, 6, &state(7, 7)));
    }
}

//! One group on its way to the stream and back.

use futures_util::future::join_all;

use crate::relay::settle::{Answer, Entry, Group};
use crate::stream::{EventLog, Outcome, RetryCause};

/// A group and what came back for it.
pub struct Landed {
    /// What was sent.
    pub group: Group,
    /// What came back.
    pub answer: Answer,
}

/// Publishes a group. While `healing`, a duplicate counts as stored only if the stream shows it.
pub async fn fly(log: EventLog, group: Group, healing: bool) -> Landed {
    let answer = if group.singly {
        Answer::Each(publish_each(&log, &group.entries, healing).await)
    } else {
        let batch: Vec<_> = group.entries.iter().map(Entry::outgoing).collect();
        Answer::Batch(log.publish_atomic(&batch).await)
    };
    Landed { group, answer }
}

/// Publishes entries in their order and waits for all answers together.
async fn publish_each(log: &EventLog, entries: &[Entry], healing: bool) -> Vec<Outcome> {
    let mut acks = Vec::with_capacity(entries.len());
    for entry in entries {
        acks.push(log.send_one(entry.outgoing()).await);
    }
    let outcomes = entries.iter().zip(acks).map(async |(entry, ack)| match ack.outcome().await {
        Outcome::Duplicate { sequence } if healing => confirm(log, entry, sequence).await,
        outcome => outcome,
    });
    join_all(outcomes).await
}

/// The server knows duplicates by their ids, and may know an id whose message it has lost.
async fn confirm(log: &EventLog, entry: &Entry, sequence: u64) -> Outcome {
    match log.holds_id(entry.mark(sequence)).await {
        Ok(true) => Outcome::Duplicate { sequence },
        Ok(false) => Outcome::Retry(RetryCause::Unavailable(
            "it takes a lost message for a duplicate".into(),
        )),
        Err(error) => Outcome::Retry(RetryCause::Unavailable(error.to_string())),
    }
}

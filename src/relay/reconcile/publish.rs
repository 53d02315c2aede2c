//! Publishes entries until each is known to be stored, and tells where.

use std::collections::VecDeque;

use tokio::time::{Instant, sleep};

use crate::limits;
use crate::relay::flight::{Landed, fly};
use crate::relay::settle::{Answer, Entry, Group, settle};
use crate::stream::{EventLog, Outcome};

/// Nothing could be stored for a long time.
#[derive(Debug, thiserror::Error)]
#[error(
    "the stream takes nothing: {0}; what was published so far is there, run it again for the rest"
)]
pub struct Stuck(pub String);

/// An entry that is stored, and whether this publish stored it.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    pub entry: Entry,
    pub place: u64,
    pub newly: bool,
}

/// Publishes a group under the ids that its entries always have; a duplicate counts only if the stream shows it.
pub async fn publish(log: &EventLog, group: Group) -> Result<Vec<Placed>, Stuck> {
    let mut placed = Vec::with_capacity(group.entries.len());
    let mut waiting = VecDeque::from([group]);
    let mut stored_at = Instant::now();
    while let Some(group) = waiting.pop_front() {
        if group.attempts > 0 {
            sleep(limits::LOG_RETRY).await;
        }
        let Landed { group, answer } = fly(log.clone(), group, true).await;
        let now_placed = places(&group, &answer);
        if !now_placed.is_empty() {
            stored_at = Instant::now();
        }
        placed.extend(now_placed);
        let settled = settle(group, answer);
        waiting.extend(settled.again);
        if stored_at.elapsed() > limits::RECONCILE_PATIENCE {
            let told =
                settled.trouble.map_or_else(|| "it does not say why".to_owned(), |it| it.text);
            return Err(Stuck(told));
        }
    }
    Ok(placed)
}

/// The entries that an answer shows to be stored, and where.
fn places(group: &Group, answer: &Answer) -> Vec<Placed> {
    let placed = |entry: &Entry, place, newly| Placed { entry: entry.clone(), place, newly };
    match answer {
        Answer::Batch(Outcome::Stored { first, .. }) => {
            group.entries.iter().zip(*first..).map(|(entry, at)| placed(entry, at, true)).collect()
        }
        Answer::Batch(_) => Vec::new(),
        Answer::Each(outcomes) => {
            let each = group.entries.iter().zip(outcomes);
            let placed = each.filter_map(|(entry, outcome)| match outcome {
                Outcome::Stored { last, .. } => Some(placed(entry, *last, true)),
                Outcome::Duplicate { sequence } => Some(placed(entry, *sequence, false)),
                _ => None,
            });
            placed.collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::stream::RetryCause;

    fn group(size: u64) -> Group {
        let entry = |sequence: u64| Entry {
            sequence,
            subject: "events.viewed".into(),
            message_id: sequence.to_string(),
            payload: Bytes::from_static(b"{}"),
        };
        Group::new((1..=size).map(entry).collect())
    }

    fn told(answer: &Answer) -> Vec<(u64, u64, bool)> {
        let placed = places(&group(3), answer).into_iter();
        placed.map(|placed| (placed.entry.sequence, placed.place, placed.newly)).collect()
    }

    #[test]
    fn each_entry_of_a_batch_has_a_place_of_its_own() {
        let batch = Answer::Batch(Outcome::Stored { first: 5, last: 7 });
        assert_eq!(told(&batch), [(1, 5, true), (2, 6, true), (3, 7, true)]);
        assert_eq!(told(&Answer::Batch(Outcome::BatchRefusedForDuplicate)), []);
    }

    #[test]
    fn what_is_not_known_to_be_stored_has_no_place() {
        let each = Answer::Each(vec![
            Outcome::Duplicate { sequence: 9 },
            Outcome::Retry(RetryCause::TimedOut),
            Outcome::Stored { first: 4, last: 4 },
        ]);
        assert_eq!(told(&each), [(1, 9, false), (3, 4, true)]);
    }
}

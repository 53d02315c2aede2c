//! What an answer of the stream means for a group of entries. Pure.
//!
//! Every entry of a group comes out exactly once: stored, or in a group to send again.

use bytes::Bytes;

use crate::limits;
use crate::stream::position::message_hash;
use crate::stream::{Mark, Outcome, Outgoing, RefusedCause, RetryCause};

/// An entry of the WAL as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its sequence in the WAL.
    pub sequence: u64,
    /// `events.<type>`.
    pub subject: String,
    /// The id under which it is always sent.
    pub message_id: String,
    /// The event.
    pub payload: Bytes,
}

impl Entry {
    /// Returns it as a message to publish.
    pub fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            subject: &self.subject,
            message_id: &self.message_id,
            payload: self.payload.clone(),
        }
    }

    /// Returns the mark of the entry at a place of the stream. What stands there may be an earlier copy, which
    /// has the id and another receive time: so the id alone counts.
    pub fn mark(&self, sequence: u64) -> Mark {
        let hash = message_hash(&self.subject, Some(&self.message_id), &[]);
        Mark { sequence, hash }
    }
}

/// Entries that are sent together, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The entries in the order of the WAL.
    pub entries: Vec<Entry>,
    /// Sent one by one instead of as an atomic batch.
    pub singly: bool,
    /// How often it failed in vain.
    pub attempts: u32,
}

impl Group {
    /// Makes a group to send as it suits its size: few entries one by one, many as a batch.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { singly: entries.len() <= limits::RELAY_SINGLY, entries, attempts: 0 }
    }
}

/// What came back for a group.
#[derive(Debug, Clone)]
pub enum Answer {
    /// One outcome for the whole batch.
    Batch(Outcome),
    /// An outcome for every entry, in their order.
    Each(Vec<Outcome>),
}

/// Something that an operator should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened.
    pub text: String,
    /// It does not pass by itself.
    pub alarm: bool,
    /// The stream has to be looked at before anything more is sent.
    pub check: bool,
}

/// What became of a group.
#[derive(Debug, Default)]
pub struct Settled {
    /// WAL sequences that are stored, and whether this publish stored them.
    pub stored: Vec<(u64, bool)>,
    /// The highest place of those in the stream.
    pub mark: Option<Mark>,
    /// What has to be sent again.
    pub again: Vec<Group>,
    /// What to tell.
    pub trouble: Option<Trouble>,
}

/// Decides what an answer means.
pub fn settle(group: Group, answer: Answer) -> Settled {
    match answer {
        Answer::Batch(outcome) => settle_batch(group, &outcome),
        Answer::Each(outcomes) => settle_each(group, outcomes),
    }
}

fn settle_batch(group: Group, outcome: &Outcome) -> Settled {
    let trouble = trouble_of(outcome);
    match outcome {
        Outcome::Stored { last, .. } => Settled {
            mark: group.entries.last().map(|entry| entry.mark(*last)),
            stored: group.entries.iter().map(|entry| (entry.sequence, true)).collect(),
            ..Settled::default()
        },
        Outcome::BatchRefusedForDuplicate | Outcome::Duplicate { .. } => {
            Settled { again: halves(group), ..Settled::default() }
        }
        Outcome::Refused(RefusedCause::TooLarge(_) | RefusedCause::Other { .. }) => {
            Settled { again: halves(group), trouble, ..Settled::default() }
        }
        Outcome::Refused(RefusedCause::AtomicDisabled) => {
            Settled { again: vec![Group { singly: true, ..group }], trouble, ..Settled::default() }
        }
        Outcome::Retry(_) | Outcome::Refused(RefusedCause::Full(_)) => {
            let again = Group { attempts: group.attempts + 1, ..group };
            Settled { again: vec![again], trouble, ..Settled::default() }
        }
    }
}

fn settle_each(group: Group, outcomes: Vec<Outcome>) -> Settled {
    assert_eq!(group.entries.len(), outcomes.len(), "every entry has an outcome");
    let mut settled = Settled::default();
    let mut failed = Vec::new();
    let mut highest: Option<(u64, Entry)> = None;
    for (entry, outcome) in group.entries.into_iter().zip(outcomes) {
        let place = match outcome {
            Outcome::Stored { last, .. } => Some((last, true)),
            Outcome::Duplicate { sequence } => Some((sequence, false)),
            _ => None,
        };
        let Some((place, newly)) = place else {
            settled.trouble = settled.trouble.or_else(|| trouble_of(&outcome));
            failed.push(entry);
            continue;
        };
        settled.stored.push((entry.sequence, newly));
        if highest.as_ref().is_none_or(|(highest, _)| *highest < place) {
            highest = Some((place, entry));
        }
    }
    settled.mark = highest.map(|(place, entry)| entry.mark(place));
    if !failed.is_empty() {
        settled.again.push(Group { entries: failed, singly: true, attempts: group.attempts + 1 });
    }
    settled
}

/// Narrows down which entries a batch was refused for.
fn halves(mut group: Group) -> Vec<Group> {
    if group.entries.len() <= limits::RELAY_REFUSED_SINGLY {
        return vec![Group { singly: true, ..group }];
    }
    let upper = group.entries.split_off(group.entries.len() / 2);
    let attempts = group.attempts;
    vec![group, Group { entries: upper, singly: false, attempts }]
}

fn trouble_of(outcome: &Outcome) -> Option<Trouble> {
    match outcome {
        Outcome::Retry(cause) => Some(Trouble {
            text: cause.to_string(),
            alarm: false,
            check: matches!(cause, RetryCause::NoStream),
        }),
        Outcome::Refused(cause) => Some(Trouble {
            text: cause.to_string(),
            alarm: true,
            check: matches!(cause, RefusedCause::AtomicDisabled),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(sequence: u64) -> Entry {
        Entry {
            sequence,
            subject: "events.viewed".into(),
            message_id: sequence.to_string(),
            payload: Bytes::from_static(b"{}"),
        }
    }

    fn group(size: u64) -> Group {
        Group::new((1..=size).map(entry).collect())
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            (1_u64..1000).prop_map(|last| Outcome::Stored { first: last, last }),
            (1_u64..1000).prop_map(|sequence| Outcome::Duplicate { sequence }),
            Just(Outcome::BatchRefusedForDuplicate),
            Just(Outcome::Retry(RetryCause::TimedOut)),
            Just(Outcome::Retry(RetryCause::NoStream)),
            Just(Outcome::Refused(RefusedCause::Full(String::new()))),
            Just(Outcome::Refused(RefusedCause::AtomicDisabled)),
            Just(Outcome::Refused(RefusedCause::Other { code: 1, text: String::new() })),
        ]
    }

    #[test]
    fn copies_of_one_event_have_one_mark() {
        let copy = Entry { payload: Bytes::from_static(b"{\"receivedAt\":1}"), ..entry(3) };
        assert_eq!(copy.mark(7), entry(3).mark(7));
        assert_ne!(entry(4).mark(7), entry(3).mark(7));
    }

    #[test]
    fn a_stored_batch_is_marked_by_its_last_entry() {
        let settled = settle(group(3), Answer::Batch(Outcome::Stored { first: 5, last: 7 }));
        assert_eq!(settled.stored, [(1, true), (2, true), (3, true)]);
        assert_eq!(settled.mark, Some(entry(3).mark(7)));
        assert_eq!((settled.again, settled.trouble), (vec![], None));
    }

    #[test]
    fn a_batch_refused_for_a_duplicate_is_halved_down_to_single_entries() {
        let mut open = vec![group(1000)];
        let mut rounds = 0;
        while let Some(group) =
            open.iter().position(|group| !group.singly).map(|at| open.remove(at))
        {
            open.extend(settle(group, Answer::Batch(Outcome::BatchRefusedForDuplicate)).again);
            rounds += 1;
        }
        assert!(rounds < 64);
        assert!(open.iter().all(
            |group| group.entries.len() <= limits::RELAY_REFUSED_SINGLY && group.attempts == 0
        ));
        assert_eq!(open.iter().map(|group| group.entries.len()).sum::<usize>(), 1000);
    }

    #[test]
    fn duplicates_and_new_entries_are_told_apart() {
        let outcomes = vec![
            Outcome::Duplicate { sequence: 90 },
            Outcome::Stored { first: 80, last: 80 },
            Outcome::Retry(RetryCause::TimedOut),
        ];
        let settled = settle(group(3), Answer::Each(outcomes));
        assert_eq!(settled.stored, [(1, false), (2, true)]);
        assert_eq!(settled.mark, Some(entry(1).mark(90)));
        assert_eq!(settled.again, [Group { entries: vec![entry(3)], singly: true, attempts: 1 }]);
    }

    proptest! {
        #[test]
        fn no_entry_is_lost_or_doubled(size in 1_u64..200, outcomes in prop::collection::vec(outcome(), 200), batch: bool) {
            let answer = if batch {
                Answer::Batch(outcomes[0].clone())
            } else {
                Answer::Each(outcomes[..size as usize].to_vec())
            };
            let settled = settle(group(size), answer);
            prop_assert_eq!(settled.mark.is_some(), !settled.stored.is_empty());
            prop_assert!(settled.again.iter().all(|group| !group.entries.is_empty()));
            let mut all: Vec<u64> = settled.stored.iter().map(|(sequence, _)| *sequence).collect();
            all.extend(settled.again.iter().flat_map(|group| &group.entries).map(|entry| entry.sequence));
            all.sort_unstable();
            prop_assert_eq!(all, (1..=size).collect::<Vec<_>>());
        }
    }
}

//! Why the stream does not have an entry: it lost it, or somebody wanted it so. Pure.
//!
//! What was erased carries no id any more. So an entry's place is narrowed down by its neighbours in the WAL
//! that the stream still has, and by the relay's marks; and if the stream has nothing at a place in between that
//! is no end, the entry may have stood there.

use std::collections::HashSet;

use crate::limits;
use crate::relay::marks::PublishMarks;
use crate::relay::reconcile::gaps::Gaps;
use crate::relay::reconcile::index::Known;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Held,
    /// It never was there, as far as the WAL knows.
    Unpublished,
    /// It was there, and nobody removed it.
    Lost,
    /// It stood before what is now the first message.
    Trimmed,
    /// As many places as entries are missing between its neighbours, and the server knows that they were deleted.
    Erased,
    /// Something was deleted near its place.
    MaybeErased,
}

/// What is known of the stream.
#[derive(Debug)]
pub struct Stream<'a> {
    /// Its first sequence; after a purge one more than the last.
    pub first: u64,
    pub last: u64,
    /// Where it has nothing from its first to its last sequence.
    pub gaps: &'a Gaps,
    /// What the relay remembers of it; empty if nothing.
    pub marks: &'a PublishMarks,
    /// It is another one than the WAL was published to: nothing of it was removed here.
    pub other: bool,
    /// Where it has the last of the entries before these; 0 if none is known.
    pub before: u64,
}

/// A place that an entry may have had: between these (both exclusive), and the numbers of the entries that share it.
struct Span {
    above: u64,
    below: u64,
    entries: std::ops::Range<usize>,
}

/// The first sequences of runs of deleted places at which entries stood, as far as is known: they are of no others.
pub type Explained = HashSet<u64>;

/// Decides for each entry, in their order; `published` is the WAL's sequence through which (inclusive) all was
/// acknowledged.
pub fn judge(
    entries: &[Known],
    published: u64,
    stream: &Stream,
    explained: &mut Explained,
) -> Vec<Fate> {
    let first_guess = |known: &Known| match known.place {
        Some(_) => Fate::Held,
        None if known.sequence > published => Fate::Unpublished,
        None => Fate::Lost,
    };
    let mut fates: Vec<Fate> = entries.iter().map(first_guess).collect();
    if stream.other {
        return fates;
    }
    let spans = spans(entries, &fates, stream);
    for span in &spans {
        let fate = narrow(span, stream, explained);
        fates[span.entries.clone()].fill(fate);
    }
    // What is deleted and explained by nothing so far may be of an entry that overtook its neighbours.
    for span in &spans {
        if fates[span.entries.start] != Fate::Lost {
            continue;
        }
        let margin = limits::ATOMIC_BATCH_MESSAGES as u64;
        let near = stream.gaps.within(
            span.above.saturating_sub(margin).max(stream.first.saturating_sub(1)),
            span.below.saturating_add(margin),
        );
        let open = |gap: usize| !explained.contains(&stream.gaps.first(gap));
        if near.into_iter().any(open) {
            fates[span.entries.clone()].fill(Fate::MaybeErased);
        }
    }
    fates
}

/// The runs of missing entries, cut where a mark parts them.
fn spans(entries: &[Known], fates: &[Fate], stream: &Stream) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut before = stream.before;
    for (at, known) in entries.iter().enumerate() {
        if let Some(place) = known.place {
            before = place;
        } else if fates[at] == Fate::Lost {
            let (above, below) = bounds_by_marks(known.sequence, stream);
            let above = before.max(above);
            match spans.last_mut() {
                Some(last)
                    if last.entries.end == at && (last.above, last.below) == (above, below) =>
                {
                    last.entries.end = at + 1;
                }
                _ => spans.push(Span { above, below, entries: at..at + 1 }),
            }
        }
    }
    let mut after = None;
    let mut at = entries.len();
    for span in spans.iter_mut().rev() {
        while at > span.entries.end {
            at -= 1;
            after = entries[at].place.or(after);
        }
        let below = after.unwrap_or(u64::MAX).min(span.below);
        // An entry that was overtaken has its neighbours the other way round.
        (span.above, span.below) = (span.above.min(below), span.above.max(below));
    }
    spans
}

/// Everything through a mark is at or before its place, and what comes after it is after that, but for what was
/// under way just then.
fn bounds_by_marks(sequence: u64, stream: &Stream) -> (u64, u64) {
    let (mut above, mut below) = (0, u64::MAX);
    for mark in stream.marks.iter() {
        if mark.through < sequence {
            above = mark.mark.sequence;
        } else {
            below = mark.mark.sequence + 1;
            break;
        }
    }
    (above, below)
}

/// Decides by what the stream lacks between the neighbours alone.
fn narrow(span: &Span, stream: &Stream, explained: &mut Explained) -> Fate {
    let (above, below) = (span.above, span.below.min(stream.last.saturating_add(1)));
    if above + 1 < stream.first {
        return Fate::Trimmed;
    }
    let gaps = stream.gaps.within(above, below);
    if gaps.is_empty() {
        return Fate::Lost;
    }
    let deleted: u64 = gaps.clone().map(|gap| stream.gaps.count(gap, above, below)).sum();
    for gap in gaps {
        let whole = stream.gaps.count(gap, 0, u64::MAX);
        if stream.gaps.count(gap, above, below) == whole {
            explained.insert(stream.gaps.first(gap));
        }
    }
    let bounded = span.below <= stream.last.saturating_add(1);
    if bounded && deleted >= span.entries.len() as u64 { Fate::Erased } else { Fate::MaybeErased }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stream::{Epoch, Mark};

    /// Entries that stood at these places, and of which the stream has now those that `held` says.
    fn entries(count: u64, held: impl Fn(u64) -> bool) -> Vec<Known> {
        let known =
            |sequence| Known { sequence, hash: [0; 16], place: held(sequence).then_some(sequence) };
        (1..=count).map(known).collect()
    }

    fn gaps(runs: &[(u64, u64)]) -> Gaps {
        let mut gaps = Gaps::default();
        for (from, through) in runs {
            gaps.push(*from, *through, 1_000);
        }
        gaps
    }

    fn marks(places: &[u64]) -> PublishMarks {
        let mut marks = PublishMarks::of(Epoch("e".into()));
        for place in places {
            marks.push(*place, Mark { sequence: *place, hash: [0; 16] });
        }
        marks
    }

    fn told(entries: &[Known], published: u64, stream: &Stream) -> Vec<Fate> {
        judge(entries, published, stream, &mut Explained::new())
    }

    fn judged(
        entries: &[Known],
        first: u64,
        last: u64,
        gaps: &Gaps,
        marks: &PublishMarks,
    ) -> Vec<Fate> {
        told(entries, u64::MAX, &Stream { first, last, gaps, marks, other: false, before: 0 })
    }

    fn count(fates: &[Fate], fate: Fate) -> usize {
        fates.iter().filter(|other| **other == fate).count()
    }

    #[test]
    fn a_tail_that_is_gone_is_lost_and_what_was_erased_before_it_is_erased() {
        let entries = entries(220, |n| n <= 120 && n != 60);
        let fates = judged(&entries, 1, 120, &gaps(&[(60, 60)]), &marks(&[50, 120, 220]));
        assert_eq!(fates[59], Fate::Erased);
        assert_eq!((count(&fates, Fate::Lost), count(&fates, Fate::Held)), (100, 119));
        // Without marks just the same.
        assert_eq!(judged(&entries, 1, 120, &gaps(&[(60, 60)]), &PublishMarks::default()), fates);
    }

    #[test]
    fn what_lies_before_the_first_message_was_trimmed() {
        let trimmed = entries(100, |n| n >= 40);
        let fates = judged(&trimmed, 40, 100, &Gaps::default(), &marks(&[30, 100]));
        assert_eq!((count(&fates, Fate::Trimmed), count(&fates, Fate::Held)), (39, 61));
        let purged =
            judged(&entries(100, |_| false), 101, 100, &Gaps::default(), &marks(&[30, 100]));
        assert_eq!(count(&purged, Fate::Trimmed), 100);
    }

    #[test]
    fn what_follows_on_entries_that_are_there_was_not_trimmed() {
        let part = entries(100, |n| n > 10);
        let (gaps, marks) = (Gaps::default(), PublishMarks::default());
        let stream =
            Stream { first: 5, last: 100, gaps: &gaps, marks: &marks, other: false, before: 0 };
        assert_eq!(count(&told(&part, 100, &stream), Fate::Trimmed), 10);
        let stream = Stream { before: 6, ..stream };
        assert_eq!(count(&told(&part, 100, &stream), Fate::Lost), 10);
    }

    #[test]
    fn the_newest_message_can_be_erased_too() {
        let entries = entries(100, |n| n < 100);
        let fates = judged(&entries, 1, 100, &gaps(&[(100, 100)]), &marks(&[64, 100]));
        assert_eq!(fates[99], Fate::Erased);
    }

    #[test]
    fn what_cannot_be_told_apart_may_have_been_erased() {
        // Three are missing, and only two places between their neighbours were deleted.
        let entries = entries(100, |n| !(50..53).contains(&n));
        let fates = judged(&entries, 1, 100, &gaps(&[(50, 50), (52, 52)]), &marks(&[100]));
        assert_eq!(fates[49..52], [Fate::MaybeErased; 3]);
        // Something was deleted near the end of what is left, which no entry explains.
        let cut = super::tests::entries(200, |n| n <= 100 && n != 100 - 1);
        let fates = judged(&cut, 1, 101, &gaps(&[(101, 101)]), &PublishMarks::default());
        assert!(fates[100..].iter().all(|fate| *fate == Fate::MaybeErased));
    }

    #[test]
    fn an_entry_between_two_that_are_there_is_lost_if_nothing_was_deleted() {
        // Others' messages stand at its place since the stream was cut back.
        let entries = entries(100, |n| n != 50);
        assert_eq!(judged(&entries, 1, 400, &Gaps::default(), &marks(&[100]))[49], Fate::Lost);
    }

    #[test]
    fn what_one_part_explains_does_not_stand_in_the_way_of_the_next() {
        let all = entries(220, |n| n <= 120 && n != 60);
        let (gaps, marks) = (gaps(&[(60, 60)]), PublishMarks::default());
        let stream =
            Stream { first: 1, last: 120, gaps: &gaps, marks: &marks, other: false, before: 0 };
        let mut explained = Explained::new();
        let head = judge(&all[..100], 220, &stream, &mut explained);
        assert_eq!(count(&head, Fate::Erased), 1);
        let stream = Stream { before: 100, ..stream };
        let tail = judge(&all[100..], 220, &stream, &mut explained);
        assert_eq!(count(&tail, Fate::Lost), 100);
        assert_eq!(count(&told(&all[100..], 220, &stream), Fate::MaybeErased), 100);
    }

    #[test]
    fn another_stream_has_lost_everything_and_what_was_never_there_is_told_apart() {
        let entries = entries(10, |n| n == 3);
        let gaps = gaps(&[(1, 2)]);
        let marks = PublishMarks::default();
        let stream =
            Stream { first: 1, last: 3, gaps: &gaps, marks: &marks, other: true, before: 0 };
        let fates = told(&entries, 8, &stream);
        assert_eq!((count(&fates, Fate::Lost), count(&fates, Fate::Unpublished)), (7, 2));
    }

    proptest! {
        /// Whatever is deleted, trimmed and cut off: nothing that somebody removed is called lost, as long as the
        /// entries stand in their order.
        #[test]
        fn what_was_removed_is_never_called_lost(
            removed in prop::collection::btree_set(1_u64..200, 0..40), first in 1_u64..60, cut in 60_u64..201,
            spread in 1_u64..4, marked in prop::collection::vec(1_u64..200, 0..9),
        ) {
            let place = |n: u64| n * spread;
            let last = place(cut);
            let gone = |n: u64| removed.contains(&n) || place(n) < first;
            let entries: Vec<Known> = (1..=200)
                .map(|n| Known { sequence: n, hash: [0; 16], place: (!gone(n) && n <= cut).then(|| place(n)) })
                .collect();
            let runs: Vec<(u64, u64)> =
                removed.iter().map(|n| (place(*n), place(*n))).filter(|(at, _)| (first..=last).contains(at)).collect();
            let mut marks = PublishMarks::of(Epoch("e".into()));
            for through in marked {
                marks.push(through, Mark { sequence: place(through), hash: [0; 16] });
            }
            let fates = judged(&entries, first, last, &gaps(&runs), &marks);
            for (known, fate) in entries.iter().zip(&fates) {
                let n = known.sequence;
                prop_assert_eq!(known.place.is_some(), *fate == Fate::Held);
                if gone(n) && n <= cut {
                    prop_assert_ne!(*fate, Fate::Lost, "{}", n);
                }
            }
        }
    }
}

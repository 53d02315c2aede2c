//! A batch of events as puts, and what the store's verdicts on the puts mean for each event. Pure.

use std::ops::Range;

use crate::event::Event;
use crate::graph::{Put, coalesce};
use crate::projection::Projection;
use crate::store::{Failure, Remedy, Verdict};

/// What becomes of an event after its puts were applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// The store holds all of its puts, or greater ones.
    Applied,
    /// It may yet work.
    Later(Failure),
    /// It can never work.
    Park(Failure),
}

/// The puts of a batch, one a document, and which of them each event needs.
pub struct Batch<'e> {
    puts: Vec<Put<'e>>,
    /// For each put of each event: the put that stands for it, and whether it is that put.
    needs: Vec<(u32, bool)>,
    /// The needs of each event.
    events: Vec<Range<usize>>,
}

/// How an attempt went, for the breaker: events that failed for the store's sake, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub failed: usize,
    pub of: usize,
}

impl<'e> Batch<'e> {
    pub fn of<'a: 'e>(
        projection: &Projection,
        batch: impl IntoIterator<Item = &'e Event<'a>>,
    ) -> Self {
        let batch = batch.into_iter();
        let most = batch.size_hint().1.unwrap_or(0);
        // An interaction with one item, as most are, is three puts.
        let (mut all, mut events) = (Vec::with_capacity(3 * most), Vec::with_capacity(most));
        for event in batch {
            let begin = all.len();
            projection.project(event, &mut all);
            events.push(begin..all.len());
        }
        let coalesced = coalesce(&all);
        let stands =
            |put: &Put<'_>, place: u32| coalesced.puts[place as usize].version == put.version;
        let needs = all
            .iter()
            .zip(&coalesced.places)
            .map(|(put, place)| (*place, stands(put, *place)))
            .collect();
        Self { puts: coalesced.puts, needs, events }
    }

    pub fn puts(&self) -> &[Put<'e>] {
        &self.puts
    }

    /// Whether the store changed for an event's sake, in the order of the batch. Of those that would have changed
    /// one document alike, the first counts.
    pub fn changed(&self, verdicts: &[Verdict]) -> Vec<bool> {
        let mut told = vec![false; self.puts.len()];
        let mut changed = |(place, own): &(u32, bool)| {
            let place = *place as usize;
            let first = *own && verdicts[place] == Verdict::Applied && !told[place];
            told[place] |= first;
            first
        };
        let needs = |event: &Range<usize>| &self.needs[event.clone()];
        // Each is asked, since each is told once.
        let any = |event| needs(event).iter().filter(|need| changed(need)).count() > 0;
        self.events.iter().map(any).collect()
    }

    /// One disposition an event, in the order of the batch.
    ///
    /// An event is parked only for a put of its own. Where another event's greater version of the same
    /// document failed for good, this one is tried again, apart from that other.
    pub fn dispositions(&self, verdicts: &[Verdict]) -> Vec<Disposition> {
        let needs = |event: &Range<usize>| &self.needs[event.clone()];
        self.events.iter().map(|event| disposition(needs(event), verdicts)).collect()
    }
}

fn disposition(needs: &[(u32, bool)], verdicts: &[Verdict]) -> Disposition {
    let mut later = None;
    for (place, own) in needs {
        let Verdict::Failed(failure) = &verdicts[*place as usize] else { continue };
        if failure.remedy == Remedy::Park && *own {
            return Disposition::Park(failure.clone());
        }
        later.get_or_insert(failure);
    }
    match later {
        None => Disposition::Applied,
        Some(failure) if failure.remedy == Remedy::Park => {
            Disposition::Later(Failure { remedy: Remedy::Retry, ..failure.clone() })
        }
        Some(failure) => Disposition::Later(failure.clone()),
    }
}

/// Counts what failed for the store's sake: events, since a put that a store knows to be superseded
/// succeeds without the server having been asked.
pub fn share(dispositions: &[Disposition]) -> Share {
    let later = dispositions.iter().filter(|one| matches!(one, Disposition::Later(_)));
    Share { failed: later.count(), of: dispositions.len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::projection::law::{self, Model};

    fn failure(remedy: Remedy) -> Failure {
        Failure { remedy, code: "x".into(), text: "for a test".into() }
    }

    fn remedy() -> impl Strategy<Value = Option<Remedy>> {
        prop::option::weighted(
            0.3,
            prop::sample::select(vec![Remedy::Retry, Remedy::BackOff, Remedy::Park, Remedy::Stop]),
        )
    }

    proptest! {
        #[test]
        fn whatever_fails_no_event_is_lost_and_what_is_told_as_applied_is(
            events in prop::collection::vec(law::event(), 1..30),
            fates in prop::collection::vec(remedy(), 90),
        ) {
            let projection = law::projection();
            let batch = Batch::of(&projection, &events);
            let verdicts: Vec<Verdict> = batch
                .puts()
                .iter()
                .zip(fates.iter().cycle())
                .map(|(_, fate)| fate.map_or(Verdict::Applied, |remedy| Verdict::Failed(failure(remedy))))
                .collect();
            let mut store = Model::default();
            for (put, verdict) in batch.puts().iter().zip(&verdicts) {
                if verdict.holds() {
                    store.apply(&[*put], projection.types());
                }
            }
            let dispositions = batch.dispositions(&verdicts);
            prop_assert_eq!(dispositions.len(), events.len());
            for (event, disposition) in events.iter().zip(&dispositions) {
                let mut puts = Vec::new();
                projection.project(event, &mut puts);
                let mut with = store.clone();
                with.apply(&puts, projection.types());
                prop_assert_eq!(with == store, *disposition == Disposition::Applied);
            }
            // Applying again what is left gives what the whole set gives.
            for event in &events {
                let mut puts = Vec::new();
                projection.project(event, &mut puts);
                store.apply(&puts, projection.types());
            }
            prop_assert_eq!(store, Model::of(&events, &projection));
        }

        #[test]
        fn of_an_event_that_comes_twice_the_first_has_changed_the_store(event in law::event()) {
            let projection = law::projection();
            let events = [event.clone(), event];
            let batch = Batch::of(&projection, &events);
            let all = |verdict: Verdict| vec![verdict; batch.puts().len()];
            prop_assert_eq!(batch.changed(&all(Verdict::Applied)), [true, false]);
            prop_assert_eq!(batch.changed(&all(Verdict::Superseded)), [false, false]);
            prop_assert_eq!(batch.changed(&all(Verdict::Failed(failure(Remedy::Retry)))), [false, false]);
        }

        #[test]
        fn nothing_is_parked_unless_a_put_of_its_own_can_never_be_stored(
            events in prop::collection::vec(law::event(), 1..30), poisoned in 0..60usize,
        ) {
            let projection = law::projection();
            let batch = Batch::of(&projection, &events);
            let poisoned = poisoned % batch.puts().len().max(1);
            let Some(poison) = batch.puts().get(poisoned) else { return Ok(()) };
            let mut verdicts = vec![Verdict::Applied; batch.puts().len()];
            verdicts[poisoned] = Verdict::Failed(failure(Remedy::Park));
            for (event, disposition) in events.iter().zip(batch.dispositions(&verdicts)) {
                let mut puts = Vec::new();
                projection.project(event, &mut puts);
                let same = |put: &&Put<'_>| (put.collection, put.key) == (poison.collection, poison.key);
                let expected = match puts.iter().filter(same).max_by_key(|put| put.version) {
                    None => Disposition::Applied,
                    Some(put) if put.version == poison.version => Disposition::Park(failure(Remedy::Park)),
                    Some(_) => Disposition::Later(failure(Remedy::Retry)),
                };
                prop_assert_eq!(disposition, expected);
            }
        }
    }

    #[test]
    fn only_what_fails_for_the_stores_sake_counts_against_it() {
        let dispositions = [
            Disposition::Applied,
            Disposition::Park(failure(Remedy::Park)),
            Disposition::Later(failure(Remedy::BackOff)),
            Disposition::Later(failure(Remedy::Retry)),
        ];
        assert_eq!(share(&dispositions), Share { failed: 2, of: 4 });
    }

    #[test]
    fn a_store_that_is_down_fails_whole_events_though_it_knows_their_vertices() {
        let projection = law::projection();
        let types = projection.types();
        let events: Vec<_> = (0..3)
            .map(|n| crate::event::Event {
                id: crate::event::Id::new(format!("e{n}")).expect("valid"),
                event_type: types.find("viewed").expect("built in"),
                user: crate::event::Id::new("u").ok(),
                item: crate::event::Id::new("i").ok(),
                lines: Vec::new(),
                at: crate::event::EventTime::from_ms(1_700_000_000_000).expect("in range"),
                source: crate::event::Id::new("s").expect("valid"),
                value: None,
                retracts: None,
                properties: serde_json::Map::new(),
                context: serde_json::Map::new(),
                received_ms: None,
                received_from: None,
                schema: 1,
            })
            .collect();
        let batch = Batch::of(&projection, &events);
        let verdicts: Vec<Verdict> = batch
            .puts()
            .iter()
            .map(|put| match put.collection {
                crate::graph::Collection::Edges(_) => Verdict::Failed(failure(Remedy::BackOff)),
                _ => Verdict::Superseded,
            })
            .collect();
        assert_eq!(share(&batch.dispositions(&verdicts)), Share { failed: 3, of: 3 });
    }
}

//! Events applied to a store that may fail: again in place, until each is applied or can never be.

use std::time::Duration;

use super::apply::{Applier, Read};
use crate::event::Event;
use crate::projector::{Batch, Disposition, Gate, share};
use crate::replay::fold::Fate;
use crate::store::{Failure, Store, Verdict};
use crate::stream::StoredMessage;

/// The first and the longest pause before what failed is tried again.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// A store, and when to ask it.
pub(super) struct Database<S> {
    pub store: S,
    pub gate: Gate,
}

impl<S: Store> Database<S> {
    /// Applies what is meant of the messages; one fate each.
    pub async fn apply(
        &self,
        applier: &Applier,
        messages: &[StoredMessage],
        read: &[Read<'_>],
    ) -> Vec<Fate> {
        let mut fates: Vec<Fate> = read.iter().map(first_fate).collect();
        let mut left: Vec<(usize, &Event<'_>)> = Vec::with_capacity(read.len());
        for (index, one) in read.iter().enumerate() {
            match one {
                Ok(event) if applier.wanted.wants(event) => left.push((index, event)),
                Ok(_) => fates[index] = Fate::Filtered,
                Err(_) => {}
            }
        }
        let (mut pause, mut first) = (PAUSES.0, true);
        while !left.is_empty() {
            let (batch, verdicts) = self.attempt(applier, &left, first).await;
            let changed = batch.changed(&verdicts);
            let mut again = Vec::new();
            let mut trouble = None;
            for ((one, what), changed) in
                left.into_iter().zip(batch.dispositions(&verdicts)).zip(changed)
            {
                match what {
                    Disposition::Applied if changed => fates[one.0] = Fate::Applied,
                    Disposition::Applied => {}
                    Disposition::Later(failure) => {
                        trouble = Some(failure);
                        again.push(one);
                    }
                    Disposition::Park(Failure { code, text, .. }) => {
                        applier.park(&messages[one.0], &code, &text).await;
                        fates[one.0] = Fate::Parked;
                    }
                }
            }
            left = again;
            if let Some(failure) = trouble {
                applier.ledger.set_trouble(Some(failure.text));
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(PAUSES.1);
            }
            first = false;
        }
        applier.ledger.set_trouble(None);
        fates
    }

    async fn attempt<'e>(
        &self,
        applier: &Applier,
        left: &[(usize, &'e Event<'e>)],
        first: bool,
    ) -> (Batch<'e>, Vec<Verdict>) {
        self.gate.pass().await;
        let batch = Batch::of(&applier.projection, left.iter().map(|(_, event)| *event));
        let verdicts = self.store.apply(batch.puts()).await;
        self.gate.note(share(&batch.dispositions(&verdicts)), first);
        (batch, verdicts)
    }
}

fn first_fate(read: &Read<'_>) -> Fate {
    if read.is_ok() { Fate::Superseded } else { Fate::Parked }
}

//! Looks at some of a range's messages: what is no event among them, and what the graph would grow by.

use futures_util::{StreamExt, TryStreamExt};

use super::plan::{Estimate, Sample, Undecodable};
use crate::event::Parser;
use crate::graph::{Body, Put};
use crate::limits::{PLAN_EXAMPLES, PLAN_SAMPLE};
use crate::projection::Projection;
use crate::projector::{Decoder, Recorded};
use crate::replay::job::{Control, Range};
use crate::replay::wanted::Wanted;
use crate::stream::{EventLog, GetError, StoredMessage};

/// Questions to the log in flight.
const AT_ONCE: usize = 16;
/// Bytes of an edge in memory, its ends and the index of keys included.
const MEMORY_EDGE_BYTES: u64 = 100;
/// Events a second that are usual on two cores.
const MEMORY_RATE: u64 = 100_000;
const DATABASE_RATE: u64 = 20_000;

/// Where messages are looked for: at most [`PLAN_SAMPLE`] places, evenly spread.
pub fn places(range: Range) -> impl Iterator<Item = u64> {
    let count = range.len().min(PLAN_SAMPLE);
    let place =
        move |n| (u128::from(range.len()) * u128::from(n) / u128::from(count.max(1))) as u64;
    (0..count).map(move |n| range.from + place(n))
}

/// Asks the log for the messages at these places, or the next ones after them.
pub async fn look(log: &EventLog, range: Range) -> Result<Vec<StoredMessage>, GetError> {
    let asked = futures_util::stream::iter(places(range)).map(|place| log.next_from(place));
    let found: Vec<Option<StoredMessage>> = asked.buffered(AT_ONCE).try_collect().await?;
    let mut found: Vec<StoredMessage> = found.into_iter().flatten().collect();
    found.retain(|message| message.sequence < range.to);
    found.dedup_by_key(|message| message.sequence);
    Ok(found)
}

/// What the messages that were looked at come to, and what that means for all of them.
pub struct Judge<'a> {
    pub parser: &'a Parser,
    pub wanted: &'a Wanted,
    pub epoch: &'a str,
    pub databases: bool,
}

impl Judge<'_> {
    /// Decodes and projects the sample; returns bytes that the graph grows by, too.
    pub fn sample(&self, messages: &[StoredMessage]) -> (Sample, u64) {
        let decoder = Decoder::new(self.parser.clone());
        let projection = Projection::new(self.parser.types().clone());
        let (mut sample, mut bytes) = (Sample::default(), 0);
        for message in messages {
            sample.looked_at += 1;
            let recorded = Recorded {
                subject: message.subject(),
                message_id: message.message_id(),
                payload: &message.payload,
                sequence: message.sequence,
                time_ms: message.time_ms,
            };
            match decoder.decode(self.epoch, &recorded) {
                Ok(event) if self.wanted.wants(&event) => {
                    sample.meant += 1;
                    let mut puts = Vec::new();
                    projection.project(&event, &mut puts);
                    bytes += puts.iter().map(|put| self.size(put)).sum::<u64>();
                }
                Ok(_) => {}
                Err(error) => {
                    sample.undecodable += 1;
                    if sample.examples.len() < PLAN_EXAMPLES {
                        sample.examples.push(Undecodable {
                            sequence: message.sequence,
                            subject: message.subject().chars().take(100).collect(),
                            reason: error.to_string(),
                        });
                    }
                }
            }
        }
        (sample, bytes)
    }

    fn size(&self, put: &Put<'_>) -> u64 {
        match put.body {
            // Most vertices are there already.
            Body::Vertex { attrs: None, .. } => 0,
            _ if !self.databases => MEMORY_EDGE_BYTES,
            _ => put.body.to_json().to_string().len() as u64,
        }
    }

    /// Spreads what the sample says over so many events.
    pub fn estimate(&self, events: u64, sample: &Sample, bytes: u64, control: Control) -> Estimate {
        let usual = if self.databases { DATABASE_RATE } else { MEMORY_RATE };
        let rate = control.rate.unwrap_or(usual).clamp(1, usual);
        let whole = u128::from(bytes) * u128::from(events) / u128::from(sample.looked_at.max(1));
        Estimate { events, bytes: whole as u64, seconds: events.div_ceil(rate) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::event::{EventTypes, Upcasters};
    use crate::replay::job::Filter;

    proptest! {
        #[test]
        fn places_are_spread_evenly_and_within_the_range(from in 1..1u64 << 50, length in prop_oneof![0..3_000u64, 0..1u64 << 50]) {
            let range = Range { from, to: from + length };
            let places: Vec<u64> = places(range).collect();
            prop_assert_eq!(places.len() as u64, length.min(PLAN_SAMPLE));
            prop_assert!(places.iter().all(|place| (range.from..range.to).contains(place)));
            let steps: Vec<u64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (least, most) = (steps.iter().min().copied().unwrap_or(0), steps.iter().max().copied().unwrap_or(0));
            prop_assert!(most - least <= 1);
        }
    }

    #[test]
    fn a_sample_names_what_is_no_event_and_measures_the_rest() {
        let parser = Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped());
        let filter = Filter { users: vec!["u".to_owned()], ..Filter::default() };
        let wanted = Wanted::new(&filter, parser.types()).expect("no types are named");
        let message = |sequence, payload: &'static str| {
            let payload = Bytes::from_static(payload.as_bytes());
            StoredMessage::new(sequence, 1_700_000_000_000, "events.viewed", None, payload)
        };
        let messages = [
            message(1, r#"{"userId":"u","itemId":"i"}"#),
            message(2, r#"{"userId":"other","itemId":"i"}"#),
            message(3, "nonsense"),
        ];
        let judge = Judge { parser: &parser, wanted: &wanted, epoch: "e", databases: false };
        let (sample, bytes) = judge.sample(&messages);
        assert_eq!((sample.looked_at, sample.meant, sample.undecodable, bytes), (3, 1, 1, 100));
        assert_eq!(sample.examples[0].sequence, 3);
        let control = Control { live_lag_ms: 200, rate: Some(1_000) };
        let estimate = judge.estimate(3_000, &sample, bytes, control);
        assert_eq!(estimate, Estimate { events: 3_000, bytes: 100_000, seconds: 3 });
    }
}

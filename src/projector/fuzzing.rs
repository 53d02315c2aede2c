//! Laws of what is read from the stream and of what is remembered of it, for any bytes.

use super::decode::{Decoder, Recorded};
use super::progress::Progress;
use crate::event::Event;
use crate::event::fuzzing::{is_written_in_one_way, parser};
use crate::graph::{Digest, Put};
use crate::projection::Projection;
use crate::store::memory::Graph;

/// A message is no event, or one that is written in one way and projected to puts that any order and
/// repetition leave as they are. The bytes are the subject, a line; the id, a line; and the payload.
pub(crate) fn message(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let (subject, message_id) = (line(), line());
    let recorded = Recorded {
        subject,
        message_id: (!message_id.is_empty()).then_some(message_id),
        payload: parts.next().unwrap_or_default(),
        sequence: 7,
        time_ms: 1_700_000_000_000,
    };
    let decoder = Decoder::new(parser());
    let Ok(event) = decoder.decode("epoch", &recorded) else { return };
    is_written_in_one_way(decoder.parser(), &event);
    commutes(&Projection::new(decoder.parser().types().clone()), &event);
}

/// Progress that is read is written as it was.
pub(crate) fn progress(data: &[u8]) {
    let Ok(progress) = Progress::decode(data) else { return };
    assert_eq!(Progress::decode(&progress.encode()), Ok(progress.clone()));
    let _ = progress.applied_through();
}

fn commutes(projection: &Projection, event: &Event<'_>) {
    let mut puts = Vec::new();
    projection.project(event, &mut puts);
    for put in &puts {
        let key = put.key.text();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=".contains(&byte);
        assert!((1..=254).contains(&key.len()) && key.bytes().all(fits), "no key: {key}");
    }
    let once = digest_of(projection, puts.iter());
    let twice = digest_of(projection, puts.iter().chain(&puts));
    let backwards = digest_of(projection, puts.iter().rev());
    assert!(once == twice && once == backwards, "puts commute, and repeat without effect");
}

fn digest_of<'p, 'e: 'p>(
    projection: &Projection,
    puts: impl Iterator<Item = &'p Put<'e>>,
) -> Digest {
    let mut graph = Graph::new(projection.types().clone());
    puts.for_each(|put| _ = graph.apply(put));
    graph.digest()
}

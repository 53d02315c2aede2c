//! Laws of what a request's body becomes, for any bytes.

use bytes::Bytes;

use super::prepare::{Prepared, Verdict, prepare};
use super::shape::Shape;
use crate::event::fuzzing::{defaults, is_written_in_one_way, parser};
use crate::event::{ParseError, Publication};
use crate::limits::EVENT_BYTES;

const NOW_MS: i64 = 1_700_000_000_000;

/// Lines become what each of them becomes alone, and every entry is the event that it says.
pub(crate) fn lines(data: &[u8]) {
    let together = prepared(data, Shape::Lines).expect("lines are malformed one by one");
    together.entries.iter().for_each(holds);
    let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut verdicts = together.verdicts.iter();
    let mut entries = together.entries.iter();
    for line in lines {
        let verdict = verdicts.next().expect("a verdict a line");
        match (prepared(line, Shape::Object), verdict) {
            (Ok(alone), Verdict::Valid { identity, .. }) => {
                assert_eq!(Some(&alone.entries[0]), entries.next());
                assert!(
                    matches!(&alone.verdicts[..], [Verdict::Valid { identity: own, .. }] if own == identity)
                );
            }
            (Ok(alone), verdict) => assert_eq!([verdict.clone()], alone.verdicts[..]),
            (Err(_), Verdict::Invalid(issues)) => assert_eq!(issues[0].code, "malformed_json"),
            (Err(error), verdict) => panic!("{error} alone, {verdict:?} among others"),
        }
    }
    assert!(verdicts.next().is_none() && entries.next().is_none());
}

/// A body of JSON is malformed, or each of its events has a verdict that is true.
pub(crate) fn document(data: &[u8]) {
    for shape in [Shape::Object, Shape::Array] {
        let Ok(prepared) = prepared(data, shape) else { continue };
        prepared.entries.iter().for_each(holds);
        let valid = |verdict: &&Verdict| matches!(verdict, Verdict::Valid { .. });
        assert_eq!(prepared.entries.len(), prepared.verdicts.iter().filter(valid).count());
    }
}

fn prepared(body: &[u8], shape: Shape) -> Result<Prepared, ParseError> {
    prepare(&parser(), body, shape, NOW_MS, || "new-id".to_owned())
}

fn holds(entry: &Bytes) {
    let publication = Publication::decode(entry).expect("an entry");
    assert!(publication.payload.len() <= EVENT_BYTES);
    let parser = parser();
    let named = parser.types().find(&publication.event_type).expect("a configured type");
    let draft = parser.parse(&publication.payload, Some(named)).expect("an entry is an event");
    is_written_in_one_way(&parser, &draft.resolve(defaults));
}

//! Laws of what a request's body becomes, for any bytes.

use bytes::Bytes;

use super::lines::Lines;
use super::prepare::{Prepared, Preparer, Terms, Verdict};
use super::shape::Shape;
use crate::event::fuzzing::{defaults, is_written_in_one_way, parser};
use crate::event::{CloudAttributes, EventTime, ParseError, Parsed, Publication};
use crate::limits::EVENT_BYTES;

const NOW_MS: i64 = 1_700_000_000_000;

/// Lines become what each of them becomes alone, and every entry is the event that it says.
pub(crate) fn lines(data: &[u8]) {
    let together = prepared(data, Shape::Lines).expect("lines are malformed one by one");
    together.entries.iter().for_each(holds);
    cut_anywhere(data);
    let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut verdicts = together.verdicts.iter();
    let mut entries = together.entries.iter();
    for line in lines {
        let verdict = verdicts.next().expect("a verdict a line");
        let alone = prepared(line, Shape::Json);
        if alone.as_ref().is_ok_and(|alone| !alone.is_single) {
            // An array or several in an object: a request of its own, and no line.
            assert!(!matches!(verdict, Verdict::Valid { .. }));
            continue;
        }
        match (alone, verdict) {
            (Ok(alone), Verdict::Valid { identity, .. }) => {
                assert_eq!(Some(&alone.entries[0]), entries.next());
                assert!(
                    matches!(&alone.verdicts[..], [Verdict::Valid { identity: own, .. }] if own == identity)
                );
            }
            (Ok(alone), verdict) => assert_eq!(alone.verdicts, std::slice::from_ref(verdict)),
            // That an array is no line is told before anybody looks into it.
            (Err(_), Verdict::Invalid(issues)) => assert!(
                issues[0].code == "malformed_json" || line.trim_ascii_start().starts_with(b"[")
            ),
            (Err(error), verdict) => panic!("{error} alone, {verdict:?} among others"),
        }
    }
    assert!(verdicts.next().is_none() && entries.next().is_none());
}

/// A body of JSON is malformed, or each of its events has a verdict that is true.
pub(crate) fn document(data: &[u8]) {
    for shape in [Shape::Json, Shape::CloudEvent, Shape::CloudBatch] {
        let Ok(prepared) = prepared(data, shape) else { continue };
        prepared.entries.iter().for_each(holds);
        let valid = |verdict: &&Verdict| matches!(verdict, Verdict::Valid { .. });
        assert_eq!(prepared.entries.len(), prepared.verdicts.iter().filter(valid).count());
    }
}

/// The headers of a CloudEvent, a line each, a blank line, and its data; and the query of a picture.
pub(crate) fn headers(data: &[u8]) {
    let parser = parser();
    let end = data.windows(2).position(|two| two == b"\n\n").unwrap_or(data.len());
    let lines = data[..end].split(|byte| *byte == b'\n');
    let pairs = lines.filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        Some((std::str::from_utf8(&line[..at]).ok()?, &line[at + 1..]))
    });
    let attributes = CloudAttributes::of(pairs);
    let body = data.get(end + 2..).unwrap_or_default();
    let binary = parser.parse_cloud_binary(&attributes, body).map(Parsed::One);
    let query = parser.parse_query(&String::from_utf8_lossy(data)).map(Parsed::One);
    for parsed in [binary, query] {
        let mut preparer = Preparer::new(&parser, terms(), 64, || "new-id".to_owned());
        if preparer.parsed(parsed).is_ok() {
            preparer.finish().entries.iter().for_each(holds);
        }
    }
}

/// Lines are the same wherever the body is cut into pieces.
fn cut_anywhere(data: &[u8]) {
    let parser = parser();
    let whole = prepared(data, Shape::Lines).expect("lines are malformed one by one");
    let mut preparer = Preparer::new(&parser, terms(), 64, || "new-id".to_owned());
    let mut lines = Lines::default();
    let size = 1 + usize::from(data.first().copied().unwrap_or_default());
    data.chunks(size).for_each(|piece| lines.push(piece, |line| preparer.line(line)));
    lines.finish(|line| preparer.line(line));
    let pieces = preparer.finish();
    assert_eq!((pieces.entries, pieces.verdicts), (whole.entries, whole.verdicts));
}

fn terms() -> Terms {
    Terms::open(EventTime::from_ms(NOW_MS).expect("a valid constant"))
}

fn prepared(body: &[u8], shape: Shape) -> Result<Prepared, ParseError> {
    let parser = parser();
    let mut preparer = Preparer::new(&parser, terms(), 64, || "new-id".to_owned());
    preparer.document(body, shape)?;
    Ok(preparer.finish())
}

fn holds(entry: &Bytes) {
    let publication = Publication::decode(entry).expect("an entry");
    assert!(publication.payload.len() <= EVENT_BYTES);
    let parser = parser();
    let named = parser.types().find(&publication.event_type).expect("a configured type");
    let draft = parser.parse(&publication.payload, Some(named)).expect("an entry is an event");
    is_written_in_one_way(&parser, &draft.resolve(defaults));
}

//! Laws of what operators ask for and of what is kept of it, for any bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::job::Job;
use super::request::{Point, Request};
use super::wanted::Wanted;
use crate::event::EventTypes;
use crate::generation::EventTypeSpec;

const NOW_MS: i64 = 1_700_000_000_000;

/// A request is refused, or means what it says: written and read again it is the same.
pub(crate) fn body(data: &[u8]) {
    if let Some(request) = read::<Request>(data) {
        let points = [&request.from, &request.to, &request.as_of];
        points.into_iter().flatten().for_each(place);
        let _ = Wanted::new(&request.filter, &EventTypes::builtin());
        if let Some(Ok(types)) = request.event_types.as_ref().map(EventTypeSpec::read) {
            let again = EventTypeSpec::read(&EventTypeSpec::all(&types)).expect("valid before");
            assert!(types.iter().eq(again.iter()), "types are written down as they are");
        }
    }
    read::<Job>(data);
}

/// A place is told in a form that names it again.
fn place(point: &Point) {
    let Ok(place) = point.place(NOW_MS) else { return };
    let told = Point::Text(place.to_string()).place(NOW_MS);
    if let Ok(told) = told {
        assert_eq!(told, place);
    }
}

fn read<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) -> Option<T> {
    let found: T = serde_json::from_slice(data).ok()?;
    let text = serde_json::to_vec(&found).expect("plain data");
    let again: T = serde_json::from_slice(&text).expect("what is written is understood");
    assert_eq!(again, found);
    Some(found)
}

//! Random sets of events from so few ids and moments that they meet all the time.

use serde_json::{Map, Value, json};
use weir::event::{Event, EventTime, EventTypes, Id, Kind, Line, TypeIndex};

use super::seed::Seed;

/// Ids of all forms of keys: plain, encoded, and too long to be either.
pub fn id_of(prefix: &str, n: u64) -> String {
    match n {
        0 => format!("{prefix}:0"),
        1 => format!("{n}{prefix}"),
        2 => format!("{prefix} ü/?#%"),
        3 => prefix.repeat(240 / prefix.len()) + "äöüß",
        n => format!("{prefix}{n}"),
    }
}

pub const USERS: u64 = 9;
pub const ITEMS: u64 = 12;

pub fn user(n: u64) -> String {
    id_of("user", n)
}

pub fn item(n: u64) -> String {
    id_of("item", n)
}

const MOMENT: i64 = 1_700_000_000_000;

/// So many events of the built-in types, interactions most of all.
pub fn events(seed: &Seed, count: usize) -> Vec<Event<'static>> {
    let types = EventTypes::builtin();
    (0..count).map(|_| event(seed, &types)).collect()
}

fn event(seed: &Seed, types: &EventTypes) -> Event<'static> {
    let names = [
        "viewed",
        "viewed",
        "viewed",
        "purchased",
        "purchased",
        "liked",
        "removed_from_cart",
        "refunded",
        "unliked",
        "user_profile",
        "item_profile",
        "searched",
    ];
    let name = names[seed.pick(0..names.len() as u64) as usize];
    let event_type = types.find(name).expect("built in");
    let kind = &types.spec(event_type).kind;
    let takes_back = matches!(kind, Kind::Retraction { .. });
    let id = id(format!("e{}", seed.pick(0..40)));
    let of_lines = (takes_back || matches!(kind, Kind::Interaction { .. })) && seed.pick(0..5) == 0;
    let lines = if of_lines { lines(seed) } else { Vec::new() };
    Event {
        event_type,
        user: Some(self::id(user(seed.pick(0..USERS)))),
        item: lines.is_empty().then(|| self::id(item(seed.pick(0..ITEMS)))),
        lines,
        at: EventTime::from_ms(MOMENT + moment(seed)).expect("in range"),
        source: self::id(format!("s{}", seed.pick(0..2))),
        value: (seed.pick(0..3) == 0).then(|| seed.pick(0..100) as f64 / 4.0),
        retracts: takes_back.then(|| id.clone()),
        id,
        properties: attributes(seed.pick(0..4)),
        context: serde_json::Map::new(),
        received_ms: None,
        received_from: None,
        schema: 1,
    }
}

/// A handful of moments, some of them days apart.
fn moment(seed: &Seed) -> i64 {
    seed.pick(0..6) as i64 * 40_000_000
}

fn lines(seed: &Seed) -> Vec<Line<'static>> {
    let line =
        |_| Line { item: id(item(seed.pick(0..ITEMS))), value: Some(seed.pick(0..9) as f64) };
    (0..seed.pick(1..4)).map(line).collect()
}

fn attributes(n: u64) -> Map<String, Value> {
    match n {
        0 => Map::new(),
        n => json!({ "title": format!("t{n}"), "n": n }).as_object().cloned().expect("an object"),
    }
}

fn id(text: String) -> Id<'static> {
    Id::new(text).expect("valid")
}

/// One interaction, for tests of one's own.
pub fn interaction(name: &str, id: &str, user: &str, item: &str, minute: i64) -> Event<'static> {
    let event_type = type_of(name);
    Event {
        id: self::id(id.to_owned()),
        event_type,
        user: Some(self::id(user.to_owned())),
        item: Some(self::id(item.to_owned())),
        lines: Vec::new(),
        at: EventTime::from_ms(MOMENT + minute * 60_000).expect("in range"),
        source: self::id("shop".to_owned()),
        value: None,
        retracts: None,
        properties: Map::new(),
        context: serde_json::Map::new(),
        received_ms: None,
        received_from: None,
        schema: 1,
    }
}

/// What takes an interaction back.
pub fn retraction(name: &str, of: &str, user: &str, item: &str) -> Event<'static> {
    let retracts = Some(id(of.to_owned()));
    Event { retracts, ..interaction(name, &format!("not-{of}"), user, item, 0) }
}

pub fn type_of(name: &str) -> TypeIndex {
    EventTypes::builtin().find(name).expect("built in")
}

//! What each of ArangoDB's error numbers asks for, as data.
//!
//! Source: the error list of ArangoDB 3.12 and what its documentation says of each.

use super::Action;

/// The error numbers by what they ask for. A number that is not here asks for [`UNKNOWN`].
pub const TABLE: &[(Action, &[u32])] = &[
    // A write met another: 1200 is a conflict; 1202 and 1210 are what a race looks like when keys are
    // replaced by their own name, as a document that went or came in between.
    (Action::Retry, &[1200, 1202, 1210]),
    // Busy: lock timeouts, a deadlock that was resolved, the arangosearch queue.
    (Action::Retry, &[18, 28, 29, 1302, 1303]),
    // The transaction or cursor is gone: what was begun is begun anew.
    (Action::Restart, &[1500, 1654, 1655, 21]),
    // Overload.
    (Action::BackOff, &[21003, 21004]),
    // The cluster changes: leaders, followers, timeouts between its servers.
    (Action::BackOff, &[1457, 1464, 1465, 1474, 1478, 1489, 1490, 1491, 1495, 1496]),
    // Starting or stopping.
    (Action::BackOff, &[30, 38, 503]),
    // Not enough followers; read-only, by an operator or the licence.
    (Action::BackOff, &[1429, 1004]),
    // More memory than a request may take.
    (Action::Split, &[32]),
    (Action::Refresh, &[11, 401]),
    (Action::Exists, &[1207, 1925]),
    // This document, or this value in a query, can never be right.
    (
        Action::Park,
        &[
            1208, 1216, 1221, 1222, 1226, 1227, 1233, 1466, 1469, 1504, 1505, 1524, 1542, 1543,
            1561, 1562, 1563, 1569, 1572, 1578, 1593, 1594, 1620,
        ],
    ),
    // What is missing or misspelt: 1203 collection, 1228 database, 1501 and 1551 to 1553 queries, 600 JSON.
    (
        Action::Stop,
        &[1203, 1228, 1229, 1501, 1551, 1552, 1553, 1470, 9, 31, 1942, 1104, 600, 400, 405],
    ),
];

/// What is not in the table is tried again, later and without end: it costs time and is told loudly.
/// To park would drop good data for a number that nobody knows yet, to stop would hold up all of it.
pub const UNKNOWN: Action = Action::BackOff;

/// Advice by error number, where the number alone says what a person has to do.
pub const ADVICE: &[(u32, &str)] = &[
    (11, "check the user and its password, and that the user has rights on the database"),
    (401, "check the user and its password, and that the user has rights on the database"),
    (1004, "the server is read-only: look at its mode and its licence"),
    (1203, "the collection is missing: run `weir migrate apply`"),
    (1228, "the database is missing: run `weir migrate apply`"),
    (1429, "too few followers are in sync: look at the cluster's health"),
];

/// Finds what an error number asks for.
pub fn action_of(number: u32) -> Option<Action> {
    TABLE.iter().find(|(_, numbers)| numbers.contains(&number)).map(|(action, _)| *action)
}

/// Finds what a person should know of an error number.
pub fn advice_of(number: u32) -> Option<&'static str> {
    ADVICE.iter().find(|(known, _)| *known == number).map(|(_, advice)| *advice)
}

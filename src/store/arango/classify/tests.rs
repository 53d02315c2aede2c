//! The table, row by row, and what is not in it.

use proptest::prelude::*;

use super::decide::{Action, Evidence, Wire, classify};
use super::table::{ADVICE, TABLE, action_of};
use crate::store::Remedy;

fn error(status: u16, number: u32) -> (Action, Remedy, String) {
    let body = format!(
        r#"{{"error":true,"code":{status},"errorNum":{number},"errorMessage":"it went wrong"}}"#
    );
    let finding = classify(Evidence::Answer { status, body: &body });
    (finding.action, finding.failure.remedy, finding.failure.code)
}

fn element(number: u32) -> (Action, Remedy) {
    let finding = classify(Evidence::Element { number, message: "it went wrong" });
    (finding.action, finding.failure.remedy)
}

#[test]
fn every_error_number_asks_for_what_the_table_says() {
    use {Action as A, Remedy as R};
    let rows: &[(u16, &[u32], A, R)] = &[
        (409, &[1200], A::Retry, R::Retry),
        (500, &[18, 28, 29, 1302, 1303], A::Retry, R::Retry),
        (503, &[21003], A::BackOff, R::BackOff),
        (412, &[21004], A::BackOff, R::BackOff),
        (
            500,
            &[1457, 1464, 1465, 1474, 1478, 1489, 1490, 1491, 1495, 1496],
            A::BackOff,
            R::BackOff,
        ),
        (503, &[30, 38], A::BackOff, R::BackOff),
        (503, &[1429], A::BackOff, R::BackOff),
        (403, &[1004], A::BackOff, R::BackOff),
        (410, &[1500, 1654, 21], A::Restart, R::Retry),
        (404, &[1655], A::Restart, R::Retry),
        (500, &[32], A::Split, R::BackOff),
        (401, &[11], A::Refresh, R::Stop),
        (403, &[11], A::Refresh, R::Stop),
        (409, &[1207, 1925], A::Exists, R::Stop),
        (
            400,
            &[
                1208, 1216, 1221, 1222, 1226, 1227, 1233, 1466, 1469, 1504, 1505, 1524, 1542, 1543,
                1561, 1562, 1563, 1569, 1572, 1578, 1593, 1594, 1620,
            ],
            A::Park,
            R::Park,
        ),
        (404, &[1203, 1228], A::Stop, R::Stop),
        (400, &[1229, 1501, 1551, 1552, 1553, 1470, 600], A::Stop, R::Stop),
        (501, &[9, 31], A::Stop, R::Stop),
        (403, &[1942, 1104], A::Stop, R::Stop),
    ];
    for (status, numbers, action, remedy) in rows {
        for number in *numbers {
            let expected = (*action, *remedy, format!("arango_{number}"));
            assert_eq!(error(*status, *number), expected, "{number} with HTTP {status}");
            assert_eq!(element(*number), (*action, *remedy), "{number} in an element");
        }
    }
}

#[test]
fn an_answer_without_json_is_judged_by_its_status() {
    use {Action as A, Remedy as R};
    let rows = [
        (301, A::Stop, R::Stop),
        (401, A::Refresh, R::Stop),
        (403, A::Stop, R::Stop),
        (404, A::BackOff, R::BackOff),
        (409, A::Retry, R::Retry),
        (413, A::Split, R::Park),
        (429, A::BackOff, R::BackOff),
        (500, A::BackOff, R::BackOff),
        (501, A::Stop, R::Stop),
        (502, A::BackOff, R::BackOff),
        (503, A::BackOff, R::BackOff),
        (504, A::BackOff, R::BackOff),
    ];
    for (status, action, remedy) in rows {
        for body in ["", "<html>Bad day</html>", "{}", "[1]", r#"{"error":true}"#] {
            let finding = classify(Evidence::Answer { status, body });
            assert_eq!((finding.action, finding.failure.remedy), (action, remedy), "{status}");
            assert_eq!(finding.failure.code, format!("http_{status}"));
        }
    }
}

#[test]
fn a_wire_that_fails_is_no_fault_of_a_document() {
    use {Action as A, Remedy as R};
    for (wire, action, remedy) in [
        (Wire::Unreachable, A::BackOff, R::BackOff),
        (Wire::TimedOut, A::BackOff, R::BackOff),
        (Wire::Crowded, A::BackOff, R::BackOff),
        (Wire::Cut, A::Retry, R::Retry),
        (Wire::TooLarge, A::Split, R::BackOff),
        (Wire::Secret, A::Stop, R::Stop),
    ] {
        let finding = classify(Evidence::Wire { wire, text: "no" });
        assert_eq!((finding.action, finding.failure.remedy), (action, remedy), "{wire:?}");
        assert_eq!(finding.failure.code, wire.code());
    }
}

#[test]
fn each_number_stands_in_the_table_once() {
    let mut all: Vec<u32> = TABLE.iter().flat_map(|(_, numbers)| numbers.iter().copied()).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    assert!(ADVICE.iter().all(|(number, _)| action_of(*number).is_some()));
}

#[test]
fn a_text_says_what_happened_and_what_to_do() {
    let body = r#"{"error":true,"code":404,"errorNum":1203,"errorMessage":"collection or view not found: viewed"}"#;
    let finding = classify(Evidence::Answer { status: 404, body });
    assert_eq!(
        finding.failure.text,
        "ArangoDB says \"collection or view not found: viewed\" (error 1203, HTTP 404); the collection is missing: run `weir migrate apply`"
    );
}

proptest! {
    #[test]
    fn what_is_unknown_is_never_parked_and_never_stops_the_rest(number in 2000u32..20_000, status in prop::option::of(500u16..=504)) {
        let finding = match status {
            Some(status) if status != 501 => {
                let body = format!(r#"{{"errorNum":{number},"errorMessage":""}}"#);
                classify(Evidence::Answer { status, body: &body })
            }
            _ => classify(Evidence::Element { number, message: "" }),
        };
        prop_assert_eq!(finding.failure.remedy, Remedy::BackOff);
    }

    #[test]
    fn no_answer_makes_it_panic(status in 100u16..1000, body in "\\PC{0,400}") {
        let finding = classify(Evidence::Answer { status, body: &body });
        prop_assert!(finding.failure.text.len() < 4096);
    }
}

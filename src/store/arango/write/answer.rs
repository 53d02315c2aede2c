//! The answer to a bulk write: one element a document, each looked at.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::store::arango::classify::{Evidence, Finding, classify};

/// What became of one document.
pub type Outcome = Result<Wrote, Finding>;

/// A document without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    Applied,
    /// The server kept what it has: its version is not less.
    Superseded,
}

/// Reads an answer to `sent` documents. One that is no array of as many objects is a failure of all.
pub fn read(status: u16, body: &str, sent: usize) -> Result<Vec<Outcome>, Finding> {
    let wrong = |problem: &str| classify(Evidence::Shape { status, problem });
    let elements: Vec<Element<'_>> =
        serde_json::from_str(body).map_err(|error| wrong(&error.to_string()))?;
    if elements.len() != sent {
        return Err(wrong(&format!("{} elements for {sent} documents", elements.len())));
    }
    elements
        .into_iter()
        .map(|element| {
            element.outcome().ok_or_else(|| wrong("an element is neither a document nor an error"))
        })
        .collect()
}

#[derive(Default)]
struct Element<'a> {
    rev: Option<Text<'a>>,
    old_rev: Option<Text<'a>>,
    error: bool,
    number: Option<u32>,
    message: Option<Text<'a>>,
}

#[derive(Deserialize, PartialEq)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Element<'_> {
    fn outcome(&self) -> Option<Outcome> {
        if self.error || self.number.is_some() {
            let message = self.message.as_ref().map_or("", |text| &text.0);
            let number = self.number.unwrap_or(0);
            return Some(Err(classify(Evidence::Element { number, message })));
        }
        let rev = self.rev.as_ref()?;
        let kept = self.old_rev.as_ref() == Some(rev);
        Some(Ok(if kept { Wrote::Superseded } else { Wrote::Applied }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Element<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object for each document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element<'de>, A::Error> {
        let mut element = Element::default();
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "_rev" => element.rev = map.next_value()?,
                "_oldRev" => element.old_rev = map.next_value()?,
                "error" => element.error = map.next_value()?,
                "errorNum" => element.number = map.next_value()?,
                "errorMessage" => element.message = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(element)
    }
}

#[cfg(test)]
mod tests {
    use super::Wrote::{Applied, Superseded};
    use super::*;
    use crate::store::Remedy;

    #[test]
    fn each_element_is_looked_at() {
        let body = r#"[
            {"_id":"users/a","_key":"a","_rev":"_r1"},
            {"_id":"users/b","_key":"b","_rev":"_r2","_oldRev":"_r0"},
            {"_id":"users/c","_key":"c","_rev":"_r3","_oldRev":"_r3"},
            {"_id":"users/d","_key":"d","_rev":"_r\u0034","_oldRev":"_r4","new":{"_rev":"x","deep":[1,{"error":true}]}},
            {"error":true,"errorNum":1200,"errorMessage":"write-write \"conflict\""},
            {"error":true,"errorMessage":"no number"}
        ]"#;
        let outcomes = read(202, body, 6).expect("six elements");
        let told: Vec<_> = outcomes
            .iter()
            .map(|outcome| {
                outcome.as_ref().map_err(|finding| finding.failure.code.as_str()).copied()
            })
            .collect();
        let expected = [
            Ok(Applied),
            Ok(Applied),
            Ok(Superseded),
            Ok(Superseded),
            Err("arango_1200"),
            Err("arango_0"),
        ];
        assert_eq!(told, expected);
        let text = &outcomes[4].as_ref().expect_err("a conflict").failure.text;
        assert!(text.contains("conflict"), "{text}");
    }

    #[test]
    fn an_answer_of_another_shape_is_a_failure_of_all() {
        let good = r#"{"_rev":"_r1"}"#;
        for body in [
            "",
            "null",
            "{}",
            "[]",
            "[1]",
            "[null]",
            "[{}]",
            r#"["_r1"]"#,
            r#"[["_r1"]]"#,
            "<html>",
            r#"[{"_rev":1}]"#,
            r#"[{"_rev":null}]"#,
            r#"[{"_oldRev":"_r1"}]"#,
            &format!("[{good},{good}]"),
            &format!("[{good}"),
            r#"[{"error":"yes"}]"#,
        ] {
            let finding = read(201, body, 1).expect_err(body);
            assert_eq!(finding.failure.code, "answer_shape", "{body}");
            assert_eq!(finding.failure.remedy, Remedy::BackOff, "{body}");
        }
        assert_eq!(read(201, &format!("[{good}]"), 1), Ok(vec![Ok(Wrote::Applied)]));
    }
}

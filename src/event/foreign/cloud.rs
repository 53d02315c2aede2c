//! CloudEvents 1.0: the attributes of an event, from its JSON or from the headers around its data.
//!
//! `id` is the event's id, `source` its source, `time` its time. `type` names the event type, whole or by its last
//! part (`com.shop.viewed`), and `subject` the item, where the data names none. Where the data says the same of
//! itself, both must agree.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::event::issue::{Issue, Issues};

/// What stands before an attribute's name in a header.
const HEADER: &str = "ce-";

/// The attributes of an event in binary mode, from the headers `ce-…`.
#[derive(Debug, Default)]
pub struct CloudAttributes(Map<String, Value>, Issues);

/// The attributes that mean something here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::event) struct Attributes {
    pub id: String,
    pub source: String,
    pub type_name: String,
    pub time: Option<String>,
    pub subject: Option<String>,
    /// An extension: whom the event is about.
    pub user: Option<String>,
}

impl CloudAttributes {
    /// Reads the headers of a request; those without `ce-` are passed over.
    pub fn of<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut all = Self::default();
        for (name, value) in headers {
            let Some(name) = name.strip_prefix(HEADER) else { continue };
            match decoded(value) {
                Some(value) => {
                    if all.0.insert(name.to_owned(), value.into()).is_some() {
                        all.1.push(Issue::new(
                            "",
                            "duplicate_key",
                            "an attribute stands there twice",
                        ));
                    }
                }
                None => all.1.push(Issue::new(
                    "",
                    "invalid_attribute",
                    "the value of a header ce-… is not percent-encoded UTF-8",
                )),
            }
        }
        all
    }

    pub(in crate::event) fn read(&self) -> Result<Attributes, Issues> {
        let mut issues = self.1.clone();
        match attributes_of(&self.0) {
            Ok(attributes) if issues.is_empty() => Ok(attributes),
            Ok(_) => Err(issues),
            Err(more) => {
                issues.extend(more.iter().map(of_header));
                Err(issues)
            }
        }
    }
}

/// An attribute in a header has no place in the body: its name begins the detail instead.
fn of_header(issue: &Issue) -> Issue {
    let detail = format!("{HEADER}{} {}", issue.pointer.trim_start_matches('/'), issue.detail);
    Issue::new("", issue.code, detail)
}

/// Where the attributes of an event stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::event) enum Mode {
    Structured,
    Binary,
}

/// What marks a pointer as one to an attribute while attributes and data are one event.
const ATTRIBUTE: &str = "ce:";

/// The marked pointers.
pub(in crate::event) const ID: &str = "ce:id";
pub(in crate::event) const SOURCE: &str = "ce:source";
pub(in crate::event) const TIME: &str = "ce:time";
pub(in crate::event) const TYPE: &str = "ce:type";
pub(in crate::event) const SUBJECT: &str = "ce:subject";
pub(in crate::event) const USER: &str = "ce:userid";

impl Mode {
    /// Points to where a producer wrote it.
    pub fn point(self, mut issue: Issue) -> Issue {
        match (issue.pointer.strip_prefix(ATTRIBUTE), self) {
            (Some(name), Self::Structured) => issue.pointer = format!("/{name}").into(),
            (Some(name), Self::Binary) => {
                issue.pointer = format!("/{name}").into();
                issue = of_header(&issue);
            }
            (None, Self::Structured) => issue.pointer = format!("/data{}", issue.pointer).into(),
            (None, Self::Binary) => {}
        }
        issue
    }
}

/// Takes the quotes off, then decodes once (HTTP protocol binding, 3.1.3.2).
fn decoded(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let bare = match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => Cow::Owned(unescaped(quoted)),
        None => Cow::Borrowed(text),
    };
    percent_encoding::percent_decode_str(&bare).decode_utf8().ok().map(Cow::into_owned)
}

fn unescaped(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    text
}

/// Reads the attributes there must be, and those that may be there.
pub(in crate::event) fn attributes_of(event: &Map<String, Value>) -> Result<Attributes, Issues> {
    let mut issues = Issues::new();
    let mut text = |key: &str, pointer: &'static str, needed: bool| match event.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        None | Some(Value::Null) if !needed => None,
        None | Some(Value::Null) => {
            issues.push(Issue::new(
                pointer,
                "missing_field",
                "is an attribute that a CloudEvent must have",
            ));
            None
        }
        Some(_) => {
            issues.push(Issue::new(
                pointer,
                "invalid_attribute",
                "must be a text that is not empty",
            ));
            None
        }
    };
    let version = text("specversion", "/specversion", true);
    let attributes = Attributes {
        id: text("id", "/id", true).unwrap_or_default(),
        source: text("source", "/source", true).unwrap_or_default(),
        type_name: text("type", "/type", true).unwrap_or_default(),
        time: text("time", "/time", false),
        subject: text("subject", "/subject", false),
        user: text("userid", "/userid", false),
    };
    if version.is_some_and(|version| version != "1.0") {
        let detail = "is not a version that is taken: send CloudEvents 1.0";
        issues.push(Issue::new("/specversion", "unsupported_specversion", detail));
    }
    if issues.is_empty() { Ok(attributes) } else { Err(issues) }
}

impl Attributes {
    /// Returns the data of an event in structured mode, as JSON; an empty object if it has none.
    pub fn data(event: &mut Map<String, Value>) -> Result<String, Issue> {
        if let Some(text) = event.get("data_base64").filter(|text| !text.is_null()) {
            if event.get("data").is_some_and(|data| !data.is_null()) {
                let detail = "stands beside data: send one of the two";
                return Err(Issue::new("/data_base64", "unexpected_field", detail));
            }
            let bytes = text.as_str().and_then(|text| STANDARD.decode(text).ok());
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            return text.ok_or_else(|| {
                Issue::new("/data_base64", "invalid_type", "must be JSON in UTF-8, in base64")
            });
        }
        match event.remove("data") {
            None | Some(Value::Null) => Ok("{}".to_owned()),
            // JSON that was sent as a text.
            Some(Value::String(text)) => Ok(text),
            Some(data) => Ok(data.to_string()),
        }
    }
}

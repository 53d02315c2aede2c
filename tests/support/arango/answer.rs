//! Answers, and the form of errors.

use serde_json::{Map, Value, json};

/// What is sent back, before it is bytes on a connection.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub json: bool,
    pub headers: Vec<(&'static str, String)>,
}

/// An error as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub status: u16,
    pub number: u32,
    pub message: String,
}

impl Trouble {
    /// An error whose HTTP status follows from its number.
    pub fn new(number: u32, message: impl Into<String>) -> Self {
        Self { status: status_of(number), number, message: message.into() }
    }

    pub fn with_status(status: u16, number: u32, message: impl Into<String>) -> Self {
        Self { status, number, message: message.into() }
    }

    pub fn answer(&self) -> Answer {
        let body = json!({
            "error": true,
            "code": self.status,
            "errorNum": self.number,
            "errorMessage": self.message,
        });
        Answer::json(self.status, &body)
    }

    /// The form inside an answer to many documents: it has no `code`.
    pub fn element(&self) -> Value {
        json!({"error": true, "errorNum": self.number, "errorMessage": self.message})
    }
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Self {
        let body = serde_json::to_vec(body).expect("a value can be written");
        Self { status, body, json: true, headers: Vec::new() }
    }

    /// An object with `error: false` and `code` added, as most answers have them.
    pub fn ok(status: u16, body: Value) -> Self {
        let mut fields = match body {
            Value::Object(fields) => fields,
            other => Map::from_iter([("result".to_owned(), other)]),
        };
        fields.insert("error".to_owned(), Value::Bool(false));
        fields.insert("code".to_owned(), status.into());
        Self::json(status, &Value::Object(fields))
    }

    /// What a proxy, or a server that is only starting, would say.
    pub fn bare(status: u16, text: &str) -> Self {
        Self { status, body: text.as_bytes().to_vec(), json: false, headers: Vec::new() }
    }

    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The HTTP status that the server gives an error by default.
fn status_of(number: u32) -> u16 {
    match number {
        400..=599 => number as u16,
        11 | 1004 | 1230 => 403,
        10
        | 600
        | 1208
        | 1214
        | 1216
        | 1218
        | 1221
        | 1222
        | 1226
        | 1227
        | 1229
        | 1233
        | 1237
        | 1205
        | 1501
        | 1502
        | 1551
        | 1552
        | 1553
        | 1920..=1923 => 400,
        1202 | 1203 | 1212 | 1228 | 1600 | 1924 | 1926 | 1930 => 404,
        21 | 1500 => 410,
        1200 | 1207 | 1210 | 1925 => 409,
        21004 => 412,
        30 | 38 | 1429 | 1465 | 1477 | 1495 | 1496 | 21003 => 503,
        9 | 31 => 501,
        _ => 500,
    }
}

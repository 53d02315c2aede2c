//! A request, read whole and taken apart.

use std::sync::OnceLock;

use axum::extract::Query;
use bytes::Bytes;
use hyper::http::request::Parts;
use serde_json::Value;

use super::answer::Trouble;

pub struct Request {
    pub method: String,
    pub database: String,
    /// Behind `/_db/<name>`, decoded.
    pub path: Vec<String>,
    pub params: Vec<(String, String)>,
    pub parts: Parts,
    pub body: Bytes,
    parsed: OnceLock<Value>,
}

impl Request {
    pub fn new(parts: Parts, body: Bytes) -> Self {
        let mut path: Vec<String> =
            parts.uri.path().split('/').skip(1).map(decoded).collect::<Vec<_>>();
        let mut database = "_system".to_owned();
        if path.first().is_some_and(|first| first == "_db") && path.len() > 1 {
            database = path.remove(1);
            path.remove(0);
        }
        let Query(params) =
            Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).unwrap_or_default();
        let method = parts.method.as_str().to_owned();
        Self { method, database, path, params, parts, body, parsed: OnceLock::new() }
    }

    /// The path as routes name it.
    pub fn route(&self) -> String {
        format!("/{}", self.path.join("/"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A flag among the parameters, as the server reads them.
    pub fn flag(&self, name: &str, absent: bool) -> bool {
        self.param(name).map_or(absent, |value| {
            matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "y" | "1")
        })
    }

    /// The collection that the request is about, as far as path and parameters say.
    pub fn collection(&self) -> Option<&str> {
        match self.path.get(1).map(String::as_str) {
            Some("document" | "collection") => self.path.get(2).map(String::as_str),
            _ => self.param("collection"),
        }
    }

    /// The body as JSON. It is parsed once.
    pub fn json(&self) -> Result<&Value, Trouble> {
        if let Some(value) = self.parsed.get() {
            return Ok(value);
        }
        let value = serde_json::from_slice(&self.body)
            .map_err(|error| Trouble::new(600, format!("VPackParser error: {error}")))?;
        Ok(self.parsed.get_or_init(|| value))
    }
}

/// Percent-decodes a part of a path.
fn decoded(part: &str) -> String {
    if !part.contains('%') {
        return part.to_owned();
    }
    let bytes = part.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = part.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

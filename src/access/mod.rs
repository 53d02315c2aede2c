//! STUB
use crate::http::Problem;
use http::HeaderMap;
use std::collections::BTreeSet;
use std::sync::Arc;
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IpMode {
    Keep,
    Truncate,
    #[default]
    Drop,
}
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Privacy {
    pub ip: IpMode,
    pub drop: Vec<String>,
    pub hash: Vec<String>,
}
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub types: Option<BTreeSet<String>>,
    pub sources: Option<BTreeSet<String>>,
    pub privacy: Privacy,
}
impl Rules {
    pub fn permits_type(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|all| all.contains(name))
    }
    pub fn permits_source(&self, name: &str) -> bool {
        self.sources.as_ref().is_none_or(|all| all.contains(name))
    }
    pub fn only_source(&self) -> Option<&str> {
        self.sources.as_ref().filter(|all| all.len() == 1)?.first().map(String::as_str)
    }
}
#[derive(Clone, Copy, Debug)]
pub enum Scope {
    Write,
    Read,
    Admin,
}
pub struct Shown<'a> {
    pub headers: &'a HeaderMap,
    pub query: Option<&'a str>,
}
#[derive(Clone, Debug, Default)]
pub struct Grant {
    rules: Arc<Rules>,
}
pub struct Quota;
impl Quota {
    pub fn write(&self, _: &mut HeaderMap) {}
}
impl Grant {
    pub fn open() -> Self {
        Self::default()
    }
    pub fn key_id(&self) -> Option<&str> {
        None
    }
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
    pub fn charge(&self, _events: u64, _bytes: u64, _now_ms: i64) {}
    pub fn quota(&self, _now_ms: i64) -> Option<Quota> {
        None
    }
}
#[derive(Debug)]
pub enum Denied {}
impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {}
    }
}
#[derive(Clone)]
pub struct Access(Grant);
impl Access {
    pub fn open() -> Self {
        Self(Grant::default())
    }
    pub fn admit(&self, _: Scope, _: &Shown<'_>, _: i64) -> Result<Grant, Denied> {
        Ok(self.0.clone())
    }
    pub fn allowed_origin(&self, _: &str) -> bool {
        false
    }
}

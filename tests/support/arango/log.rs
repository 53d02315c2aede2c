//! What was asked, for tests to look at.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::request::Request;
use super::state::locked;

/// As many requests are remembered; a bench sends more, and only counts them.
const MOST_REMEMBERED: usize = 20_000;

/// A request that was answered, or whose connection was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub database: String,
    /// Behind `/_db/<name>`.
    pub path: String,
    pub params: Vec<(String, String)>,
    /// Of the body.
    pub bytes: usize,
    /// 0 if the connection was cut instead.
    pub status: u16,
}

#[derive(Default)]
pub struct Log {
    seen: Mutex<Vec<Seen>>,
    violations: Mutex<Vec<String>>,
    requests: AtomicU64,
    bytes: AtomicU64,
    flying: AtomicUsize,
    most_flying: AtomicUsize,
}

/// One request in flight; it lands when this is dropped, answered or not.
pub struct Flight<'a>(&'a Log);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.flying.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Log {
    pub fn take_off(&self) -> Flight<'_> {
        let now = self.flying.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_flying.fetch_max(now, Ordering::SeqCst);
        Flight(self)
    }

    pub fn remember(&self, request: &Request, status: u16) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(request.body.len() as u64, Ordering::SeqCst);
        let mut seen = locked(&self.seen);
        if seen.len() < MOST_REMEMBERED {
            seen.push(Seen {
                method: request.method.clone(),
                database: request.database.clone(),
                path: request.route(),
                params: request.params.clone(),
                bytes: request.body.len(),
                status,
            });
        }
    }

    pub fn complain(&self, what: String) {
        locked(&self.violations).push(what);
    }

    pub fn violations(&self) -> Vec<String> {
        locked(&self.violations).clone()
    }

    pub fn forgive(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.violations))
    }

    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.seen).clone()
    }

    pub fn forget(&self) {
        locked(&self.seen).clear();
        self.requests.store(0, Ordering::SeqCst);
        self.bytes.store(0, Ordering::SeqCst);
        self.most_flying.store(self.flying.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    pub fn flying(&self) -> usize {
        self.flying.load(Ordering::SeqCst)
    }

    pub fn most_flying(&self) -> usize {
        self.most_flying.load(Ordering::SeqCst)
    }
}

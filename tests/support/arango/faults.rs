//! What can be made to go wrong: each fault has a name, a place, and an end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::answer::{Answer, Trouble};
use super::request::Request;
use super::state::locked;

type Chooser = Box<dyn Fn(&str, &Value) -> bool + Send + Sync>;

pub struct Fault {
    name: String,
    collection: Option<String>,
    method: Option<String>,
    path: Option<String>,
    /// Below zero: without end.
    left: AtomicI64,
    struck: AtomicU64,
    effect: Effect,
}

enum Effect {
    Elements { number: u32, chosen: Chooser },
    Refuse(Trouble),
    Bare { status: u16, text: String },
    Slow(Duration),
    CutBefore,
    CutAfter,
    NoJson,
    TooShort,
}

/// What happens to a request as a whole.
#[derive(Default)]
pub struct Fate {
    pub delay: Duration,
    /// Answered with instead of doing anything.
    pub instead: Option<Answer>,
    pub cut_before: bool,
    pub cut_after: bool,
    pub no_json: bool,
    pub too_short: bool,
}

#[derive(Default)]
pub struct Faults(Mutex<Vec<Arc<Fault>>>);

impl Faults {
    pub fn clear(&self, name: &str) {
        locked(&self.0).retain(|fault| fault.name != name);
    }

    pub fn clear_all(&self) {
        locked(&self.0).clear();
    }

    /// How often the faults of a name struck, cleared ones aside.
    pub fn struck(&self, name: &str) -> u64 {
        let faults = locked(&self.0);
        faults
            .iter()
            .filter(|fault| fault.name == name)
            .map(|fault| fault.struck.load(Ordering::SeqCst))
            .sum()
    }

    /// Decides what happens to a request as a whole.
    pub fn of_request(&self, request: &Request) -> Fate {
        let mut fate = Fate::default();
        for fault in locked(&self.0).iter().filter(|fault| fault.is_about(request)) {
            let decided = fate.instead.is_some() || fate.cut_before;
            let elements = matches!(fault.effect, Effect::Elements { .. });
            if elements || decided || !fault.take() {
                continue;
            }
            match &fault.effect {
                Effect::Elements { .. } => {}
                Effect::Refuse(trouble) => fate.instead = Some(trouble.answer()),
                Effect::Bare { status, text } => fate.instead = Some(Answer::bare(*status, text)),
                Effect::Slow(delay) => fate.delay += *delay,
                Effect::CutBefore => fate.cut_before = true,
                Effect::CutAfter => fate.cut_after = true,
                Effect::NoJson => fate.no_json = true,
                Effect::TooShort => fate.too_short = true,
            }
        }
        fate
    }

    /// The faults that may strike single documents of a request.
    pub fn of_elements(&self, request: &Request) -> Vec<Arc<Fault>> {
        let faults = locked(&self.0);
        let meant = faults.iter().filter(|fault| {
            matches!(fault.effect, Effect::Elements { .. }) && fault.is_about(request)
        });
        meant.cloned().collect()
    }
}

impl Fault {
    fn is_about(&self, request: &Request) -> bool {
        let same = |wanted: &Option<String>, given: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| given == Some(wanted))
        };
        same(&self.collection, request.collection())
            && same(&self.method, Some(&request.method))
            && self.path.as_ref().is_none_or(|path| request.route().starts_with(path.as_str()))
    }

    /// Uses the fault up by one; false if nothing is left.
    fn take(&self) -> bool {
        let next = |left: i64| match left {
            0 => None,
            left if left < 0 => Some(left),
            left => Some(left - 1),
        };
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok();
        self.struck.fetch_add(u64::from(taken), Ordering::SeqCst);
        taken
    }

    /// The error of one document, if it is meant.
    pub fn strikes(&self, collection: &str, document: &Value) -> Option<Trouble> {
        let Effect::Elements { number, chosen } = &self.effect else { return None };
        let meant = chosen(collection, document) && self.take();
        meant.then(|| Trouble::new(*number, format!("{} (injected)", self.name)))
    }
}

/// Says where, how often and what. The last call puts the fault in place.
#[must_use = "the last call puts the fault in place"]
pub struct FaultBuilder<'a> {
    faults: &'a Faults,
    name: String,
    collection: Option<String>,
    method: Option<String>,
    path: Option<String>,
    times: i64,
}

impl<'a> FaultBuilder<'a> {
    pub(super) fn new(faults: &'a Faults, name: &str) -> Self {
        Self {
            faults,
            name: name.to_owned(),
            collection: None,
            method: None,
            path: None,
            times: -1,
        }
    }

    /// Only requests about this collection (in the path, or as `?collection=`).
    pub fn collection(mut self, name: &str) -> Self {
        self.collection = Some(name.to_owned());
        self
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests whose path (behind the database) begins so.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only bulk writes.
    pub fn writes(self) -> Self {
        self.method("POST").path("/_api/document/")
    }

    /// Only queries and the batches of their results.
    pub fn queries(self) -> Self {
        self.path("/_api/cursor")
    }

    /// As many requests (or elements), and then no more; without it, until cleared.
    pub fn times(mut self, times: u32) -> Self {
        self.times = i64::from(times);
        self
    }

    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Every document fails with an error number.
    pub fn elements(self, number: u32) {
        self.elements_if(number, |_, _| true);
    }

    /// The documents of which (collection, document) this is true fail.
    pub fn elements_if(
        self,
        number: u32,
        chosen: impl Fn(&str, &Value) -> bool + Send + Sync + 'static,
    ) {
        self.install(Effect::Elements { number, chosen: Box::new(chosen) });
    }

    /// A share of all keys fails, each time the same ones.
    pub fn share_of_elements(self, number: u32, share: f64) {
        self.elements_if(number, move |_, document| {
            let key = document["_key"].as_str().unwrap_or_default();
            f64::from(crc32c::crc32c(key.as_bytes())) < share * f64::from(u32::MAX)
        });
    }

    /// 503 in the server's own form, as while it starts or stops.
    pub fn unavailable(self) {
        self.error(503, 38, "server is starting up");
    }

    /// 503 from a proxy, or from a server that cannot say more.
    pub fn unavailable_without_json(self) {
        let text = "<html><h1>503 Service Unavailable</h1></html>".to_owned();
        self.install(Effect::Bare { status: 503, text });
    }

    /// 503 with 21003: the server's queue is full.
    pub fn queue_full(self) {
        self.error(503, 21003, "scheduler queue is full");
    }

    /// 412 with 21004: the request would wait longer than it accepts.
    pub fn queue_too_slow(self) {
        self.error(412, 21004, "queue time violated");
    }

    /// 401, as for a token that has expired.
    pub fn unauthorized(self) {
        self.error(401, 11, "not authorized to execute this request");
    }

    pub fn error(self, status: u16, number: u32, message: &str) {
        self.install(Effect::Refuse(Trouble::with_status(status, number, message)));
    }

    /// The answer comes late; what was asked is done at once.
    pub fn slow(self, delay: Duration) {
        self.install(Effect::Slow(delay));
    }

    /// The connection ends before anything was done.
    pub fn cut_before(self) {
        self.install(Effect::CutBefore);
    }

    /// The connection ends without an answer after everything was done.
    pub fn cut_after_write(self) {
        self.install(Effect::CutAfter);
    }

    /// What was asked is done, and the answer is no JSON.
    pub fn no_json(self) {
        self.install(Effect::NoJson);
    }

    /// What was asked is done, and the answer's array lacks its last element.
    pub fn too_short(self) {
        self.install(Effect::TooShort);
    }

    fn install(self, effect: Effect) {
        locked(&self.faults.0).push(Arc::new(Fault {
            name: self.name,
            collection: self.collection,
            method: self.method,
            path: self.path,
            left: AtomicI64::new(self.times),
            struck: AtomicU64::new(0),
            effect,
        }));
    }
}

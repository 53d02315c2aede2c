//! The handle that tests and benches hold.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::auth::USER;
use super::faults::FaultBuilder;
use super::log::Seen;
use super::server::{Running, Server};
use super::state::locked;

/// A stand-in on a free port. When it is dropped it is gone, and what it did not know fails the test.
pub struct StandIn {
    server: Arc<Server>,
    address: SocketAddr,
    running: Mutex<Option<Running>>,
}

impl StandIn {
    pub const USER: &str = USER;

    /// Takes exactly what weir sends.
    pub fn start() -> Self {
        Self::of(Server::new(false))
    }

    /// Also takes the documented parameters that foreign clients add.
    pub fn wide() -> Self {
        Self::of(Server::new(true))
    }

    fn of(server: Server) -> Self {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = listener.local_addr().expect("a bound listener has an address");
        let server = Arc::new(server);
        let running = Running::start(Arc::clone(&server), listener);
        Self { server, address, running: Mutex::new(Some(running)) }
    }

    /// Refuses connections and ends those there are; documents stay.
    pub fn stop(&self) {
        drop(locked(&self.running).take());
    }

    /// Serves again, on the same port. Does nothing if it serves.
    pub fn start_again(&self) {
        let mut running = locked(&self.running);
        if running.is_none() {
            *running = Some(Running::start(Arc::clone(&self.server), bind(self.address)));
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The password of [`StandIn::USER`].
    pub fn password(&self) -> String {
        self.server.auth.password()
    }

    // What it is to be.

    /// Begins a fault; [`FaultBuilder`]'s last call puts it in place.
    pub fn fault(&self, name: &str) -> FaultBuilder<'_> {
        FaultBuilder::new(&self.server.faults, name)
    }

    pub fn clear_fault(&self, name: &str) {
        self.server.faults.clear(name);
    }

    pub fn clear_faults(&self) {
        self.server.faults.clear_all();
    }

    /// How often a fault struck.
    pub fn struck(&self, name: &str) -> u64 {
        self.server.faults.struck(name)
    }

    pub fn set_version(&self, version: &str) {
        version.clone_into(&mut locked(&self.server.version));
    }

    /// The queue time that every answer tells, and that is held against what requests accept.
    pub fn set_queue_time(&self, time: Duration) {
        *locked(&self.server.queue_time) = time;
    }

    /// How long tokens last that are given from now on.
    pub fn set_token_life(&self, life: Duration) {
        self.server.auth.set_life(life);
    }

    /// Every token that was given ends now.
    pub fn expire_tokens(&self) {
        self.server.auth.expire_all();
    }

    pub fn set_password(&self, password: &str) {
        self.server.auth.set_password(password);
    }

    // What it holds.

    pub fn databases(&self) -> Vec<String> {
        self.server.state.database_names()
    }

    pub fn collections(&self, database: &str) -> Vec<String> {
        let Ok(database) = self.server.state.database(database) else { return Vec::new() };
        database.collections.read().expect("no holder panics").keys().cloned().collect()
    }

    /// All documents of a collection in the order of their keys, with the server's own attributes.
    pub fn documents(&self, database: &str, collection: &str) -> Vec<Value> {
        self.look(database, collection, |documents| documents.values().cloned().collect())
            .unwrap_or_default()
    }

    pub fn document(&self, database: &str, collection: &str, key: &str) -> Option<Value> {
        self.look(database, collection, |documents| documents.get(key).cloned()).flatten()
    }

    /// Changes a document behind everybody's back, past merge rule and requests: what it has, or `None`, is
    /// what `change` makes of it.
    pub fn tamper(
        &self,
        database: &str,
        collection: &str,
        key: &str,
        change: impl FnOnce(Option<Value>) -> Option<Value>,
    ) {
        let state = self.server.state.database(database);
        let collection = state.and_then(|database| database.collection(collection));
        let collection = collection.expect("the collection is made");
        let mut documents = collection.documents.write().expect("no holder panics");
        let before = documents.remove(key);
        if let Some(after) = change(before) {
            documents.insert(key.into(), after);
        }
    }

    pub fn count(&self, database: &str, collection: &str) -> usize {
        self.look(database, collection, super::Documents::len).unwrap_or(0)
    }

    pub fn indexes(&self, database: &str, collection: &str) -> Vec<Value> {
        let database = self.server.state.database(database);
        let collection = database.and_then(|database| database.collection(collection));
        collection.map(|found| locked(&found.indexes).clone()).unwrap_or_default()
    }

    pub fn graph(&self, database: &str, name: &str) -> Option<Value> {
        let database = self.server.state.database(database).ok()?;
        let graphs = locked(&database.graphs);
        graphs.get(name).cloned()
    }

    fn look<T>(
        &self,
        database: &str,
        collection: &str,
        look: impl FnOnce(&super::Documents) -> T,
    ) -> Option<T> {
        let collection = self.server.state.database(database).ok()?.collection(collection).ok()?;
        let documents = collection.documents.read().expect("no holder panics");
        Some(look(&documents))
    }

    // What it saw.

    /// The requests so far, the first 20,000 of them.
    pub fn requests(&self) -> Vec<Seen> {
        self.server.log.seen()
    }

    pub fn request_count(&self) -> u64 {
        self.server.log.requests()
    }

    /// Bytes of all bodies so far.
    pub fn request_bytes(&self) -> u64 {
        self.server.log.bytes()
    }

    pub fn in_flight(&self) -> usize {
        self.server.log.flying()
    }

    pub fn most_in_flight(&self) -> usize {
        self.server.log.most_flying()
    }

    pub fn tokens_given(&self) -> u64 {
        self.server.auth.tokens_given()
    }

    /// Begins to count and remember requests anew.
    pub fn forget_requests(&self) {
        self.server.log.forget();
    }

    /// The processor time of its one thread since it was started last.
    pub fn cpu_time(&self) -> Duration {
        let running = locked(&self.running);
        let told = running.as_ref().and_then(|running| {
            std::fs::read_to_string(format!("/proc/{}/schedstat", running.task)).ok()
        });
        let nanos = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
        Duration::from_nanos(nanos.unwrap_or(0))
    }

    /// What was asked that it does not know.
    pub fn violations(&self) -> Vec<String> {
        self.server.log.violations()
    }

    /// Takes what was asked that it does not know, for tests of that.
    pub fn take_violations(&self) -> Vec<String> {
        self.server.log.forgive()
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "weir sent what it never sends:\n{}", violations.join("\n"));
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.assert_clean();
        }
    }
}

fn bind(address: SocketAddr) -> TcpListener {
    let listener = TcpListener::bind(address).expect("a port of the loopback can be bound");
    listener.set_nonblocking(true).expect("a listener can be made not to block");
    listener
}

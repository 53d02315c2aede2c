//! What the server keeps: databases, their collections with documents, graphs and open cursors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};

use serde_json::{Map, Value, json};

use super::answer::Trouble;
use super::cursors::Cursor;

/// Documents by key, each with `_key`, `_id` and `_rev`.
pub type Documents = BTreeMap<String, Value>;

pub struct State {
    databases: RwLock<BTreeMap<String, Arc<Database>>>,
    ticks: AtomicU64,
}

pub struct Database {
    pub name: String,
    pub options: Value,
    pub collections: RwLock<BTreeMap<String, Arc<Collection>>>,
    pub graphs: Mutex<BTreeMap<String, Value>>,
    pub cursors: Mutex<BTreeMap<String, Cursor>>,
}

pub struct Collection {
    pub id: String,
    pub name: String,
    pub edges: bool,
    pub wait_for_sync: bool,
    pub properties: Map<String, Value>,
    pub indexes: Mutex<Vec<Value>>,
    pub documents: RwLock<Documents>,
}

/// The collections of a database while a query reads them.
pub struct Collections<'a>(BTreeMap<&'a str, RwLockReadGuard<'a, Documents>>);

impl Collections<'_> {
    /// The documents of a collection; `None` if there is no such collection.
    pub fn get(&self, name: &str) -> Option<&Documents> {
        self.0.get(name).map(|documents| &**documents)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().copied()
    }
}

/// A lock that is taken even if a test panicked while it held it.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl State {
    pub fn new() -> Self {
        let system = Database::new("_system", json!({}));
        let databases = BTreeMap::from([(system.name.clone(), Arc::new(system))]);
        Self { databases: RwLock::new(databases), ticks: AtomicU64::new(1_000) }
    }

    /// A number that was never given before.
    pub fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    pub fn database(&self, name: &str) -> Result<Arc<Database>, Trouble> {
        let databases = self.databases.read().expect("no holder panics");
        databases.get(name).cloned().ok_or_else(|| Trouble::new(1228, "database not found"))
    }

    /// False if there is one of that name.
    pub fn create_database(&self, name: &str, options: Value) -> bool {
        let mut databases = self.databases.write().expect("no holder panics");
        if databases.contains_key(name) {
            return false;
        }
        databases.insert(name.to_owned(), Arc::new(Database::new(name, options)));
        true
    }

    pub fn drop_database(&self, name: &str) -> bool {
        self.databases.write().expect("no holder panics").remove(name).is_some()
    }

    pub fn database_names(&self) -> Vec<String> {
        self.databases.read().expect("no holder panics").keys().cloned().collect()
    }
}

impl Database {
    fn new(name: &str, options: Value) -> Self {
        Self {
            name: name.to_owned(),
            options,
            collections: RwLock::default(),
            graphs: Mutex::default(),
            cursors: Mutex::default(),
        }
    }

    pub fn collection(&self, name: &str) -> Result<Arc<Collection>, Trouble> {
        let found = self.collections.read().expect("no holder panics").get(name).cloned();
        found.ok_or_else(|| Trouble::new(1203, format!("collection or view not found: {name}")))
    }

    /// Calls with all collections while none of them changes.
    pub fn reading<T>(&self, read: impl FnOnce(&Collections<'_>) -> T) -> T {
        let all = self.collections.read().expect("no holder panics").clone();
        let open = all.iter().map(|(name, collection)| {
            (name.as_str(), collection.documents.read().expect("no holder panics"))
        });
        read(&Collections(open.collect()))
    }
}

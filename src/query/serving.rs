//! What answers: the generation that is served, and its stores in the order in which they are asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::event::{EventTypes, Kind};
use crate::recommend::{Budget, ItemOptions, KindWeights, Options};
use crate::store::arango::ArangoStore;
use crate::store::memory::MemoryStore;
use crate::store::{
    Breaker, BreakerOptions, Failure, HistoryPage, HistoryQuestion, Permit, Recommended, Remedy,
    Store,
};

/// What can be asked at one moment: the generation that answers, and each by its name.
#[derive(Clone, Default)]
pub struct Served {
    /// Absent before the process knows anything.
    pub active: Option<Arc<Serving>>,
    pub all: BTreeMap<String, Arc<Serving>>,
}

impl Served {
    /// The database of the generation that answers.
    pub fn database(&self) -> Option<Database> {
        self.active.as_ref().and_then(|active| active.database.clone())
    }
}

/// One generation as this process can read it. A request is answered from one of these from beginning to end.
#[derive(Clone)]
pub struct Serving {
    pub generation: String,
    /// The job that builds it: until that is done, it is not whole.
    pub(super) building: Option<String>,
    pub types: Arc<EventTypes>,
    pub(super) kinds: KindWeights,
    pub image: Option<Image>,
    pub database: Option<Database>,
}

/// The graph in this process's memory.
#[derive(Clone)]
pub struct Image {
    pub store: MemoryStore,
    /// Whether it has once caught up with the log.
    pub warm: Arc<AtomicBool>,
}

/// The graph in ArangoDB, and whether asking it makes sense now.
#[derive(Clone)]
pub struct Database {
    store: ArangoStore,
    began: Instant,
    breaker: Arc<Mutex<Breaker>>,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Memory,
    Arango,
    /// The image, which does not hold all there is, while what does cannot be asked.
    Partial,
}

/// What is asked for, as far as it decides on who is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'q> {
    User(&'q str),
    Item(&'q str),
}

impl Source {
    pub const ALL: [Self; 3] = [Self::Memory, Self::Arango, Self::Partial];

    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Arango => "arangodb",
            Self::Partial => "partial",
        }
    }
}

/// Who is asked, in this order. Pure.
///
/// `image`: whether the image holds all there is to the question, if there is an image.
fn order(image: Option<bool>, database: bool) -> &'static [Source] {
    match (image, database) {
        (Some(true), _) => &[Source::Memory],
        (Some(false), true) => &[Source::Arango, Source::Partial],
        (Some(false), false) => &[Source::Partial],
        (None, true) => &[Source::Arango],
        (None, false) => &[],
    }
}

impl Database {
    pub fn new(store: ArangoStore) -> Self {
        let breaker = Arc::new(Mutex::new(Breaker::new(BreakerOptions::default())));
        Self { store, began: Instant::now(), breaker }
    }

    /// Tells whether reads fail so often that most are not tried.
    pub fn is_away(&self) -> bool {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner).is_open()
    }

    async fn ask<T>(&self, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        if let Permit::WaitUntil(_) = self.with(Breaker::permit) {
            return Err(Failure {
                remedy: Remedy::BackOff,
                code: "breaker_open".to_owned(),
                text: "ArangoDB failed too often of late to be asked now".to_owned(),
            });
        }
        let answer = asked.await;
        self.with(|breaker, now_ms| breaker.note(now_ms, usize::from(answer.is_err()), 1));
        answer
    }

    fn with<T>(&self, act: impl FnOnce(&mut Breaker, u64) -> T) -> T {
        let now_ms = self.began.elapsed().as_millis() as u64;
        act(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner), now_ms)
    }
}

impl Serving {
    /// `types` are those that the generation is made of; `purchase_type` counts as a purchase, for
    /// `exclude=purchased`.
    pub fn new(
        generation: String,
        types: Arc<EventTypes>,
        purchase_type: &str,
        image: Option<Image>,
        database: Option<Database>,
    ) -> Self {
        let kinds = weights(&types, purchase_type);
        Self { generation, building: None, types, kinds, image, database }
    }

    /// Names the job that builds it.
    #[must_use]
    pub fn building(self, building: Option<String>) -> Self {
        Self { building, ..self }
    }

    pub(super) fn sources(&self, about: About<'_>) -> &'static [Source] {
        let holds = |image: &Image| {
            image.warm.load(Ordering::Acquire)
                && match about {
                    About::User(user) => !image.store.has_older_of_user(user),
                    About::Item(item) => !image.store.has_older_of_item(item),
                }
        };
        order(self.image.as_ref().map(holds), self.database.is_some())
    }

    pub(super) async fn for_user(
        &self,
        source: Source,
        user: &str,
        options: Options<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        match (source, &self.image, &self.database) {
            (Source::Arango, _, Some(database)) => {
                let options = options.budget(Budget::REMOTE);
                database.ask(database.store.for_user(user, &options)).await
            }
            (_, Some(image), _) => image.store.for_user(user, &options).await,
            _ => Err(nobody()),
        }
    }

    pub(super) async fn for_item(
        &self,
        source: Source,
        item: &str,
        options: ItemOptions<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        match (source, &self.image, &self.database) {
            (Source::Arango, _, Some(database)) => {
                let options = ItemOptions { budget: Budget::REMOTE, ..options };
                database.ask(database.store.for_item(item, &options)).await
            }
            (_, Some(image), _) => image.store.for_item(item, &options).await,
            _ => Err(nobody()),
        }
    }

    pub(super) async fn history(
        &self,
        source: Source,
        user: &str,
        question: &HistoryQuestion,
    ) -> Result<HistoryPage, Failure> {
        match (source, &self.image, &self.database) {
            (Source::Arango, _, Some(database)) => {
                database.ask(database.store.history(user, question)).await
            }
            (_, Some(image), _) => image.store.history(user, question).await,
            _ => Err(nobody()),
        }
    }
}

/// How much each type says, as configured.
fn weights(types: &EventTypes, purchase_type: &str) -> KindWeights {
    let interactions =
        types.iter().filter(|(_, spec)| matches!(spec.kind, Kind::Interaction { .. }));
    interactions.fold(KindWeights::new(), |kinds, (index, spec)| {
        let kinds = kinds.with(index.0, spec.weight as f32);
        if spec.name == purchase_type { kinds.purchase(index.0) } else { kinds }
    })
}

fn nobody() -> Failure {
    Failure {
        remedy: Remedy::BackOff,
        code: "no_store".to_owned(),
        text: "no store answers".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Source::{Arango, Memory, Partial};
    use super::*;

    #[test]
    fn whoever_holds_all_there_is_is_asked_first() {
        let asked = |image, database| order(image, database).to_vec();
        assert_eq!(asked(Some(true), true), [Memory]);
        assert_eq!(asked(Some(true), false), [Memory]);
        assert_eq!(asked(Some(false), true), [Arango, Partial]);
        assert_eq!(asked(Some(false), false), [Partial]);
        assert_eq!(asked(None, true), [Arango]);
        assert!(asked(None, false).is_empty());
    }
}

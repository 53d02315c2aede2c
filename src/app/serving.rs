//! Says at every moment which generation is served, from what, and which others can be asked for by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::databases::Databases;
use super::images::{ImagePart, Images};
use super::options;
use super::rules::Rules;
use crate::generation::{GenerationId, Generations, Record, View};
use crate::query::{Database, Image, Served, Serving};

/// Follows the generations for the reads of this process.
pub(super) struct Servant {
    generations: Generations,
    images: Images,
    rules: Rules,
    served: watch::Sender<Arc<Served>>,
    databases: Known,
}

/// The databases that are read from; kept, since they remember how the last reads went.
struct Known {
    server: Option<Databases>,
    databases: BTreeMap<GenerationId, (String, Database)>,
}

impl Servant {
    pub fn new(
        generations: Generations,
        images: Images,
        databases: Option<Databases>,
        rules: Rules,
    ) -> (Self, watch::Receiver<Arc<Served>>) {
        let (served, receiver) = watch::channel(Arc::new(Served::default()));
        let databases = Known { server: databases, databases: BTreeMap::new() };
        let mut servant = Self { generations, images, rules, served, databases };
        servant.look();
        (servant, receiver)
    }

    /// Serves what is active until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut views, mut images) = (self.generations.watch(), self.images.watch());
        loop {
            views.borrow_and_update();
            images.borrow_and_update();
            self.look();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = views.changed() => if changed.is_err() { return },
                changed = images.changed() => if changed.is_err() { return },
            }
        }
    }

    fn look(&mut self) {
        let view = self.generations.view();
        self.databases.databases.retain(|id, _| view.generations.contains_key(id));
        let mut all = BTreeMap::new();
        for record in view.generations.values().filter(|record| !record.retiring) {
            all.insert(record.id.to_string(), Arc::new(self.serving(record)));
        }
        let active = view.active_id();
        let active = match all.get(&active.to_string()) {
            Some(active) => active.clone(),
            None => Arc::new(self.unrecorded(&view)),
        };
        self.served.send_replace(Arc::new(Served { active: Some(active), all }));
    }

    fn serving(&mut self, record: &Record) -> Serving {
        let image = self.images.of(record);
        // Reads need a generation's types alone: those of its record, whatever made it.
        let rules = match (&image, self.rules.reading(record)) {
            (Some(image), _) => image.rules.clone(),
            (None, rules) => rules,
        };
        let database = self.databases.of(record.id, &record.fingerprint, &rules);
        serving(record.id, &rules, image, database).building(record.building.clone())
    }

    /// What answers before anything is known of generations.
    fn unrecorded(&mut self, view: &View) -> Serving {
        let (id, rules) = (view.active_id(), self.rules.clone());
        let image = self.images.active(view);
        let database = self.databases.of(id, &rules.fingerprint(), &rules);
        serving(id, &rules, image, database)
    }
}

impl Known {
    fn of(&mut self, id: GenerationId, fingerprint: &str, rules: &Rules) -> Option<Database> {
        let server = self.server.as_ref()?;
        let known = self.databases.get(&id).filter(|(of, _)| of == fingerprint);
        let database = match known {
            Some((_, database)) => database.clone(),
            None => Database::new(server.store(id, rules)),
        };
        self.databases.insert(id, (fingerprint.to_owned(), database.clone()));
        Some(database)
    }
}

fn serving(
    id: GenerationId,
    rules: &Rules,
    image: Option<ImagePart>,
    database: Option<Database>,
) -> Serving {
    let image = image.map(|image| Image {
        store: image.graph.store.clone(),
        warm: image.status.caught_up.clone(),
    });
    Serving::new(id.to_string(), rules.types.clone(), options::PURCHASE_TYPE, image, database)
}

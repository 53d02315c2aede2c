//! Says at every moment which generation is served, and from what.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::databases::Databases;
use super::image::ImagePart;
use crate::generation::{GenerationId, Generations, View};
use crate::query::{Database, Image, Serving};

/// Follows the active generation for the reads of this process.
pub(super) struct Servant {
    generations: Generations,
    image: ImagePart,
    databases: Option<Databases>,
    served: watch::Sender<Arc<Serving>>,
    /// What is served; kept, since it remembers how the last reads went.
    now: (GenerationId, Option<Database>),
}

impl Servant {
    pub fn new(
        generations: Generations,
        image: ImagePart,
        databases: Option<Databases>,
    ) -> (Self, watch::Receiver<Arc<Serving>>) {
        let view = generations.view();
        let now = (view.active_id(), database(databases.as_ref(), view.active_id()));
        let (served, receiver) = watch::channel(Arc::new(serving(&view, &image, &now)));
        (Self { generations, image, databases, served, now }, receiver)
    }

    /// Serves what is active until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut views = self.generations.watch();
        loop {
            let view = views.borrow_and_update().clone();
            let active = view.active_id();
            if active != self.now.0 {
                self.now = (active, database(self.databases.as_ref(), active));
            }
            self.served.send_replace(Arc::new(serving(&view, &self.image, &self.now)));
            tokio::select! {
                () = stop.cancelled() => return,
                changed = views.changed() => if changed.is_err() { return },
            }
        }
    }
}

fn database(databases: Option<&Databases>, id: GenerationId) -> Option<Database> {
    databases.map(|databases| Database::new(databases.store(id)))
}

/// An image is the graph of every generation that the same projection makes: the log alone decides.
fn serving(view: &View, image: &ImagePart, now: &(GenerationId, Option<Database>)) -> Serving {
    let (id, database) = now;
    let made_alike =
        view.generations.get(id).is_none_or(|record| record.fingerprint == image.fingerprint);
    let image = made_alike
        .then(|| Image { store: image.store.clone(), warm: image.status.caught_up.clone() });
    Serving { generation: id.to_string(), image, database: database.clone() }
}

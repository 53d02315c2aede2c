//! Readers tell which generations they are ready to answer from, so that none is promoted before its images are.
//!
//! Each process that reads writes a key that ends by itself if it is not written again: who is gone is not
//! waited for.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::images::Images;
use crate::generation::{GenerationId, Generations, View};
use crate::stream::{KvStore, QueueError};

const READER: &str = "reader.";
const TELL: Duration = Duration::from_secs(2);
const LIFETIME: Duration = Duration::from_secs(8);

/// What one reader says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// What it can answer from as well as it ever will; what it does not know of is not among them.
    ready: Vec<GenerationId>,
}

/// Tells what this process is ready to answer from.
pub(super) struct Announcer {
    pub kv: KvStore,
    pub name: String,
    pub images: Images,
    pub generations: Generations,
}

impl Announcer {
    /// Tells it again and again until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let key = format!("{READER}{}", self.name);
        let (mut views, mut images) = (self.generations.watch(), self.images.watch());
        let mut revision = 0;
        loop {
            views.borrow_and_update();
            images.borrow_and_update();
            let told = told(&self.images, &self.generations.view());
            let value = Bytes::from(serde_json::to_vec(&told).expect("names have a JSON form"));
            match self.kv.put_for(&key, value, LIFETIME, revision).await {
                Ok(now) => revision = now,
                // It has ended, or a write was stored that was not known to be.
                Err(QueueError::Conflict) => {
                    revision = match self.kv.get(&key).await {
                        Ok(found) => found.map_or(0, |(_, now)| now),
                        Err(_) => revision,
                    };
                }
                Err(error) => tracing::debug!(%error, "readiness for generations is not told now"),
            }
            // What catches up tells nobody.
            let all = self.generations.view().generations.len();
            let pause = if told.ready.len() < all { TELL / 8 } else { TELL };
            tokio::select! {
                () = stop.cancelled() => break,
                _ = views.changed() => {}
                _ = images.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.kv.delete(&key, None).await.ok();
    }
}

fn told(images: &Images, view: &View) -> Told {
    let ready = view.generations.values().filter(|record| images.is_ready(record));
    Told { ready: ready.map(|record| record.id).collect() }
}

/// Names the readers that are not ready to answer from a generation.
pub(super) async fn unready(kv: &KvStore, id: GenerationId) -> Result<Vec<String>, QueueError> {
    let readers = kv.entries(READER).await?;
    let names = readers.into_iter().filter_map(|(key, (value, _))| {
        let told: Told = serde_json::from_slice(&value).ok()?;
        let name = key.strip_prefix(READER)?.to_owned();
        (!told.ready.contains(&id)).then_some(name)
    });
    Ok(names.collect())
}

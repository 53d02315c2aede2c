//! The graph in memory: the projector that feeds it from the log, and the reads over it.

use std::sync::Arc;

use super::options::{self, Layout};
use super::rules::Rules;
use super::wire::Wire;
use crate::projection::Projection;
use crate::projector::{self, Decoder, MemoryProjector};
use crate::query::{self, Query};
use crate::store::memory::MemoryStore;

/// The type that counts as a purchase for reads.
const PURCHASE_TYPE: &str = "purchased";

/// What can be asked of an image that runs.
#[derive(Clone)]
pub(super) struct ImagePart {
    pub store: MemoryStore,
    pub status: Arc<projector::Status>,
    pub fingerprint: String,
}

/// An image that was built, from its snapshot if there is one, and does not run.
pub(super) struct Image {
    pub projector: MemoryProjector,
    pub query: Query,
    pub part: ImagePart,
}

impl Image {
    pub async fn build(layout: &Layout, rules: &Rules, wire: &Wire) -> anyhow::Result<Self> {
        let options = options::projector(layout)?;
        let log = wire.open("image").await?;
        let Rules { types, parser, upcasters } = rules.clone();
        let (decoder, projection) = (Decoder::new(parser), Projection::new(types.clone()));
        let building = tokio::task::spawn_blocking(move || {
            MemoryProjector::build(log, decoder, projection, &upcasters, options)
        });
        let projector = building.await??;
        let query_options = query::Options {
            generation: super::GENERATION.to_owned(),
            purchase_type: PURCHASE_TYPE.to_owned(),
        };
        let part = ImagePart {
            store: projector.store(),
            status: projector.status(),
            fingerprint: projector.fingerprint().to_string(),
        };
        Ok(Self { query: Query::new(part.store.clone(), types, query_options), projector, part })
    }
}

//! The graph in memory: the projector that feeds it from the log.

use std::sync::Arc;

use super::options::{self, Layout};
use super::rules::Rules;
use super::wire::Wire;
use crate::config::Settings;
use crate::projection::Projection;
use crate::projector::{self, Decoder, MemoryProjector};
use crate::store::memory::MemoryStore;

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
    pub part: ImagePart,
}

impl Image {
    pub async fn build(
        settings: &Settings,
        layout: &Layout,
        rules: &Rules,
        wire: &Wire,
    ) -> anyhow::Result<Self> {
        let options = options::image(settings, layout, rules)?;
        let log = wire.open("image").await?;
        let Rules { types, parser, upcasters } = rules.clone();
        let (decoder, projection) = (Decoder::new(parser), Projection::new(types));
        let building = tokio::task::spawn_blocking(move || {
            MemoryProjector::build(log, decoder, projection, &upcasters, options)
        });
        let projector = building.await??;
        let part = ImagePart {
            store: projector.store(),
            status: projector.status(),
            fingerprint: projector.fingerprint().to_string(),
        };
        Ok(Self { projector, part })
    }
}

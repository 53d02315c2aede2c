//! What an event is, for all components of a process.

use std::sync::Arc;

use super::options;
use crate::config::Settings;
use crate::event::{EventTypes, Parser, Upcasters};
use crate::projection::Projection;

/// The configured types and how events of them are read; cheap to clone.
#[derive(Clone)]
pub(super) struct Rules {
    pub types: Arc<EventTypes>,
    pub parser: Parser,
    pub upcasters: Upcasters,
}

impl Rules {
    /// Names the projection that these rules make.
    pub fn fingerprint(&self) -> String {
        Projection::new(self.types.clone()).fingerprint(&self.upcasters).to_string()
    }

    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let types = Arc::new(options::event_types(settings)?);
        let upcasters = Upcasters::shipped();
        Ok(Self { parser: Parser::new(types.clone(), upcasters.clone()), types, upcasters })
    }
}

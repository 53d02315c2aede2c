//! Where events come in: the WAL, the gateway in front of it, and the relay behind it.

use super::options::{self, Layout};
use super::rules::Rules;
use super::wire::Wire;
use crate::access::Access;
use crate::config::Settings;
use crate::gateway::Gateway;
use crate::relay::{self, Relay};
use crate::wal::Wal;

/// What can be asked of an inlet that runs.
#[derive(Clone)]
pub(super) struct InletPart {
    pub wal: Wal,
    pub relay: relay::Handle,
}

/// An inlet that was built and does not run.
pub(super) struct Inlet {
    pub gateway: Gateway,
    pub relay: Relay,
    pub part: InletPart,
}

impl Inlet {
    pub async fn build(
        settings: &Settings,
        layout: &Layout,
        rules: &Rules,
        wire: &Wire,
        access: &Access,
    ) -> anyhow::Result<Self> {
        let wal_options = options::wal(settings, layout);
        let wal = tokio::task::spawn_blocking(move || Wal::open(wal_options)).await??;
        let log = wire.open("relay").await?;
        let (relay, handle) = Relay::build(options::relay(settings, layout), wal.clone(), log)?;
        let gateway = Gateway::new(
            wal.clone(),
            handle.cursor(),
            rules.parser.clone(),
            access.clone(),
            options::gateway(settings),
        );
        Ok(Self { gateway, relay, part: InletPart { wal, relay: handle } })
    }
}

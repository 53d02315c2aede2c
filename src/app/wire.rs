//! How the NATS server is reached: where it is, and a connection for each purpose.

use super::options;
use crate::broker::Broker;
use crate::config::Settings;
use crate::stream::{Access, EventLog, LogOptions, Nats, NatsOptions};

/// A server, found or started.
#[derive(Clone)]
pub(super) struct Wire {
    url: String,
    access: Access,
    log: LogOptions,
}

impl Wire {
    /// Takes the child's server, or the one that is set.
    pub fn new(settings: &Settings, broker: Option<&Broker>) -> Self {
        let (url, access, monitor_url) = match broker {
            // The child takes no login, and what is set for another server is not for it.
            Some(broker) => {
                (broker.url.clone(), Access::default(), Some(broker.monitor_url.clone()))
            }
            None => (
                settings.nats.url.clone().unwrap_or_default(),
                options::access(settings),
                settings.nats.monitor_url.clone(),
            ),
        };
        Self { url, access, log: options::log(settings, monitor_url) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn monitor_url(&self) -> Option<&str> {
        self.log.monitor_url.as_deref()
    }

    /// Begins to connect for one purpose; connections do not wait for each other.
    pub async fn open(&self, purpose: &str) -> anyhow::Result<EventLog> {
        let options = NatsOptions { url: self.url.clone(), name: format!("weir {purpose}") };
        let nats = Nats::connect_as(options, &self.access).await?;
        Ok(EventLog::new(nats, self.log.clone()).await)
    }
}

//! How the NATS server is reached: where it is, and a connection for each purpose.

use super::options;
use crate::broker::Broker;
use crate::config::Settings;
use crate::stream::{EventLog, LogOptions, Nats, NatsOptions};

/// A server, found or started.
#[derive(Clone)]
pub(super) struct Wire {
    nats: NatsOptions,
    log: LogOptions,
}

impl Wire {
    /// Takes the child's server, or the one that is set.
    pub fn new(settings: &Settings, broker: Option<&Broker>) -> Self {
        let (nats, monitor_url) = match broker {
            Some(broker) => (options::child(&broker.url, ""), Some(broker.monitor_url.clone())),
            None => {
                let url = settings.nats.url.as_deref().unwrap_or_default();
                (options::nats(settings, url, ""), settings.nats.monitor_url.clone())
            }
        };
        Self { nats, log: options::log(settings, monitor_url) }
    }

    pub fn url(&self) -> &str {
        &self.nats.url
    }

    pub fn monitor_url(&self) -> Option<&str> {
        self.log.monitor_url.as_deref()
    }

    /// Begins to connect for one purpose; connections do not wait for each other.
    pub async fn open(&self, purpose: &str) -> anyhow::Result<EventLog> {
        let options = NatsOptions { name: format!("weir {purpose}"), ..self.nats.clone() };
        Ok(EventLog::new(Nats::connect(options).await?, self.log.clone()).await)
    }
}

//! The admin listeners of all instances, asked with the token and certificates of this process's environment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;

use crate::cli::admin::{AdminClient, AdminError};
use crate::limits::ROLLOUT_METRICS_BYTES;
use crate::replay::{Job, Request};
use crate::rollout::{Admin, AdminFailure};

/// One client an address, so that connections are kept.
#[derive(Default)]
pub(super) struct Admins(Mutex<HashMap<String, Arc<AdminClient>>>);

#[derive(Deserialize)]
struct Listed {
    jobs: Vec<Job>,
}

impl Admins {
    fn client(&self, url: &str) -> Result<Arc<AdminClient>, AdminFailure> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(url) {
            return Ok(client.clone());
        }
        let client = Arc::new(AdminClient::from_environment(url).map_err(|error| failure(&error))?);
        clients.insert(url.to_owned(), client.clone());
        Ok(client)
    }
}

fn failure(error: &AdminError) -> AdminFailure {
    AdminFailure { detail: error.to_string(), may_pass: error.may_pass() }
}

#[async_trait]
impl Admin for Admins {
    async fn metrics(&self, url: &str) -> Result<String, AdminFailure> {
        self.client(url)?
            .text("/metrics", ROLLOUT_METRICS_BYTES)
            .await
            .map_err(|error| failure(&error))
    }

    async fn unready(&self, url: &str) -> Result<Option<String>, AdminFailure> {
        self.client(url)?.unready().await.map_err(|error| failure(&error))
    }

    async fn jobs(&self, url: &str) -> Result<Vec<Job>, AdminFailure> {
        let listed: Listed =
            self.client(url)?.get("/admin/jobs").await.map_err(|error| failure(&error))?;
        Ok(listed.jobs)
    }

    async fn begin_job(&self, url: &str, request: &Request) -> Result<Job, AdminFailure> {
        self.client(url)?.post("/admin/jobs", request).await.map_err(|error| failure(&error))
    }
}

//! A session at one Vault: its token, and requests that show it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;
use tokio::sync::Mutex;

use super::answer::{denied, entry, granted};
use super::lease::{Due, Lease};
use crate::clock;
use crate::limits::SECRETS_TIMEOUT;
use crate::secret::Secret;
use crate::secrets::aws::{Identity, caller_identity};
use crate::secrets::contract::{Fault, Fetched, Source};
use crate::secrets::http::{Answer, Ask, Http};
use crate::secrets::plan::{VaultAuth, VaultOptions};

/// What a path between slashes does not hold as it is.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|')
    .add(b'[')
    .add(b']');

/// One Vault, as one role.
pub struct Vault {
    options: VaultOptions,
    http: Http,
    /// For a login as a principal of AWS.
    identity: Arc<Identity>,
    lease: Mutex<Option<Lease>>,
}

impl Vault {
    pub fn new(options: VaultOptions, identity: Arc<Identity>) -> Self {
        let http = Http::new("Vault", options.ca_file.clone(), SECRETS_TIMEOUT);
        Self { options, http, identity, lease: Mutex::new(None) }
    }

    /// Returns a token that counts: the one there is, renewed or replaced where that is due.
    async fn token(&self) -> Result<Secret, Fault> {
        let mut lease = self.lease.lock().await;
        let now = Instant::now();
        let next = match lease.as_ref().map_or(Due::Login, |lease| lease.due(now)) {
            Due::Nothing => None,
            Due::Renew => {
                let old = lease.as_ref().expect("only a lease is renewed").clone();
                Some(self.renew(&old).await?)
            }
            Due::Login => Some(self.login().await?),
        };
        if let Some(next) = next {
            *lease = Some(next);
        }
        Ok(lease.as_ref().expect("it was there or is made").token.clone())
    }

    /// Returns another token than one that was refused, unless another request has got one already.
    async fn other_token(&self, refused: &Secret) -> Result<Secret, Fault> {
        let mut lease = self.lease.lock().await;
        if let Some(lease) = lease.as_ref().filter(|lease| lease.token != *refused) {
            return Ok(lease.token.clone());
        }
        *lease = None;
        Ok(lease.insert(self.login().await?).token.clone())
    }

    /// Renews a token; where Vault does not, logs in again. One that counts outlives a Vault that is away.
    async fn renew(&self, lease: &Lease) -> Result<Lease, Fault> {
        let ask = self.ask(Ask::post(self.url("auth/token/renew-self"), "{}".to_owned()));
        let ask = ask.header("x-vault-token", lease.token.expose());
        let renewed = match self.http.send(ask).await {
            Ok(answer) if matches!(answer.status, 400 | 403) => return self.login().await,
            Ok(answer) => granted(&answer),
            Err(fault) => Err(fault),
        };
        match renewed {
            Ok(grant) => Ok(lease.renewed(grant, Instant::now())),
            Err(_) if lease.counts(Instant::now()) => Ok(lease.clone()),
            Err(fault) => Err(fault.about("Vault's token cannot be renewed")),
        }
    }

    async fn login(&self) -> Result<Lease, Fault> {
        let (mount, body) = match &self.options.auth {
            VaultAuth::AppRole { mount, role_id, secret_id } => {
                let secret_id =
                    secret_id.read().map_err(|error| Fault::person(error.to_string()))?;
                (mount, json!({ "role_id": role_id, "secret_id": secret_id.expose() }))
            }
            VaultAuth::Aws { mount, role, server_id } => {
                let proof = caller_identity(&self.identity, role, server_id.as_deref());
                (mount, proof.await?)
            }
        };
        let path = format!("auth/{}/login", escaped(mount.trim_matches('/')));
        let answer = self.http.send(self.ask(Ask::post(self.url(&path), body.to_string()))).await?;
        if answer.status >= 400 && matches!(self.options.auth, VaultAuth::Aws { .. }) {
            self.identity.learn_time(answer.header("date"));
        }
        Ok(Lease::new(granted(&answer)?, Instant::now()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.options.address)
    }

    fn ask(&self, ask: Ask) -> Ask {
        let ask = ask.header("x-vault-request", "true");
        match &self.options.namespace {
            Some(namespace) => ask.header("x-vault-namespace", namespace.as_str()),
            None => ask,
        }
    }

    async fn read(&self, path: &str, token: &Secret) -> Result<Answer, Fault> {
        let ask = self.ask(Ask::get(self.url(path)));
        self.http.send(ask.header("x-vault-token", token.expose())).await
    }
}

fn escaped(path: &str) -> String {
    utf8_percent_encode(path, ESCAPED).to_string()
}

/// One field of one entry.
pub struct VaultSecret {
    vault: Arc<Vault>,
    /// `mount/data/path`, escaped, with the version that is asked for.
    path: String,
    field: String,
}

impl VaultSecret {
    pub fn new(
        vault: Arc<Vault>,
        (mount, path): (&str, &str),
        field: String,
        version: Option<u64>,
    ) -> Self {
        let version = version.map_or_else(String::new, |version| format!("?version={version}"));
        let path = format!("{}/data/{}{version}", escaped(mount), escaped(path));
        Self { vault, path, field }
    }

    async fn read(&self, token: &Secret) -> Result<Option<Result<Fetched, Fault>>, Fault> {
        let answer = self.vault.read(&self.path, token).await?;
        Ok(entry(&answer, &self.field, clock::now_ms()))
    }
}

#[async_trait]
impl Source for VaultSecret {
    /// A token that Vault does not take may have ended or been revoked: one more is asked for.
    async fn fetch(&self) -> Result<Fetched, Fault> {
        let token = self.vault.token().await?;
        if let Some(outcome) = self.read(&token).await? {
            return outcome;
        }
        let other = self.vault.other_token(&token).await?;
        self.read(&other).await?.unwrap_or_else(|| Err(denied()))
    }
}

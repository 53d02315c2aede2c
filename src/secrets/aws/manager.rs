//! AWS Secrets Manager: one signed question a secret, once more with newer keys or by its clock.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::answer::{Verdict, judge};
use super::identity::{Identity, address};
use super::keys::Keys;
use super::signature::{Scope, Signed, amz_date, authorization};
use crate::limits::SECRETS_TIMEOUT;
use crate::secrets::contract::{Fault, Fetched, Source};
use crate::secrets::http::{Ask, Http};
use crate::secrets::plan::AwsOptions;

const SERVICE: &str = "secretsmanager";
const TARGET: &str = "secretsmanager.GetSecretValue";
const JSON: &str = "application/x-amz-json-1.1";
/// The first attempt, one with newer keys, and one by its clock.
const ATTEMPTS: usize = 3;

/// Secrets Manager of one region.
pub struct Manager {
    identity: Arc<Identity>,
    http: Http,
    endpoint: Option<String>,
}

impl Manager {
    pub fn new(options: &AwsOptions, identity: Arc<Identity>) -> Self {
        let http = Http::new("AWS Secrets Manager", options.ca_file.clone(), SECRETS_TIMEOUT);
        Self { identity, http, endpoint: options.endpoint.clone() }
    }

    async fn fetch(&self, body: &str, field: Option<&str>) -> Result<Fetched, Fault> {
        let region = self.identity.region().await?;
        let endpoint = self.endpoint.clone().unwrap_or_else(|| address(SERVICE, region));
        let mut last = Fault::retry("AWS Secrets Manager was not asked");
        for _ in 0..ATTEMPTS {
            let keys = self.identity.keys().await?;
            let scope = Scope { region, service: SERVICE, at: self.identity.now() };
            let answer = self.http.send(signed(&endpoint, &scope, &keys, body)).await?;
            match judge(&answer, field) {
                Verdict::Got(fetched) => return Ok(*fetched),
                Verdict::Fault(fault) => return Err(fault),
                Verdict::NewKeys(fault) => {
                    self.identity.forget(&keys).await;
                    if self.identity.keys().await? == keys {
                        return Err(fault);
                    }
                    last = fault;
                }
                Verdict::ItsTime(fault) => {
                    if !self.identity.learn_time(answer.header("date")) {
                        return Err(fault);
                    }
                    last = fault;
                }
            }
        }
        Err(last)
    }
}

/// Makes the request, ready to be sent.
fn signed(endpoint: &str, scope: &Scope<'_>, keys: &Keys, body: &str) -> Ask {
    let date = amz_date(scope.at);
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    let mut headers = vec![
        ("content-type", JSON),
        ("host", host),
        ("x-amz-date", date.as_str()),
        ("x-amz-target", TARGET),
    ];
    if let Some(token) = &keys.token {
        headers.push(("x-amz-security-token", token.expose()));
    }
    let request =
        Signed { method: "POST", path: "/", query: "", headers: &headers, body: body.as_bytes() };
    let signature = authorization(&request, scope, keys);
    let ask = Ask::post(format!("{endpoint}/"), body.to_owned());
    let ask = ask.header("authorization", signature);
    // The client writes the host itself.
    let sent = headers.into_iter().filter(|(name, _)| *name != "host");
    sent.fold(ask, |ask, (name, value)| ask.header(name, value))
}

/// One secret of it.
pub struct AwsSecret {
    manager: Arc<Manager>,
    body: String,
    field: Option<String>,
}

impl AwsSecret {
    pub fn new(manager: Arc<Manager>, id: &str, field: Option<String>, stage: &str) -> Self {
        let body = json!({ "SecretId": id, "VersionStage": stage }).to_string();
        Self { manager, body, field }
    }
}

#[async_trait]
impl Source for AwsSecret {
    async fn fetch(&self) -> Result<Fetched, Fault> {
        self.manager.fetch(&self.body, self.field.as_deref()).await
    }
}

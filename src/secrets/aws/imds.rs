//! The machine's own metadata, version 2 alone: every question shows a token that was asked for first.

use super::keys::Keys;
use crate::limits::SECRETS_NEAR_TIMEOUT;
use crate::secrets::contract::Fault;
use crate::secrets::http::{Answer, Ask, Http};

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// The metadata at one address.
pub struct Imds {
    url: String,
    http: Http,
}

impl Imds {
    pub fn new(url: String) -> Self {
        let http = Http::new("the machine's metadata (IMDS)", None, SECRETS_NEAR_TIMEOUT);
        Self { url, http }
    }

    /// Returns the keys of the machine's role.
    pub async fn keys(&self) -> Result<Keys, Fault> {
        let token = self.token().await?;
        let none = "this machine has no role: attach an instance profile, or set aws.credentials";
        let role = text(&self.get(ROLES, &token, none).await?);
        let name = role.lines().next().unwrap_or_default().trim().to_owned();
        if name.is_empty() || name.contains(['/', '?', '#', ' ']) {
            return Err(Fault::person(none));
        }
        Keys::of_json(&self.get(&format!("{ROLES}{name}"), &token, none).await?.body)
    }

    /// Returns the region that the machine is in.
    pub async fn region(&self) -> Result<String, Fault> {
        let token = self.token().await?;
        let none = "the machine's metadata names no region: set aws.region";
        let region = text(&self.get("/latest/meta-data/placement/region", &token, none).await?);
        let region = region.trim();
        let right = !region.is_empty()
            && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if right { Ok(region.to_owned()) } else { Err(Fault::person(none)) }
    }

    async fn token(&self) -> Result<String, Fault> {
        let mut ask = Ask::get(format!("{}/latest/api/token", self.url))
            .header("x-aws-ec2-metadata-token-ttl-seconds", "60");
        ask.method = http::Method::PUT;
        let answer = self.http.send(ask).await?;
        match answer.status {
            200 => Ok(text(&answer)),
            403 => Err(Fault::person("the machine's metadata (IMDS) is switched off: enable it")),
            status => Err(odd(status)),
        }
    }

    async fn get(&self, path: &str, token: &str, none: &str) -> Result<Answer, Fault> {
        let ask = Ask::get(format!("{}{path}", self.url)).header("x-aws-ec2-metadata-token", token);
        let answer = self.http.send(ask).await?;
        match answer.status {
            200 => Ok(answer),
            404 => Err(Fault::person(none)),
            status => Err(odd(status)),
        }
    }
}

fn odd(status: u16) -> Fault {
    Fault::retry(format!("the machine's metadata (IMDS) answers with HTTP {status}"))
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

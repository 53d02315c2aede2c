//! A stand-in for AWS: Secrets Manager, STS, and the metadata of a machine and of a container, as documented.
//!
//! Signatures are verified to the byte by code of its own. The clock, the keys and what fails can be set.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::tiny_http::{Reply, TinyHttp, Wire};

/// How far a signature's time may be off, in seconds.
const SKEW: i64 = 300;

#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

pub struct State {
    pub region: String,
    /// By how many seconds its clock is ahead.
    pub ahead: i64,
    /// Keys that count.
    pub keys: Vec<Key>,
    /// Of these, the metadata gives the last.
    pub expired: Vec<String>,
    /// Text of a secret by its id.
    pub secrets: BTreeMap<String, String>,
    /// Answered once each instead of what would be.
    pub errors: Vec<(u16, Value)>,
    /// Ids of secrets that nobody may read.
    pub denied: Vec<String>,
    pub violations: Vec<String>,
    pub asked: usize,
    /// How often the metadata gave keys.
    pub given: usize,
    pub web_identity: String,
    pub container_token: String,
}

pub struct Aws {
    state: Arc<Mutex<State>>,
    http: TinyHttp,
}

pub fn key(name: &str) -> Key {
    Key {
        id: format!("ASIA{}", name.to_uppercase()),
        secret: format!("secret-key-of-{name}-9f27"),
        token: Some(format!("session-token-of-{name}-41c8/+=")),
    }
}

impl Aws {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            region: "eu-central-1".into(),
            ahead: 0,
            keys: vec![key("first")],
            expired: Vec::new(),
            secrets: BTreeMap::new(),
            errors: Vec::new(),
            denied: Vec::new(),
            violations: Vec::new(),
            asked: 0,
            given: 0,
            web_identity: "web-identity-token-77aa".into(),
            container_token: "container-token-52bd".into(),
        }));
        let shared = Arc::clone(&state);
        let http = TinyHttp::start(move |wire| lock(&shared).answer(wire));
        Self { state, http }
    }

    pub fn url(&self) -> String {
        self.http.url()
    }

    pub fn set(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub fn keep(&self, id: &str, text: &str) {
        self.set().secrets.insert(id.to_owned(), text.to_owned());
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = lock(&self.state).violations.join("\n");
            assert!(violations.is_empty(), "weir sent what it never sends:\n{violations}");
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

impl State {
    fn now(&self) -> i64 {
        unix_now() + self.ahead
    }

    fn answer(&mut self, wire: &Wire) -> Reply {
        let date = OffsetDateTime::from_unix_timestamp(self.now()).expect("a time");
        let date = date.format(&Rfc2822).expect("a date").replace("+0000", "GMT");
        self.route(wire).header("date", date)
    }

    fn route(&mut self, wire: &Wire) -> Reply {
        match (wire.method.as_str(), wire.path.as_str()) {
            ("PUT", "/latest/api/token") => Self::metadata_token(wire),
            ("GET", path) if path.starts_with("/latest/") => self.metadata(wire),
            ("GET", "/container") if wire.header("authorization") == self.container_token => {
                self.keys_json()
            }
            ("POST", "/") if wire.headers.contains_key("x-amz-target") => self.manager(wire),
            ("POST", "/") => self.sts(wire),
            (method, path) => {
                self.violations.push(format!("{method} {path}"));
                Reply::new(404, "")
            }
        }
    }

    fn metadata_token(wire: &Wire) -> Reply {
        match wire.header("x-aws-ec2-metadata-token-ttl-seconds").parse::<u32>() {
            Ok(1..=21_600) => Reply::new(200, "imds-token-83fe"),
            _ => Reply::new(400, ""),
        }
    }

    fn metadata(&mut self, wire: &Wire) -> Reply {
        if wire.header("x-aws-ec2-metadata-token") != "imds-token-83fe" {
            self.violations.push(format!("{} without a token", wire.path));
            return Reply::new(401, "");
        }
        match wire.path.strip_prefix("/latest/meta-data/") {
            Some("placement/region") => Reply::new(200, self.region.clone()),
            Some("iam/security-credentials/") => Reply::new(200, "weir-role\n"),
            Some("iam/security-credentials/weir-role") => self.keys_json(),
            _ => Reply::new(404, ""),
        }
    }

    fn keys_json(&mut self) -> Reply {
        self.given += 1;
        let key = self.keys.last().expect("there is one");
        let ends = OffsetDateTime::from_unix_timestamp(self.now() + 3600).expect("a time");
        let body = json!({
            "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": key.id, "SecretAccessKey": key.secret,
            "Token": key.token, "Expiration": ends.format(&Rfc3339).expect("a time"),
        });
        Reply::new(200, body.to_string())
    }

    /// `AssumeRoleWithWebIdentity`, which is not signed.
    fn sts(&mut self, wire: &Wire) -> Reply {
        let fields: BTreeMap<String, String> =
            form_urlencoded::parse(&wire.body).into_owned().collect();
        let is = |name: &str, value: &str| fields.get(name).is_some_and(|given| given == value);
        if !is("Action", "AssumeRoleWithWebIdentity") || !is("Version", "2011-06-15") {
            self.violations.push(format!("STS was asked {:?}", fields.keys()));
        }
        if !is("WebIdentityToken", &self.web_identity) {
            return Reply::new(
                400,
                "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>",
            );
        }
        let key = self.keys.last().expect("there is one");
        let token = key.token.clone().unwrap_or_default();
        let ends = OffsetDateTime::from_unix_timestamp(self.now() + 3600).expect("a time");
        let ends = ends.format(&Rfc3339).expect("a time");
        Reply::new(
            200,
            format!(
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
                 <AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
                 <SessionToken>{token}</SessionToken><Expiration>{ends}</Expiration></Credentials>\
                 </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
                key.id, key.secret
            ),
        )
    }

    fn manager(&mut self, wire: &Wire) -> Reply {
        self.asked += 1;
        if !self.errors.is_empty() {
            let (status, body) = self.errors.remove(0);
            return Reply::new(status, body.to_string()).header("retry-after", "0");
        }
        if wire.header("x-amz-target") != "secretsmanager.GetSecretValue"
            || wire.header("content-type") != "application/x-amz-json-1.1"
        {
            self.violations.push(format!("a strange request: {:?}", wire.headers.keys()));
        }
        let signed = self.verify(&wire.method, &wire.headers, &wire.body, "secretsmanager");
        if let Err((status, kind, message)) = signed {
            let body = json!({ "__type": kind, "message": message });
            return Reply::new(status, body.to_string());
        }
        let asked: Value = serde_json::from_slice(&wire.body).unwrap_or_default();
        let id = asked["SecretId"].as_str().unwrap_or_default().to_owned();
        if asked["VersionStage"] != "AWSCURRENT"
            || asked.as_object().map_or(0, serde_json::Map::len) != 2
        {
            self.violations.push(format!("it asked {asked}"));
        }
        if self.denied.contains(&id) {
            return error(400, "AccessDeniedException", "User: x is not authorized to perform");
        }
        let Some(text) = self.secrets.get(&id) else {
            let message = "Secrets Manager can't find the specified secret.";
            return error(400, "ResourceNotFoundException", message);
        };
        let body = json!({
            "ARN": format!("arn:aws:secretsmanager:eu-central-1:1:secret:{id}-AbCdEf"), "Name": id,
            "VersionId": format!("version-{}", text.len()), "SecretString": text,
            "VersionStages": ["AWSCURRENT"], "CreatedDate": 1.5e9,
        });
        Reply::new(200, body.to_string())
    }

    /// Verifies a signature by what was sent.
    pub fn verify(
        &self,
        method: &str,
        headers: &HeaderMap,
        body: &[u8],
        service: &str,
    ) -> Result<(), (u16, &'static str, String)> {
        let header = |name: &str| -> String {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let malformed = || (400, "IncompleteSignatureException", "malformed".to_owned());
        let authorization = header("authorization");
        let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(malformed)?;
        let parts: BTreeMap<&str, &str> =
            rest.split(", ").filter_map(|part| part.split_once('=')).collect();
        let get = |name: &str| parts.get(name).copied().ok_or_else(malformed);
        let scope: Vec<&str> = get("Credential")?.split('/').collect();
        let [id, day, region, of, "aws4_request"] = scope[..] else { return Err(malformed()) };
        let key = self.keys.iter().find(|key| key.id == id).ok_or((
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.".to_owned(),
        ))?;
        if self.expired.iter().any(|expired| expired == id) {
            let message = "The security token included in the request is expired";
            return Err((400, "ExpiredTokenException", message.into()));
        }
        let date = header("x-amz-date");
        let invalid = |message: &str| (400, "InvalidSignatureException", message.to_owned());
        let at = seconds(&date).ok_or_else(malformed)?;
        if at < self.now() - SKEW {
            return Err(invalid(&format!("Signature expired: {date} is now earlier than x")));
        }
        if at > self.now() + SKEW {
            return Err(invalid(&format!(
                "Signature not yet current: {date} is still later than x"
            )));
        }
        if region != self.region || of != service || !date.starts_with(day) {
            return Err(invalid("Credential should be scoped to a valid region."));
        }
        let names: Vec<&str> = get("SignedHeaders")?.split(';').collect();
        let needed = ["host", "x-amz-date"];
        let token = key.token.as_deref().unwrap_or_default();
        let mut all_amz = headers
            .keys()
            .map(hyper::header::HeaderName::as_str)
            .filter(|name| name.starts_with("x-amz-"));
        if !names.is_sorted()
            || !needed.iter().all(|name| names.contains(name))
            || !all_amz.all(|name| names.contains(&name))
            || header("x-amz-security-token") != token
        {
            return Err(malformed());
        }
        let lines: String =
            names.iter().map(|name| format!("{name}:{}\n", header(name).trim())).collect();
        let canonical =
            format!("{method}\n/\n\n{lines}\n{}\n{}", names.join(";"), hex(&Sha256::digest(body)));
        let text = format!(
            "AWS4-HMAC-SHA256\n{date}\n{day}/{region}/{service}/aws4_request\n{}",
            hex(&Sha256::digest(canonical))
        );
        let mut derived = hmac(format!("AWS4{}", key.secret).as_bytes(), day.as_bytes());
        for part in [region, service, "aws4_request"] {
            derived = hmac(&derived, part.as_bytes());
        }
        if hex(&hmac(&derived, text.as_bytes())) == get("Signature")? {
            return Ok(());
        }
        Err((
            403,
            "InvalidSignatureException",
            "The request signature we calculated does not match".into(),
        ))
    }
}

fn error(status: u16, kind: &str, message: &str) -> Reply {
    let kind = format!("com.amazonaws.secretsmanager#{kind}");
    Reply::new(status, json!({ "__type": kind, "Message": message }).to_string())
}

/// Reads `20150830T123600Z`.
fn seconds(date: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| date.get(range);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(9..11)?,
        part(11..13)?,
        part(13..15)?
    );
    OffsetDateTime::parse(&text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

/// HMAC by its definition (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! A stand-in for Vault: logins by AppRole and AWS IAM, tokens that end, and KV version 2, as documented.
//!
//! Whatever weir never sends is a violation and fails the test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use serde_json::{Value, json};

use super::aws::Aws;
use super::tiny_http::{Reply, TinyHttp, Wire};

pub const ROLE_ID: &str = "role-1b2c";

/// One version of an entry.
#[derive(Clone)]
pub enum Version {
    Data(Value),
    Deleted,
    Destroyed,
}

pub struct State {
    pub sealed: bool,
    /// Answers 429 to so many requests.
    pub limited: u32,
    pub secret_id: String,
    pub namespace: Option<String>,
    pub ttl: Duration,
    /// The policy allows nothing.
    pub denied: bool,
    pub entries: BTreeMap<String, Vec<Version>>,
    tokens: BTreeMap<String, Instant>,
    pub logins: usize,
    pub renewals: usize,
    pub reads: usize,
    pub violations: Vec<String>,
    /// Verifies logins by AWS IAM.
    pub aws: Option<Arc<Aws>>,
    pub server_id: Option<String>,
}

pub struct Vault {
    state: Arc<Mutex<State>>,
    http: TinyHttp,
}

impl Vault {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            sealed: false,
            limited: 0,
            secret_id: "secret-id-6f1e0d".into(),
            namespace: None,
            ttl: Duration::from_hours(1),
            denied: false,
            entries: BTreeMap::new(),
            tokens: BTreeMap::new(),
            logins: 0,
            renewals: 0,
            reads: 0,
            violations: Vec::new(),
            aws: None,
            server_id: None,
        }));
        let shared = Arc::clone(&state);
        let http = TinyHttp::start(move |wire| lock(&shared).answer(wire));
        Self { state, http }
    }

    pub fn url(&self) -> String {
        self.http.url()
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.http.address()
    }

    pub fn set(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Writes a new version of an entry.
    pub fn write(&self, path: &str, data: Value) {
        self.add(path, Version::Data(data));
    }

    pub fn add(&self, path: &str, version: Version) {
        self.set().entries.entry(path.to_owned()).or_default().push(version);
    }

    /// Every token that was given ends now.
    pub fn revoke_all(&self) {
        self.set().tokens.clear();
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = self.set().violations.join("\n");
            assert!(violations.is_empty(), "weir sent what it never sends:\n{violations}");
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn errors(status: u16, texts: &[&str]) -> Reply {
    Reply::new(status, json!({ "errors": texts }).to_string())
}

impl State {
    fn answer(&mut self, wire: &Wire) -> Reply {
        if wire.header("x-vault-request") != "true" {
            self.violations.push(format!("{} without X-Vault-Request", wire.path));
        }
        if self.sealed {
            return errors(503, &["Vault is sealed"]);
        }
        if self.limited > 0 {
            self.limited -= 1;
            let text = "request path \"x\": rate limit quota exceeded";
            return errors(429, &[text]).header("retry-after", "1");
        }
        if wire.header("x-vault-namespace") != self.namespace.as_deref().unwrap_or_default() {
            return errors(404, &["no handler for route"]);
        }
        let path = wire.path.strip_prefix("/v1/").unwrap_or_default();
        match (wire.method.as_str(), path) {
            ("POST", "auth/approle/login") => self.by_role(wire),
            ("POST", "auth/aws/login") => self.by_aws(wire),
            ("POST", "auth/token/renew-self") => self.renew(wire),
            ("GET", path) if path.contains("/data/") => self.read(wire, path),
            (method, path) => {
                self.violations.push(format!("{method} {path}"));
                errors(404, &["no handler for route"])
            }
        }
    }

    fn by_role(&mut self, wire: &Wire) -> Reply {
        let body: Value = serde_json::from_slice(&wire.body).unwrap_or_default();
        if body.as_object().map_or(0, serde_json::Map::len) != 2 {
            self.violations.push("a login with other fields".into());
        }
        if body["role_id"] != ROLE_ID || body["secret_id"] != self.secret_id.as_str() {
            return errors(400, &["invalid role or secret ID"]);
        }
        self.grant()
    }

    /// Asks AWS who has signed, as Vault does.
    fn by_aws(&mut self, wire: &Wire) -> Reply {
        let body: Value = serde_json::from_slice(&wire.body).unwrap_or_default();
        let text = |key: &str| {
            let bytes = STANDARD.decode(body[key].as_str().unwrap_or_default()).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_default()
        };
        let listed: BTreeMap<String, Vec<String>> =
            serde_json::from_str(&text("iam_request_headers")).unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, values) in &listed {
            let name: hyper::header::HeaderName = name.parse().expect("a header");
            headers.insert(name, values[0].parse().expect("a value"));
        }
        let question = text("iam_request_body");
        let signed = headers.get("authorization").and_then(|value| value.to_str().ok());
        let names_server =
            signed.is_some_and(|signed| signed.contains("x-vault-aws-iam-server-id"));
        let server = headers.get("x-vault-aws-iam-server-id").and_then(|value| value.to_str().ok());
        if body["role"] != "weir"
            || body["iam_http_request_method"] != "POST"
            || question != "Action=GetCallerIdentity&Version=2011-06-15"
            || server != self.server_id.as_deref()
            || names_server != self.server_id.is_some()
        {
            return errors(400, &["error validating the request"]);
        }
        let aws = self.aws.as_ref().expect("AWS is there").clone();
        match aws.set().verify("POST", &headers, question.as_bytes(), "sts") {
            Ok(()) => self.grant(),
            Err((_, kind, _)) => errors(400, &["error making upstream request", kind]),
        }
    }

    fn grant(&mut self) -> Reply {
        self.logins += 1;
        let token = format!("hvs.token-of-login-{}-b81c", self.logins);
        self.tokens.insert(token.clone(), Instant::now() + self.ttl);
        self.granted(&token)
    }

    fn granted(&self, token: &str) -> Reply {
        let auth = json!({
            "client_token": token, "accessor": "accessor", "policies": ["weir"], "metadata": {},
            "lease_duration": self.ttl.as_secs(), "renewable": true,
        });
        Reply::new(200, json!({ "auth": auth, "data": null, "lease_duration": 0 }).to_string())
    }

    fn knows(&self, wire: &Wire) -> bool {
        let end = self.tokens.get(wire.header("x-vault-token"));
        end.is_some_and(|end| *end > Instant::now())
    }

    fn renew(&mut self, wire: &Wire) -> Reply {
        if !self.knows(wire) {
            return errors(403, &["permission denied"]);
        }
        self.renewals += 1;
        let token = wire.header("x-vault-token").to_owned();
        self.tokens.insert(token.clone(), Instant::now() + self.ttl);
        self.granted(&token)
    }

    fn read(&mut self, wire: &Wire, path: &str) -> Reply {
        self.reads += 1;
        if !self.knows(wire) || self.denied {
            return errors(403, &["1 error occurred:\n\t* permission denied\n\n"]);
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let name = path.strip_prefix("secret/data/").unwrap_or_default();
        let Some(versions) = self.entries.get(name) else { return errors(404, &[]) };
        let number = match query.strip_prefix("version=") {
            Some(number) => number.parse().unwrap_or(0),
            None => versions.len(),
        };
        let Some(version) = number.checked_sub(1).and_then(|at| versions.get(at)) else {
            return errors(404, &[]);
        };
        let metadata = |deletion: &str, destroyed: bool| {
            json!({
                "created_time": "2026-01-01T00:00:00.1Z", "custom_metadata": null, "deletion_time": deletion,
                "destroyed": destroyed, "version": number,
            })
        };
        let (status, data, metadata) = match version {
            Version::Data(data) => (200, data.clone(), metadata("", false)),
            Version::Deleted => (404, Value::Null, metadata("2026-01-02T00:00:00Z", false)),
            Version::Destroyed => (404, Value::Null, metadata("", true)),
        };
        let body = json!({
            "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": { "data": data, "metadata": metadata }, "wrap_info": null, "warnings": null, "auth": null,
        });
        Reply::new(status, body.to_string())
    }
}

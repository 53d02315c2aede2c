//! An HTTP client as an application has one, for both listeners of a weir.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::eventually;

/// How long anything may take that is only a matter of waiting.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body; `null` if it is no JSON.
    pub body: Value,
}

impl Answer {
    /// Returns a header's text, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("our headers are ASCII"))
    }

    /// Returns the body of an answer that must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {:#}", self.status, self.body);
        self.body
    }
}

/// Talks to one weir; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    public: String,
    admin: String,
    /// What is shown with every request.
    key: Option<String>,
}

/// A view of an item, as `POST /ingest` takes it.
pub fn event(event_type: &str, user: &str, item: &str) -> Value {
    json!({ "userId": user, "itemId": item, "eventType": event_type })
}

/// Joins events to NDJSON.
pub fn ndjson(events: &[Value]) -> String {
    events.iter().flat_map(|event| [event.to_string(), "\n".to_owned()]).collect()
}

impl Client {
    pub fn new(public: String, admin: String) -> Self {
        Self::trusting(public, admin, None)
    }

    /// The same, with the certificate of an authority that is trusted alone.
    pub fn trusting(public: String, admin: String, authority: Option<&str>) -> Self {
        let mut http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20));
        if let Some(pem) = authority {
            let trusted = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
            http = http.tls_built_in_root_certs(false).add_root_certificate(trusted);
        }
        Self { http: http.build().expect("a client can be made"), public, admin, key: None }
    }

    /// The same client, showing a key with every request.
    pub fn showing(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    fn begin(&self, method: &str, url: String) -> reqwest::RequestBuilder {
        let request = self.http.request(method.parse().expect("a method"), url);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub fn public_url(&self) -> &str {
        &self.public
    }

    pub fn admin_url(&self) -> &str {
        &self.admin
    }

    /// Sends a request; fails when no whole answer comes back.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// Begins a request to the public listener.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.begin(method, format!("{}{path}", self.public))
    }

    /// Begins a request to the operators' listener.
    pub fn admin_request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.begin(method, format!("{}{path}", self.admin))
    }

    /// Posts a body with its content type, none if that is empty.
    pub async fn try_post(
        &self,
        content_type: &str,
        body: impl Into<String>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request("POST", "/ingest").body(body.into());
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        self.send(request).await
    }

    /// Posts one JSON value: an event or an array.
    pub async fn post(&self, value: &Value) -> Answer {
        self.try_post("application/json", value.to_string()).await.expect("an answer")
    }

    pub async fn post_ndjson(&self, events: &[Value]) -> Answer {
        self.try_post("application/x-ndjson", ndjson(events)).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await.expect("an answer")
    }

    /// Returns `/admin/status`.
    pub async fn status(&self) -> Value {
        self.try_status().await.expect("an answer")
    }

    async fn try_status(&self) -> Option<Value> {
        let request = self.admin_request("GET", "/admin/status");
        self.send(request)
            .await
            .ok()
            .filter(|answer| answer.status == 200)
            .map(|answer| answer.body)
    }

    /// Returns what a role says of its readiness, and with which status.
    pub async fn ready(&self, role: &str) -> Answer {
        self.get(&format!("/health/ready/{role}")).await
    }

    /// Waits until everything accepted is in the stream and everything in the stream is in the graph.
    pub async fn settled(&self) -> Value {
        self.status_when("everything is applied", is_settled).await
    }

    /// Waits until the status is as asked; what it was last is shown if it never is.
    pub async fn status_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.status_within(PATIENCE, what, holds).await
    }

    /// The same with a deadline of its own.
    pub async fn status_within(
        &self,
        deadline: Duration,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        // The inner deadline lies behind the outer one, which tells more.
        let found = eventually(what, 2 * deadline, async || {
            last = self.try_status().await?;
            holds(&last).then(|| last.clone())
        });
        let waited = tokio::time::timeout(deadline, found).await;
        waited.unwrap_or_else(|_| panic!("not in time: {what}; the last status: {last:#}"))
    }

    /// Returns the whole history of a user, newest first, page by page.
    pub async fn history(&self, user: &str) -> Vec<Value> {
        self.history_pages(user, "limit=1000").await.concat()
    }

    /// Returns the pages of a history, as many as it takes.
    pub async fn history_pages(&self, user: &str, parameters: &str) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut before = String::new();
        loop {
            let page = self.get(&format!("/history/user/{user}?{parameters}{before}")).await.ok();
            pages.push(page["events"].as_array().expect("a list of events").clone());
            let Some(next) = page["next"].as_str() else { return pages };
            before = format!("&before={next}");
        }
    }

    /// Returns the ids of a user's events, newest first.
    pub async fn event_ids(&self, user: &str) -> Vec<String> {
        self.history(user).await.iter().map(|event| text(&event["eventId"])).collect()
    }

    /// Returns the recommendations for a user.
    pub async fn recommendations(&self, user: &str, parameters: &str) -> Value {
        self.get(&format!("/recommendations/user/{user}?{parameters}")).await.ok()
    }
}

/// Everything accepted is published, and everything in the stream applied.
pub fn is_settled(status: &Value) -> bool {
    let generation = &status["generations"][0];
    status["relay"]["sound"] == true
        && status["wal"]["highWater"] == status["relay"]["cursor"]
        && status["wal"]["published"] == status["relay"]["cursor"]
        && status["nats"]["lastSeq"].is_u64()
        && generation["appliedThrough"] == status["nats"]["lastSeq"]
        && generation["phase"] == "live"
}

/// Returns the digest of the graph.
pub fn digest(status: &Value) -> String {
    let digest = text(&status["generations"][0]["digest"]);
    assert!(digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    digest
}

/// Returns a JSON string's text.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string, not {value}")).to_owned()
}

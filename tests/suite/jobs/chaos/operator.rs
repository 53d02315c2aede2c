//! An operator who asks for anything at any time, and what became of that.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Answer, Client, text};
use crate::support::seed::Seed;

/// How long an answer is waited for: some processes stand still.
const ANSWER: Duration = Duration::from_secs(5);
/// Generations that are kept; beyond these some are retired.
const GENERATIONS: usize = 4;

/// What came of acts, by their names.
#[derive(Default)]
pub struct Table(BTreeMap<String, [u64; 3]>);

impl Table {
    pub fn done(&mut self, what: &str) {
        self.note(what, 0);
    }

    fn note(&mut self, what: &str, which: usize) {
        self.0.entry(what.to_owned()).or_default()[which] += 1;
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<28}{:>6}{:>9}{:>12}", "act", "done", "refused", "unanswered")?;
        for (what, [done, refused, unanswered]) in &self.0 {
            writeln!(f, "{what:<28}{done:>6}{refused:>9}{unanswered:>12}")?;
        }
        Ok(())
    }
}

/// Asks any of some processes.
pub struct Operator {
    pub seed: Seed,
    pub table: Table,
    began: Instant,
    clients: Vec<Client>,
}

impl Operator {
    pub fn new(seed: Seed, clients: Vec<Client>) -> Self {
        Self { seed, table: Table::default(), began: Instant::now(), clients }
    }

    /// Says what happens, for whoever looks at a failure.
    pub fn say(&self, what: &str) {
        println!("{:>8.3} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Notes and says what was done that cannot be refused.
    pub fn did(&mut self, what: &str, details: &str) {
        self.table.done(what);
        self.say(&format!("{what} {details}"));
    }

    /// Asks for something.
    pub async fn act(&mut self) {
        match self.seed.pick(0..22) {
            0..=2 => self.replay().await,
            3..=5 => self.rebuild().await,
            6..=8 => self.promote().await,
            9 | 10 => self.ask(&json!({ "verb": "rollback" })).await,
            11 => self.ask(&json!({ "verb": "jump" })).await,
            12 => self.verify().await,
            13 => self.ask(&json!({ "verb": "redrive" })).await,
            14 | 15 => self.retire().await,
            16..=19 => self.tell().await,
            _ => self.limit().await,
        }
    }

    async fn replay(&mut self) {
        let last = self.last_sequence().await;
        let from = self.seed.pick(1..last.max(2));
        let to = self.seed.pick(from + 1..last.max(from + 1) + 2);
        let mut request = json!({ "verb": "replay", "from": from, "to": to });
        if self.seed.once_in(3) {
            let filters = [
                json!({ "types": ["purchased", "refunded"] }),
                json!({ "users": ["mixed-1", "chaos-0"] }),
                json!({ "items": ["item-3"] }),
            ];
            request["filter"] = self.seed.one_of(&filters).clone();
        }
        self.slow_down(&mut request);
        if self.seed.once_in(3)
            && let Some(id) = self.any_generation().await
        {
            request["generation"] = json!(id);
        }
        self.ask(&request).await;
    }

    async fn rebuild(&mut self) {
        if self.generations().await.len() >= GENERATIONS {
            return self.retire().await;
        }
        let mut request = json!({ "verb": "rebuild" });
        request["unverified"] = json!(self.seed.once_in(2));
        request["promote"] = json!(self.seed.once_in(2));
        if self.seed.once_in(4) {
            let last = self.last_sequence().await;
            request["asOf"] = json!(self.seed.pick(2..last.max(2) + 1));
            request["promote"] = json!(false);
        }
        self.slow_down(&mut request);
        self.ask(&request).await;
    }

    fn slow_down(&self, request: &mut Value) {
        if self.seed.once_in(2) {
            request["rate"] = json!(self.seed.pick(300..4_000));
        }
    }

    async fn promote(&mut self) {
        let Some(generation) = self.any_other().await else { return self.rebuild().await };
        let unverified = self.seed.once_in(2);
        let request =
            json!({ "verb": "promote", "generation": generation, "unverified": unverified });
        self.ask(&request).await;
    }

    async fn verify(&mut self) {
        let Some(generation) = self.any_generation().await else { return };
        self.ask(&json!({ "verb": "verify", "generation": generation })).await;
    }

    async fn retire(&mut self) {
        let Some(generation) = self.any_other().await else { return };
        let force = self.seed.once_in(2);
        self.ask(&json!({ "verb": "retire", "generation": generation, "force": force })).await;
    }

    /// Tells an open job something.
    async fn tell(&mut self) {
        let what = *self.seed.one_of(&["pause", "resume", "resume", "cancel"]);
        let Some(id) = self.any_job(what == "resume").await else { return };
        let path = format!("/admin/jobs/{id}/{what}");
        self.send(what, &path, None).await;
    }

    async fn limit(&mut self) {
        let Some(id) = self.any_job(false).await else { return };
        let limit = if self.seed.once_in(2) {
            json!({ "rate": self.seed.pick(200..5_000) })
        } else {
            json!({ "rate": null, "liveLagMs": self.seed.pick(50..2_000) })
        };
        self.send("limit", &format!("/admin/jobs/{id}/limit"), Some(&limit)).await;
    }

    async fn ask(&mut self, request: &Value) {
        let verb = text(&request["verb"]);
        self.send(&verb, "/admin/jobs", Some(request)).await;
    }

    async fn send(&mut self, what: &str, path: &str, body: Option<&Value>) {
        let (client, whom) = self.client();
        let mut request = client.admin_request("POST", path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answered = answer(&client, request).await;
        let (which, told) = match &answered {
            Some(Answer { status: 200 | 201, body, .. }) => (0, body["id"].to_string()),
            Some(Answer { status: 400 | 404 | 409 | 503, body, .. }) => {
                (1, body["detail"].to_string())
            }
            Some(answer) => panic!("{path}: {} {:#}", answer.status, answer.body),
            None => (2, "no answer".to_owned()),
        };
        self.table.note(what, which);
        let body = body.map(Value::to_string).unwrap_or_default();
        self.say(&format!("{what} {path} {body} at {whom}: {told}"));
    }

    fn client(&self) -> (Client, u64) {
        let number = self.seed.pick(0..self.clients.len() as u64);
        (self.clients[number as usize].clone(), number)
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let (client, _) = self.client();
        let answer = answer(&client, client.admin_request("GET", path)).await?;
        (answer.status == 200).then_some(answer.body)
    }

    async fn any_job(&self, paused: bool) -> Option<String> {
        let mut jobs = self.get("/admin/jobs").await?["jobs"].as_array()?.clone();
        jobs.retain(|job| !is_over(job) && (!paused || job["state"] == "paused"));
        (!jobs.is_empty()).then(|| text(&self.seed.one_of(&jobs)["id"]))
    }

    async fn generations(&self) -> Vec<Value> {
        let status = self.get("/admin/status").await.unwrap_or_default();
        status["generations"].as_array().cloned().unwrap_or_default()
    }

    async fn any_generation(&self) -> Option<String> {
        let all = self.generations().await;
        (!all.is_empty()).then(|| text(&self.seed.one_of(&all)["id"]))
    }

    /// One that does not answer.
    async fn any_other(&self) -> Option<String> {
        let mut others = self.generations().await;
        others.retain(|graph| graph["state"] != "active");
        (!others.is_empty()).then(|| text(&self.seed.one_of(&others)["id"]))
    }

    async fn last_sequence(&self) -> u64 {
        let status = self.get("/admin/status").await.unwrap_or_default();
        status["nats"]["lastSeq"].as_u64().unwrap_or(1_000)
    }
}

/// What is answered in time, if anything is.
async fn answer(client: &Client, request: reqwest::RequestBuilder) -> Option<Answer> {
    tokio::time::timeout(ANSWER, client.send(request)).await.ok()?.ok()
}

/// Whether nothing more happens to a job.
pub fn is_over(job: &Value) -> bool {
    ["done", "promoted", "failed", "cancelled"].contains(&text(&job["state"]).as_str())
}

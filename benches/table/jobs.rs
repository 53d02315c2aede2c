//! Jobs of a running weir, over HTTP at its operators' listener.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::client::{Client, get, post};

const DEADLINE: Duration = Duration::from_mins(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A job that has come to its end, and how long that took.
pub struct Ended {
    pub job: Value,
    pub seconds: f64,
}

/// Asks for a job and waits until it is in a state; fails if it is over otherwise.
pub fn run(admin: &str, request: &Value, state: &str) -> anyhow::Result<Ended> {
    let began = Instant::now();
    let mut client = Client::connect(admin)?;
    let asked = post("/admin/jobs", "application/json", request.to_string().as_bytes());
    let answer = client.send(&asked)?;
    let body: Value = serde_json::from_slice(answer.body)?;
    ensure!(answer.status == 201, "{request} is answered {}: {}", answer.status, body["detail"]);
    let id = body["id"].as_str().context("a job has an id")?;
    let look = get(&format!("/admin/jobs/{id}"));
    while began.elapsed() < DEADLINE {
        let job: Value = serde_json::from_slice(client.send(&look)?.body)?;
        match job["state"].as_str() {
            Some(now) if now == state => {
                return Ok(Ended { job, seconds: began.elapsed().as_secs_f64() });
            }
            Some("done" | "promoted" | "failed" | "cancelled") => {
                bail!("the job {id} is {}: {}", job["state"], job["note"])
            }
            _ => thread::sleep(LOOK_AGAIN),
        }
    }
    bail!("the job {id} does not end")
}

/// Removes a generation.
pub fn retire(admin: &str, generation: &Value) -> anyhow::Result<()> {
    let request = json!({ "verb": "retire", "generation": generation, "force": true });
    run(admin, &request, "done").map(|_| ())
}

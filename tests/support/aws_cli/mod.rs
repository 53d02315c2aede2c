//! An account of AWS that is none: a stand-in for the command line, and instances that tell metrics of traffic
//! that the weights of the rule would send them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use weir::http::{App, ServeOptions, bind, serve};

use super::Waiting;
use super::ports::free_port;
use super::weir::command;

/// How the instances of the new version behave.
#[derive(Clone, Copy, Default)]
pub struct Behaviour {
    /// Of a hundred requests, so many fail.
    pub failing: u64,
    /// Events that wait for the stream.
    pub behind: u64,
}

/// The account.
pub struct AwsAccount {
    dir: TempDir,
    port: u16,
    _servers: DropGuard,
}

const GROUPS: [(&str, &str, &str); 2] =
    [("blue", "arn:tg/blue", "127.0.0.2"), ("green", "arn:tg/green", "127.0.0.3")];

impl AwsAccount {
    /// Makes one whose group blue is live with version 1; green's instances will behave so.
    pub async fn start(green: Behaviour) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the account");
        let (port, stop) = (free_port(), CancellationToken::new());
        let account = Self { dir, port, _servers: stop.clone().drop_guard() };
        let group = |at: usize, desired: u32, instances: Value| {
            let (_, arn, address) = GROUPS[at];
            json!({"min": desired, "max": 4, "desired": desired, "version": "1", "target_group": arn,
                "address": address, "refresh": null, "instances": instances})
        };
        let live = json!([{"id": "i-0000", "version": "1", "age": 9}]);
        account.write(&json!({
            "weights": {"arn:tg/blue": 100, "arn:tg/green": 0}, "throttled": 0, "launched": 0,
            "groups": {"weir-blue": group(0, 1, live), "weir-green": group(1, 0, json!([]))},
        }));
        account.configure();
        for (at, behaviour) in [Behaviour::default(), green].into_iter().enumerate() {
            let (_, arn, address) = GROUPS[at];
            let bound = bind(&format!("{address}:{port}")).await.expect("a loopback address");
            let app = instance(account.dir.path().join("state.json"), arn, behaviour);
            tokio::spawn(serve(bound, app, ServeOptions::default(), stop.child_token()));
        }
        account
    }

    fn configure(&self) {
        let groups: String = GROUPS
            .map(|(name, arn, _)| {
                format!(
                    "[[aws.group]]\nname = \"{name}\"\ntarget_group_arn = \"{arn}\"\n\
                     auto_scaling_group = \"weir-{name}\"\n"
                )
            })
            .concat();
        let text = format!(
            "dir = \"{}\"\n[plan]\nsteps = [10, 50, 100]\nleast_duration = \"500ms\"\nleast_requests = 100\n\
             step_deadline = \"60s\"\nlook_every = \"100ms\"\nready_within = \"60s\"\ndrain_within = \"5s\"\n\
             [judge]\nlag_events = 100\n\
             [aws]\nregion = \"eu-central-1\"\nfirst_wait = \"10ms\"\ntries = 5\nadmin_port = {}\n\
             rule_arn = \"arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/weir/1/2/3\"\n\
             launch_template_id = \"lt-0123\"\n{groups}",
            self.dir.path().join("rollout").display(),
            self.port,
        );
        fs::write(self.dir.path().join("rollout.toml"), text).expect("it can be written");
    }

    fn write(&self, state: &Value) {
        let beside = self.dir.path().join("state.test");
        fs::write(&beside, state.to_string()).expect("the state can be written");
        fs::rename(beside, self.dir.path().join("state.json")).expect("the state can be replaced");
    }

    /// What the account is like now.
    pub fn state(&self) -> Value {
        state(&self.dir.path().join("state.json"))
    }

    /// Changes the account while nobody else does.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        change(&mut state);
        self.write(&state);
    }

    /// Every call that changed something, in order.
    pub fn changes(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.dir.path().join("calls.jsonl")).unwrap_or_default();
        let calls =
            calls.lines().map(|line| serde_json::from_str::<Vec<String>>(line).expect("a call"));
        calls.filter(|call| !call[1].starts_with("describe")).map(|call| call.join(" ")).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command();
        let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/aws_cli");
        let old = std::env::var_os("PATH").unwrap_or_default();
        let places = [stand_in].into_iter().chain(std::env::split_paths(&old));
        command.env("PATH", std::env::join_paths(places).expect("a path"));
        command.env("AWS_STAND_IN", self.dir.path());
        command
            .arg("rollout")
            .args(arguments)
            .arg("--config")
            .arg(self.dir.path().join("rollout.toml"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a `weir rollout …` to its end; returns how it ended and what it said.
    pub async fn run(&self, arguments: &[&str]) -> (ExitStatus, String) {
        self.run_until(arguments, |_| false).await
    }

    /// The same, killed as soon as the account is as wanted.
    pub async fn run_until(
        &self,
        arguments: &[&str],
        wanted: impl Fn(&Value) -> bool,
    ) -> (ExitStatus, String) {
        let log = self.dir.path().join("rollout.out");
        let out = File::create(&log).expect("a log");
        let mut command = self.command(arguments);
        command.stdout(out.try_clone().expect("a second handle")).stderr(out);
        let mut child = command.spawn().expect("weir can be started");
        let waiting = Waiting::until("the rollout ends", Duration::from_secs(90));
        loop {
            if let Some(status) = child.try_wait().expect("our own child can be waited for") {
                return (status, fs::read_to_string(&log).unwrap_or_default());
            }
            if wanted(&self.state()) {
                child.kill().expect("our own child can be killed");
            }
            waiting.look_again().await;
        }
    }
}

fn state(path: &Path) -> Value {
    let text = fs::read(path).expect("the state can be read");
    serde_json::from_slice(&text).expect("the state is JSON")
}

/// An instance that has as many requests between two questions as its weight says.
fn instance(path: PathBuf, arn: &'static str, behaviour: Behaviour) -> App {
    let requests = Arc::new(AtomicU64::new(0));
    let metrics = async move || {
        let weight = state(&path)["weights"][arn].as_u64().expect("a weight");
        let all = requests.fetch_add(20 * weight, Ordering::Relaxed) + 20 * weight;
        let failed = all * behaviour.failing / 100;
        let series = |status: &str, count: u64| {
            format!(
                "weir_http_request_seconds_bucket{{listener=\"public\",status=\"{status}\",le=\"0.005\"}} {count}\n\
                 weir_http_request_seconds_bucket{{listener=\"public\",status=\"{status}\",le=\"0.05\"}} {count}\n\
                 weir_http_request_seconds_count{{listener=\"public\",status=\"{status}\"}} {count}\n"
            )
        };
        format!(
            "weir_build_info{{version=\"0.1.0\",projection=\"p\"}} 1\nweir_start_time_seconds 5\n\
             weir_nats_connected 1\nweir_relay_lag_events {}\n{}{}",
            behaviour.behind,
            series("2xx", all - failed),
            series("5xx", failed)
        )
    };
    let ready = || async { "{\"status\":\"ready\",\"roles\":[]}" };
    App::new(Router::new().route("/metrics", get(metrics)).route("/health/ready", get(ready)))
}

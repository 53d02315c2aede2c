//! A real nginx of a test's own, in front of two places; killed and removed when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::holds_within;
use super::ports::free_port;

/// A running nginx.
pub struct Nginx {
    dir: PathBuf,
    port: u16,
    program: PathBuf,
    child: Child,
}

impl Nginx {
    /// Starts one that passes requests to the upstream that `$weir_version` names; says so, and returns none,
    /// where there is no nginx.
    pub fn start(dir: &Path) -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "nginx is missing: run scripts/setup");
            println!("SKIPPED: no nginx; scripts/setup installs it");
            return None;
        };
        let port = free_port();
        let split = dir.join("split.conf");
        // Nothing is live before the first rollout.
        let nothing = "upstream weir_none { server 127.0.0.1:9; }\n\
            split_clients \"$request_id\" $weir_version { * weir_none; }\n";
        fs::write(&split, nothing).expect("the split can be written");
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {}/{name};\n", dir.display()))
            .concat();
        let config = format!(
            "daemon off;\nworker_processes 2;\npid {dir}/nginx.pid;\nerror_log {dir}/nginx.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{\naccess_log off;\n{temporary}include {split};\n\
             server {{ listen 127.0.0.1:{port};\n\
             location / {{ proxy_pass http://$weir_version; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_set_header Host $host; }} }} }}\n",
            dir = dir.display(),
            split = split.display(),
        );
        fs::write(dir.join("nginx.conf"), config).expect("the configuration can be written");
        let child = command(&program, dir).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let nginx =
            Self { dir: dir.to_owned(), port, program, child: child.expect("nginx starts") };
        let runs =
            || fs::read_to_string(nginx.dir.join("nginx.pid")).is_ok_and(|pid| !pid.is_empty());
        assert!(holds_within(Duration::from_secs(10), runs), "nginx does not start");
        Some(nginx)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a rollout writes.
    pub fn split(&self) -> PathBuf {
        self.dir.join("split.conf")
    }

    /// The command that does something with this nginx, as TOML.
    pub fn command(&self, flags: &[&str]) -> String {
        let config = self.dir.join("nginx.conf").display().to_string();
        let program = self.program.display().to_string();
        let words: Vec<&str> =
            [&*program, "-c", &config].into_iter().chain(flags.iter().copied()).collect();
        format!("{words:?}")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.join("nginx.log")).unwrap_or_default();
            eprintln!("nginx's log:\n{log}");
        }
    }
}

fn command(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-c").arg(dir.join("nginx.conf"));
    command
}

fn program() -> Option<PathBuf> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    // Debian has it where only root looks.
    let places = std::env::split_paths(&places).chain(["/usr/sbin".into()]);
    places.map(|place| place.join("nginx")).find(|program| program.is_file())
}

//! A real nats-server of a test's own: free ports, its own directory, killed and removed when dropped.
//!
//! The binary is `WEIR_NATS_SERVER`, else `.tools/bin/nats-server` in the repository, else the PATH's.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::Context;
use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ports::free_port;
use super::{eventually, holds_within};

/// Messages that are read at once when a stream is looked at.
const LOOKS: usize = 64;

/// A running, or stopped, server.
pub struct NatsServer {
    dir: TempDir,
    port: u16,
    monitor_port: u16,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts a server that syncs before it acknowledges.
    pub fn start() -> Self {
        Self::with_sync("always")
    }

    /// Starts a server with the given `sync_interval`.
    pub fn with_sync(sync: &str) -> Self {
        Self::configured(sync, "")
    }

    /// Starts a server with more lines in its configuration, as for authorization or TLS.
    pub fn with_config(extra: &str) -> Self {
        Self::configured("always", extra)
    }

    fn configured(sync: &str, extra: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the server");
        let (port, monitor_port) = (free_port(), free_port());
        let mut server = Self { dir, port, monitor_port, child: None };
        server.write_config(sync, extra);
        server.restart();
        server
    }

    /// Has the killed server start with other lines in its configuration.
    pub fn reconfigure(&mut self, extra: &str) {
        assert!(self.child.is_none(), "the configuration is changed only while the server is down");
        self.write_config("always", extra);
    }

    /// Has the running server take other lines in its configuration, without a restart.
    pub fn reload(&self, extra: &str) {
        self.write_config("always", extra);
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), Signal::HUP).expect("our own child can be signalled");
    }

    fn write_config(&self, sync: &str, extra: &str) {
        let (port, monitor_port, store) = (self.port, self.monitor_port, self.store());
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor_port}\"\nmax_payload: 1MB\n\
             jetstream {{ store_dir: \"{}\", sync_interval: {sync}, max_file_store: 50GB, max_memory_store: 1GB }}\n\
             {extra}\n",
            store.display()
        );
        fs::write(self.dir.path().join("nats.conf"), config).expect("the configuration is written");
    }

    /// Returns the URL for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns the monitoring address.
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// Connects a producer of its own.
    pub async fn jetstream(&self) -> Context {
        jetstream(&self.url()).await
    }

    /// Kills the server as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Stops the server in good order: it writes down what its consumers know.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_process(Pid::from_child(&child), Signal::TERM)
                .expect("our own child can be signalled");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Has the server do nothing until it is killed.
    pub fn freeze(&self) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), Signal::STOP).expect("our own child can be signalled");
        let stat = format!("/proc/{}/stat", child.id());
        let stopped = || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
        assert!(holds_within(Duration::from_secs(5), stopped), "the server does not freeze");
    }

    /// Starts the killed server again on the same ports and files.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let log =
            fs::File::options().create(true).append(true).open(self.log_path()).expect("a log");
        let child = Command::new(binary())
            .arg("-c")
            .arg(self.dir.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server starts: set WEIR_NATS_SERVER or run scripts/setup");
        self.child = Some(child);
    }

    /// Copies the killed server's files aside.
    pub fn save_files(&self) -> TempDir {
        assert!(self.child.is_none(), "files are copied only while the server is down");
        let copy = tempfile::tempdir().expect("a directory for the copy");
        copy_dir(&self.store(), copy.path());
        copy
    }

    /// Replaces the killed server's files by a copy.
    pub fn restore_files(&self, copy: &Path) {
        assert!(self.child.is_none(), "files are replaced only while the server is down");
        fs::remove_dir_all(self.store()).expect("the files can be removed");
        copy_dir(copy, &self.store());
    }

    /// Replaces the messages of one stream by those of a copy; what its consumers know stays.
    pub fn restore_messages(&self, copy: &Path, stream: &str) {
        assert!(self.child.is_none(), "files are replaced only while the server is down");
        let messages = Path::new("jetstream/$G/streams").join(stream).join("msgs");
        let (from, to) = (copy.join(&messages), self.store().join(&messages));
        fs::remove_dir_all(&to).expect("the messages can be removed");
        copy_dir(&from, &to);
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("nats.log")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!(
                "the server's log:\n{}",
                fs::read_to_string(self.log_path()).unwrap_or_default()
            );
        }
    }
}

/// Says whether the server takes a configuration file.
pub fn accepts(config: &Path) -> bool {
    let checked = Command::new(binary()).arg("-t").arg("-c").arg(config).output();
    checked.expect("nats-server starts").status.success()
}

/// Connects to a server's JetStream once it serves; its publishes are told within two seconds.
pub async fn jetstream(url: &str) -> Context {
    let connect = async || async_nats::connect(url).await.ok();
    let client = eventually("the server can be reached", Duration::from_secs(20), connect).await;
    let mut context = async_nats::jetstream::new(client);
    context.set_timeout(Duration::from_secs(2));
    context
}

/// Returns the program that tests run.
pub fn binary() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin/nats-server");
    match std::env::var_os("WEIR_NATS_SERVER") {
        Some(path) => path.into(),
        None if installed.exists() => installed,
        None => "nats-server".into(),
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory can be made");
    for entry in fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("the entry can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it has a type").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("the file can be copied");
        }
    }
}

/// One message of the stream, read past weir's own code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub sequence: u64,
    pub subject: String,
    /// Its `Nats-Msg-Id`, empty if it has none.
    pub message_id: String,
    pub payload: String,
}

/// One that waits longer: a whole log is read on a machine that is busy.
pub fn patient(context: &Context) -> Context {
    let mut patient = context.clone();
    patient.set_timeout(Duration::from_secs(30));
    patient
}

/// Returns everything the stream of events holds, in its order.
pub async fn stored(context: &Context) -> Vec<Stored> {
    let mut stream = patient(context).get_stream("EVENTS").await.expect("the stream is there");
    let state = stream.info().await.expect("the stream answers").state.clone();
    let reading =
        futures_util::stream::iter(state.first_sequence..=state.last_sequence).map(|sequence| {
            let stream = &stream;
            async move {
                let message = stream.direct_get(sequence).await.expect("the message is there");
                let id = message.headers.get("Nats-Msg-Id").map_or("", |value| value.as_str());
                Stored {
                    sequence,
                    subject: message.subject.to_string(),
                    message_id: id.to_owned(),
                    payload: String::from_utf8_lossy(&message.payload).into_owned(),
                }
            }
        });
    reading.buffered(LOOKS).collect().await
}

/// Has everything that waits in RETRY be due now, as if its time had passed.
pub async fn hurry_retries(context: &Context) {
    let Ok(mut stream) = context.get_stream("RETRY").await else { return };
    let state = stream.info().await.expect("the stream answers").state.clone();
    for sequence in state.first_sequence..=state.last_sequence {
        // Most sequences are gone by now.
        let Ok(message) = stream.get_raw_message(sequence).await else { continue };
        if message.subject.starts_with("retry.wait.") {
            let mut headers = message.headers.clone();
            let now = OffsetDateTime::now_utc().format(&Rfc3339).expect("a time");
            headers.insert("Nats-Schedule", format!("@at {now}").as_str());
            let sent = context.publish_with_headers(message.subject, headers, message.payload);
            sent.await.expect("it is sent").await.expect("it is stored");
        }
    }
}

/// Tells what RETRY holds and what its consumers wait for, for whoever finds that it does not empty.
pub async fn retry_told(context: &Context) -> String {
    let Ok(mut stream) = context.get_stream("RETRY").await else { return "no RETRY".into() };
    let state = stream.info().await.expect("the stream answers").state.clone();
    let mut told = format!("RETRY: {state:?}\n");
    for sequence in state.first_sequence..=state.last_sequence {
        let Ok(message) = stream.get_raw_message(sequence).await else { continue };
        let headers = format!("{:?}", message.headers);
        let _ = writeln!(told, "{sequence} {} {headers}", message.subject);
    }
    let mut consumers = stream.consumers();
    while let Some(Ok(consumer)) = consumers.next().await {
        let _ = writeln!(told, "{consumer:?}");
    }
    told
}

//! Stands where systemd does: hears what a weir tells of itself, line by line.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::PATIENCE;
use super::eventually;

/// Ends the thread that hears; weir tells no such thing.
const END: &str = "END";

/// What was heard, and when.
pub struct Heard {
    dir: TempDir,
    watchdog: Duration,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    hearing: Option<JoinHandle<()>>,
}

impl Heard {
    /// Listens, and asks for a sign of life at least so often.
    pub fn new(watchdog: Duration) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the socket");
        let socket = UnixDatagram::bind(dir.path().join("notify")).expect("a socket");
        let lines = Arc::<Mutex<Vec<(Instant, String)>>>::default();
        let kept = lines.clone();
        let hearing = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = socket.recv(&mut buffer).expect("a datagram");
                let text = String::from_utf8(buffer[..length].to_vec()).expect("UTF-8");
                if text == END {
                    return;
                }
                let now = Instant::now();
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(text.lines().map(|line| (now, line.to_owned())));
            }
        });
        Self { dir, watchdog, lines, hearing: Some(hearing) }
    }

    pub fn path(&self) -> String {
        self.dir.path().join("notify").display().to_string()
    }

    pub fn watchdog(&self) -> Duration {
        self.watchdog
    }

    /// Everything heard so far.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// How often a line was heard that begins so.
    pub fn count(&self, beginning: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// Where the first line stands that begins so.
    #[track_caller]
    pub fn place(&self, beginning: &str) -> usize {
        let lines = self.lines();
        let place = lines.iter().position(|line| line.starts_with(beginning));
        place.unwrap_or_else(|| panic!("{beginning} was not told: {lines:?}"))
    }

    /// When a line was last heard that begins so.
    pub fn last(&self, beginning: &str) -> Option<Instant> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().find(|(_, line)| line.starts_with(beginning)).map(|(at, _)| *at)
    }

    /// The longest time between two lines that begin so.
    pub fn longest_pause(&self, beginning: &str) -> Duration {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let times: Vec<Instant> = lines
            .iter()
            .filter(|(_, line)| line.starts_with(beginning))
            .map(|(at, _)| *at)
            .collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// Waits until so many lines were heard that begin so.
    pub async fn hears(&self, count: usize, beginning: &str) {
        let what = format!("{count} times {beginning}");
        eventually(&what, PATIENCE, async || (self.count(beginning) >= count).then_some(())).await;
    }

    /// Waits until a status was told that contains a text.
    pub async fn hears_status(&self, text: &str) {
        let told = async || {
            let lines = self.lines();
            let mut told = lines.iter().filter(|line| line.starts_with("STATUS="));
            told.any(|line| line.contains(text)).then_some(())
        };
        eventually(&format!("a status with {text}"), PATIENCE, told).await;
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let socket = UnixDatagram::unbound().expect("a socket");
        socket.send_to(END.as_bytes(), self.path()).ok();
        if let Some(hearing) = self.hearing.take() {
            hearing.join().ok();
        }
        if std::thread::panicking() {
            eprintln!("what was told: {:#?}", self.lines());
        }
    }
}

//! Where a job that is watched is shown: a bar on a terminal, lines for machines.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::text::progress_line;
use crate::replay::Job;

/// Shows a job that changes.
pub(super) trait Screen {
    /// Shows it as it is now; called only when it has changed.
    fn show(&mut self, job: &Job) -> io::Result<()>;
    /// Tells something that is not of the job.
    fn say(&mut self, text: &str);
}

/// How often the bar moves while nothing changes.
const TICK: Duration = Duration::from_millis(120);

/// A bar that stays in one line of a terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub fn new() -> Self {
        let bar = ProgressBar::no_length();
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Screen for Bar {
    fn show(&mut self, job: &Job) -> io::Result<()> {
        let template = if job.range.is_empty() { "{spinner} {msg}" } else { "{bar:24} {msg}" };
        let style = ProgressStyle::with_template(template).map_err(io::Error::other)?;
        self.0.set_style(style);
        self.0.set_length(job.range.len());
        self.0.set_position(job.read());
        self.0.set_message(progress_line(job));
        Ok(())
    }

    fn say(&mut self, text: &str) {
        self.0.suspend(|| eprintln!("{text}"));
    }
}

/// The job as one JSON a line on standard output.
pub(super) struct Lines;

impl Screen for Lines {
    fn show(&mut self, job: &Job) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, job)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    fn say(&mut self, text: &str) {
        eprintln!("{text}");
    }
}

/// Takes a bar for a person at a terminal, lines otherwise.
pub(super) fn screen(json: bool) -> Box<dyn Screen> {
    if !json && io::stdout().is_terminal() { Box::new(Bar::new()) } else { Box::new(Lines) }
}

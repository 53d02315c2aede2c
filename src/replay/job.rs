//! What is written of a job: one document in KV, which is all that a worker needs to go on with it. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::request::Request;
use super::state::{IllegalMove, Move, State};
use crate::event::format_ms;
use crate::generation::GenerationId;
use crate::limits::JOB_LIVE_LAG;
use crate::stream::Mark;

/// What a job does.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Applies a range of the log again to a generation that there is.
    Replay,
    /// Makes a new generation from the log.
    Rebuild,
    /// Has live go on at the newest event; the job is the gap.
    Jump,
    /// Compares a generation with the log.
    Verify,
    /// Has parked events tried again.
    Redrive,
    Promote,
    Rollback,
    Retire,
}

impl Verb {
    pub const ALL: [Self; 8] = [
        Self::Replay,
        Self::Rebuild,
        Self::Jump,
        Self::Verify,
        Self::Redrive,
        Self::Promote,
        Self::Rollback,
        Self::Retire,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Rebuild => "rebuild",
            Self::Jump => "jump",
            Self::Verify => "verify",
            Self::Redrive => "redrive",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Retire => "retire",
        }
    }

    /// Whether it changes which generation answers, or which there are.
    pub fn switches(self) -> bool {
        matches!(self, Self::Promote | Self::Rollback | Self::Retire)
    }

    /// Whether it applies a range of the log, and so ends with an account.
    pub fn applies(self) -> bool {
        matches!(self, Self::Replay | Self::Rebuild | Self::Jump)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A job's name: its verb, when it was asked for, and a few random digits; it sorts by time within a verb.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct JobId(pub String);

impl JobId {
    /// Makes one; `random` tells apart what is asked for in one second.
    pub fn new(verb: Verb, now_ms: i64, random: u32) -> Self {
        let time = format_ms(now_ms);
        let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
        let (day, second) = (digits(&time[..10]), digits(&time[11..19]));
        Self(format!("{verb}-{day}T{second}-{:04x}", random & 0xffff))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A range of the log: `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

impl Range {
    pub fn len(self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Which events of a range, or which parked events, are meant; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JobFilter)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Filter {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Of parked events: the reason as it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of parked events: first failed so long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than_ms: Option<u64>,
    /// Of parked events: the id begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// Of parked events: the error holds this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_text: Option<String>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What operators may change while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// Live lag that the job keeps, in milliseconds.
    pub live_lag_ms: u64,
    /// Most events a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
}

/// Who runs it. Only the worker that wrote the newest fence may write progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Rises whenever a worker takes the job.
    pub fence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The graph in memory that it was applied to: another one may lack what was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<u64>,
}

/// What became of the sequences that were read; every one counts in exactly one term.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Tally {
    /// Events that changed the graph.
    pub applied: u64,
    /// Events whose documents the graph held already, or greater ones.
    pub superseded: u64,
    /// Events that were not meant.
    pub filtered: u64,
    /// Events that can never be applied, and lie in PARKED.
    pub parked: u64,
    /// Sequences at which the log holds nothing.
    pub missing: u64,
}

impl Tally {
    /// Messages that were read.
    pub fn scanned(&self) -> u64 {
        self.applied + self.superseded + self.filtered + self.parked
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.applied += other.applied;
        self.superseded += other.superseded;
        self.filtered += other.filtered;
        self.parked += other.parked;
        self.missing += other.missing;
    }
}

/// A part of the range, with the place where it goes on and what became of everything before: one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chunk {
    pub from: u64,
    pub to: u64,
    /// The next sequence to read; `to` at the end.
    pub next: u64,
    #[serde(flatten)]
    pub tally: Tally,
    /// Sequences at which nothing was (both inclusive), the first of them; the tally counts all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<(u64, u64)>,
    /// The last message that was taken: where another one stands, the log is not the one that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Mark>,
}

impl Chunk {
    pub fn new(from: u64, to: u64) -> Self {
        Self { from, to, next: from, tally: Tally::default(), gaps: Vec::new(), last: None }
    }

    pub fn is_read(&self) -> bool {
        self.next >= self.to
    }
}

/// Why the log holds nothing at a sequence.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MissingWhy {
    /// Deleted on purpose: the server knows of it.
    Erased,
    /// Before the log's first message.
    Trimmed,
    /// Nobody knows.
    Lost,
}

/// Sequences at which the log holds nothing (both inclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    pub from: u64,
    pub through: u64,
    pub why: MissingWhy,
}

/// How fast it goes, as of the last checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Pace {
    /// Events a second of late.
    pub rate: f64,
    /// What the governor allows a second; absent while it holds nothing back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<f64>,
    /// Live lag, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_lag_ms: Option<f64>,
    /// Seconds until the range is read at this rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// Seconds of work so far, over all workers.
    pub seconds: f64,
}

/// A document that differs from what the log says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Difference)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub collection: String,
    pub key: String,
    /// `missing`, `extra`, `other_body`, `pending` or `unprovable`.
    pub what: String,
    /// The version by the log; absent if it holds no such document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_version: Option<u64>,
    /// The newest events behind it, by sequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<u64>,
}

/// What a verification came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// Through which sequence (inclusive) the log was compared.
    pub through: u64,
    /// Documents by the log, and in the graph.
    pub expected_documents: u64,
    pub found_documents: u64,
    /// The digest of what the log says, and of what the graph holds; of one moment only if no events came meanwhile.
    pub expected_digest: String,
    pub found_digest: String,
    pub missing: u64,
    pub extra: u64,
    pub other_body: u64,
    /// Documents of events that wait in RETRY or lie in PARKED.
    pub pending: u64,
    /// Documents of events that the log does not hold any more.
    pub unprovable: u64,
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
    pub seconds: f64,
}

impl Report {
    /// Documents that are not as the log says.
    pub fn differences(&self) -> u64 {
        self.missing + self.extra + self.other_body
    }
}

/// What became of parked events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Redriven {
    /// On the list when the job was planned.
    pub listed: u64,
    /// On their way to be tried again.
    pub redriven: u64,
    /// Changed by somebody else meanwhile.
    pub passed_over: u64,
    /// Not tried, since only a part of them is kept.
    pub cut: u64,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: JobId,
    pub verb: Verb,
    pub generation: GenerationId,
    pub state: State,
    /// Why it failed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The epoch of the log that the range is of.
    pub epoch: String,
    /// The projection that a rebuild is made with: a worker with another one leaves it to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub range: Range,
    pub control: Control,
    /// What was asked for, by whom and why.
    pub request: Request,
    pub created_ms: i64,
    pub changed_ms: i64,
    #[serde(default)]
    pub run: Run,
    #[serde(default)]
    pub pace: Pace,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
    /// Over all chunks, as of the last checkpoint.
    #[serde(default)]
    pub tally: Tally,
    /// The gaps with their reasons, once the range is read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redriven: Option<Redriven>,
}

impl Job {
    /// A job that is planned and begun by nobody.
    pub fn of(
        request: Request,
        generation: GenerationId,
        range: Range,
        epoch: &str,
        now_ms: i64,
    ) -> Self {
        Self {
            id: JobId::new(request.verb, now_ms, uuid::Uuid::now_v7().as_u128() as u32),
            verb: request.verb,
            generation,
            state: State::Planned,
            note: None,
            epoch: epoch.to_owned(),
            fingerprint: None,
            range,
            control: Control {
                live_lag_ms: request.live_lag_ms.unwrap_or(JOB_LIVE_LAG),
                rate: request.rate,
            },
            request,
            created_ms: now_ms,
            changed_ms: now_ms,
            run: Run::default(),
            pace: Pace::default(),
            chunks: Vec::new(),
            tally: Tally::default(),
            missing: Vec::new(),
            report: None,
            redriven: None,
        }
    }

    /// Makes a move, or says that the table does not have it.
    pub fn make(&mut self, what: Move, now_ms: i64) -> Result<(), IllegalMove> {
        self.state = self.state.after(what, self.verb)?;
        self.changed_ms = now_ms;
        Ok(())
    }

    /// Sequences that are dealt with, of `range.len()`.
    pub fn read(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.next.saturating_sub(chunk.from)).sum()
    }
}

//! Verifies one generation: the log is folded, the graph scanned, and what differs named.

use tokio::time::{Instant, sleep};

use super::behind::Behind;
use super::compare::{Comparison, Judged, Known, What};
use super::error::VerifyError;
use super::pending::{Aside, Pending};
use super::scan::scan;
use super::shadow::Shadow;
use crate::generation::GenerationId;
use crate::limits::{LOG_RETRY, VERIFY_STANDSTILL};
use crate::replay::ground::{Graph, Ground};
use crate::replay::job::{Found, Job, Report};
use crate::replay::pacer::Pacer;
use crate::replay::pass::{Lens, Pass};
use crate::stream::{Epoch, EventLog, StoredMessage};

/// Called with what is done and what there is to do, in no particular unit.
type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// Compares a generation's graph with the log, while events flow; see [`super::compare`] for why that is exact.
///
/// The log is compared through its end of now, or, of a generation as of a place, up to there. The graph is
/// not changed. It holds some 50 to 100 bytes of memory a document.
pub async fn verify<G: Ground>(
    log: &EventLog,
    ground: &G,
    job: &Job,
    graph: &Graph,
    aside: &Aside,
    progress: Progress<'_>,
) -> Result<Report, VerifyError> {
    verify_paced(log, ground, job, graph, aside, progress, None).await
}

/// The same, with what is read of the log paced.
pub(in crate::replay) async fn verify_paced<G: Ground>(
    log: &EventLog,
    ground: &G,
    job: &Job,
    graph: &Graph,
    aside: &Aside,
    progress: Progress<'_>,
    pacer: Option<&Pacer>,
) -> Result<Report, VerifyError> {
    let begun = Instant::now();
    let scope = Scope::of(log, ground, job, graph.id).await?;
    let lens = Lens { decoder: &graph.decoder, projection: &graph.projection };
    let mut verification = Verification { log, graph, lens, scope, progress, pacer };
    let mut pass = Pass::new(log, &verification.scope.epoch, verification.scope.through);
    // First, so that nothing has been read for nothing if live stands still.
    verification.wait_for_live(ground).await?;
    let shadow = verification.fold(&mut pass).await?;

    let mut report = Report {
        through: verification.scope.through,
        expected_documents: shadow.len(),
        expected_digest: shadow.digest().to_string(),
        ..Report::default()
    };
    let mut pending = Pending::new(lens);
    pending.list(aside, graph.id.number()).await?;
    let mut comparison = verification.scan(shadow).await?;
    pending.list(aside, graph.id.number()).await?;
    report.found_documents = comparison.documents;
    report.found_digest = comparison.digest.to_string();

    verification.take_later(&mut pass, &mut comparison).await?;
    let whole = pass.is_whole();
    let pending = pending.documents;
    // Millions of documents are gone through, which no other task should wait for.
    let judging = move || comparison.judge(Known { pending: &pending, whole });
    let judged = tokio::task::spawn_blocking(judging).await.map_err(|_| VerifyError::Ending)?;
    count(&judged, &mut report);
    report.found = verification.name(judged).await?;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// What is compared.
struct Scope {
    epoch: Epoch,
    /// Through this sequence (inclusive).
    through: u64,
    /// Whether live follows the log into the graph.
    follows: bool,
}

struct Verification<'a> {
    log: &'a EventLog,
    graph: &'a Graph,
    lens: Lens<'a>,
    scope: Scope,
    progress: Progress<'a>,
    pacer: Option<&'a Pacer>,
}

impl Scope {
    async fn of<G: Ground>(
        log: &EventLog,
        ground: &G,
        job: &Job,
        id: GenerationId,
    ) -> Result<Self, VerifyError> {
        let view = ground.generations().read().await?;
        let record = view.generations.get(&id).ok_or(VerifyError::NoGeneration(id))?;
        let state = log.state().await?;
        let epoch = state.epoch.ok_or(VerifyError::NoEpoch)?;
        if job.epoch != epoch.as_str() {
            return Err(VerifyError::OtherLog { job: job.epoch.clone(), log: epoch.0 });
        }
        let end = record.as_of.map_or(u64::MAX, |as_of| as_of.saturating_sub(1));
        let through = state.last_sequence.min(end);
        Ok(Self { epoch, through, follows: record.as_of.is_none() })
    }
}

impl Verification<'_> {
    /// Reads the log and folds it. Half of the way.
    async fn fold(&mut self, pass: &mut Pass) -> Result<Shadow, VerifyError> {
        let mut shadow = Shadow::default();
        let types = self.lens.projection.types();
        while let Some(messages) = pass.next().await? {
            self.lens.project(&messages, &self.scope.epoch, |_, _, puts| {
                puts.iter().for_each(|put| shadow.fold(put, types));
            });
            let read = messages.last().map_or(0, |last| last.sequence);
            (self.progress)(read, 2 * self.scope.through);
            pace(self.pacer, &messages).await;
        }
        Ok(shadow)
    }

    /// What live has not applied or set aside yet would be told as missing. Nothing is done of it all meanwhile.
    async fn wait_for_live<G: Ground>(&mut self, ground: &G) -> Result<(), VerifyError> {
        let wanted = self.scope.through;
        let (mut best, mut since) = (0, Instant::now());
        if !self.scope.follows {
            return Ok(());
        }
        loop {
            (self.progress)(0, 2 * wanted);
            let through = ground.live(self.graph.id).await?.through;
            if through >= wanted {
                return Ok(());
            }
            if through > best {
                (best, since) = (through, Instant::now());
            }
            if since.elapsed() > VERIFY_STANDSTILL {
                return Err(VerifyError::Behind { through, wanted });
            }
            sleep(LOG_RETRY).await;
        }
    }

    async fn scan(&mut self, shadow: Shadow) -> Result<Comparison, VerifyError> {
        let (half, expected) = (self.scope.through, shadow.len());
        let mut comparison = Comparison::new(shadow);
        let progress = &mut *self.progress;
        let mut each = |documents: u64| {
            if documents.is_multiple_of(4096) {
                let part = documents as f64 / expected.max(documents) as f64;
                progress(half + (half as f64 * part) as u64, 2 * half);
            }
        };
        let types = self.graph.projection.types();
        scan(&self.graph.target, &mut comparison, types, &mut each).await?;
        Ok(comparison)
    }

    /// Reads on through what has come since, if it could explain anything.
    async fn take_later(
        &mut self,
        pass: &mut Pass,
        comparison: &mut Comparison,
    ) -> Result<(), VerifyError> {
        if !self.scope.follows || !comparison.wants_later() {
            return Ok(());
        }
        self.scope.through = self.log.state().await?.last_sequence.max(self.scope.through);
        pass.extend(self.scope.through);
        let types = self.lens.projection.types();
        while let Some(messages) = pass.next().await? {
            self.lens.project(&messages, &self.scope.epoch, |_, _, puts| {
                puts.iter().for_each(|put| comparison.later(put, types));
            });
            pace(self.pacer, &messages).await;
        }
        Ok(())
    }

    /// Reads the log again for the events behind what differs.
    async fn name(&mut self, judged: Judged) -> Result<Vec<Found>, VerifyError> {
        let mut behind = Behind::new(judged.first);
        if behind.is_empty() {
            return Ok(Vec::new());
        }
        let types = self.lens.projection.types();
        let mut pass = Pass::new(self.log, &self.scope.epoch, self.scope.through);
        while let Some(messages) = pass.next().await? {
            self.lens.project(&messages, &self.scope.epoch, |message, _, puts| {
                puts.iter().for_each(|put| behind.take(message.sequence, put, types));
            });
            pace(self.pacer, &messages).await;
        }
        Ok(behind.found())
    }
}

async fn pace(pacer: Option<&Pacer>, messages: &[StoredMessage]) {
    if let Some(pacer) = pacer {
        pacer.pace(messages.len() as u64).await;
    }
}

fn count(judged: &Judged, report: &mut Report) {
    report.missing = judged.count(What::Missing);
    report.extra = judged.count(What::Extra);
    report.other_body = judged.count(What::OtherBody);
    report.pending = judged.count(What::Pending);
    report.unprovable = judged.count(What::Unprovable);
}

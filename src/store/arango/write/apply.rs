//! The shell of writing: sends what was grouped, and goes on until every put has its verdict.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures_util::future::join_all;

use super::answer::{Outcome, read};
use super::group::{Batch, Members, batches, group};
use super::known::vertex_hash;
use super::settle::{Again, settle};
use crate::graph::{Collection, Put};
use crate::limits::ARANGO_RETRY_PAUSE;
use crate::store::arango::ArangoStore;
use crate::store::arango::classify::Finding;
use crate::store::{Failure, Remedy, Verdict};
use crate::telemetry::names;

impl ArangoStore {
    /// Writes puts: vertices first, each collection's in requests of their own, all at once.
    ///
    /// An edge is written even if its vertex failed, and is judged by itself: ArangoDB does not ask whether
    /// its ends exist, and the vertex comes with the same event when that is tried again.
    pub(in crate::store::arango) async fn write_puts(&self, puts: &[Put<'_>]) -> Vec<Verdict> {
        let (era, skip) = self.known().skip(puts);
        let mut places = skip.iter();
        let groups = group(puts, |_| !places.next().is_some_and(|skip| *skip));
        let mut verdicts: Vec<Option<Verdict>> = vec![None; puts.len()];
        self.write_groups(puts, &groups.vertices, &mut verdicts).await;
        let exist = groups.vertices.iter().flat_map(|(_, members)| members);
        let exist = exist.filter(|place| verdicts[**place].as_ref().is_some_and(Verdict::holds));
        self.known().learn(era, exist.filter_map(|place| vertex_hash(&puts[*place])));
        self.write_groups(puts, &groups.edges, &mut verdicts).await;
        if verdicts.iter().flatten().any(is_gone) {
            self.forget_known();
        }
        count(&skip, &verdicts);
        let known = skip.into_iter().map(|skip| skip.then_some(Verdict::Superseded));
        verdicts
            .into_iter()
            .zip(known)
            .map(|(told, known)| told.or(known).unwrap_or_else(unsaid))
            .collect()
    }

    async fn write_groups(
        &self,
        puts: &[Put<'_>],
        groups: &[(Collection, Members)],
        verdicts: &mut [Option<Verdict>],
    ) {
        let requests = groups
            .iter()
            .flat_map(|(collection, members)| batches(puts, *collection, members))
            .map(|batch| self.write_batch(puts, batch));
        for (place, verdict) in join_all(requests).await.into_iter().flatten() {
            verdicts[place] = Some(verdict);
        }
    }

    /// Sends one request, and what its answers ask to be sent again, until all of it is settled.
    async fn write_batch(&self, puts: &[Put<'_>], batch: Batch) -> Vec<(usize, Verdict)> {
        let Batch { collection, members, body } = batch;
        let mut done = Vec::with_capacity(members.len());
        let answer = self.send(collection, members.len(), body).await;
        let first = settle(&members, 1, answer);
        done.extend(first.done);
        let mut todo = first.again;
        while let Some(Again { members, attempt, pause }) = todo.pop() {
            if pause {
                tokio::time::sleep(pause_before(attempt)).await;
            }
            // Fewer than fitted before: always one request.
            for Batch { members, body, .. } in batches(puts, collection, &members) {
                let answer = self.send(collection, members.len(), body).await;
                let settled = settle(&members, attempt, answer);
                done.extend(settled.done);
                todo.extend(settled.again);
            }
        }
        done
    }

    async fn send(
        &self,
        collection: Collection,
        documents: usize,
        body: String,
    ) -> Result<Vec<Outcome>, Finding> {
        let name = collection.name(self.types());
        let path = format!(
            "_api/document/{name}?overwriteMode=replace&versionAttribute=version&waitForSync=true&keepNull=true&returnOld=false&returnNew=false"
        );
        let answer = self.database().write(&path, body).await?;
        read(answer.status().as_u16(), answer.body(), documents)
    }
}

/// Whether a collection or the database was not there: what is made anew in its place is empty.
fn is_gone(verdict: &Verdict) -> bool {
    let gone = |code: &str| matches!(code, "arango_1203" | "arango_1228");
    matches!(verdict, Verdict::Failed(failure) if gone(&failure.code))
}

/// Cannot happen: every put is in one group, and every group is settled. Failing is the safe side of a defect.
fn unsaid() -> Verdict {
    let text = "weir lost track of this put: this is a defect of weir".to_owned();
    Verdict::Failed(Failure { remedy: Remedy::Retry, code: "unsettled".to_owned(), text })
}

/// Half to one and a half of the mean, doubled with each attempt after the first.
fn pause_before(attempt: u32) -> Duration {
    let random = RandomState::new().hash_one(attempt) as f64 / u64::MAX as f64;
    ARANGO_RETRY_PAUSE.mul_f64((0.5 + random) * f64::from(1u32 << (attempt.clamp(2, 12) - 2)))
}

fn count(skip: &[bool], verdicts: &[Option<Verdict>]) {
    let mut counts = [0u64; 4];
    for (skip, verdict) in skip.iter().zip(verdicts) {
        let slot = match verdict {
            _ if *skip => 0,
            Some(Verdict::Applied) => 1,
            Some(Verdict::Superseded) => 2,
            Some(Verdict::Failed(_)) | None => 3,
        };
        counts[slot] += 1;
    }
    let told = ["known", "applied", "superseded", "failed"].into_iter().zip(counts);
    for (outcome, count) in told.filter(|(_, count)| *count > 0) {
        metrics::counter!(names::ARANGO_PUTS, "outcome" => outcome).increment(count);
    }
}

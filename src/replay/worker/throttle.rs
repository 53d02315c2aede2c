//! Holds a job back beside live: looks at live's lag, has the governor decide, and sets the pacer that the job's
//! work goes through.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;

use super::hand::Hand;
use crate::replay::governor::Governor;
use crate::replay::ground::{Ground, Live, Unready};
use crate::replay::job::{Control, Job, JobId, Pace};
use crate::replay::jobs::JobsWatch;
use crate::replay::pacer::Pacer;

/// How often live lag is looked at and the rate decided.
const LOOK: Duration = Duration::from_millis(250);
/// How long live may take to tell its lag.
const SILENCE: Duration = Duration::from_secs(1);
/// How much of the measured rate is of the last look.
const SMOOTHING: f64 = 0.5;
/// Of what is allowed, what is done if the governor holds it back.
const HELD_BACK: f64 = 0.8;

/// The pacer of a job, which is set for as long as this lives.
pub(super) struct Throttle {
    pub pacer: Arc<Pacer>,
    looked: watch::Receiver<Looked>,
    began: Instant,
    seconds_before: f64,
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// How it went as of the last look.
#[derive(Debug, Clone, Copy)]
struct Looked {
    rate: f64,
    allowed: f64,
    live_lag_ms: Option<f64>,
    is_at_its_end: bool,
}

impl Throttle {
    pub fn start<G: Ground>(hand: &Hand<G>, job: &Job) -> Self {
        let governor = Governor::new(job.control);
        let pacer = Arc::new(Pacer::new(governor.allowed()));
        let first = Looked {
            rate: 0.0,
            allowed: governor.allowed(),
            live_lag_ms: None,
            is_at_its_end: false,
        };
        let (told, looked) = watch::channel(first);
        let (sender, lag) = watch::channel(None);
        let (watch, id) = (hand.watch.clone(), hand.id.clone());
        let operators = Operators { watch, id, fence: hand.fence };
        let looking = look_on(governor, pacer.clone(), operators, lag, told);
        let tasks =
            [tokio::spawn(poll_lag(hand.shared.ground.clone(), sender)), tokio::spawn(looking)]
                .map(AbortOnDropHandle::new);
        Self {
            pacer,
            looked,
            began: Instant::now(),
            seconds_before: job.pace.seconds,
            _tasks: tasks,
        }
    }

    /// Whether it goes as slowly as it ever does, and live lags too much all the same.
    pub fn is_at_its_end(&self) -> bool {
        self.looked.borrow().is_at_its_end
    }

    /// Tells how fast it goes, with so many events left.
    pub fn pace(&self, left: u64) -> Pace {
        let Looked { rate, allowed, live_lag_ms, .. } = *self.looked.borrow();
        Pace {
            rate: rate.round(),
            allowed: (rate >= HELD_BACK * allowed).then_some(allowed.round()),
            live_lag_ms: live_lag_ms.filter(|lag| lag.is_finite()),
            seconds_left: (rate > 1.0).then(|| (left as f64 / rate).ceil()),
            seconds: self.seconds_before + self.began.elapsed().as_secs_f64(),
        }
    }
}

/// Where operators change what a job may do.
struct Operators {
    watch: JobsWatch,
    id: JobId,
    fence: u64,
}

impl Operators {
    /// What is followed may be older than what was written when the job was taken.
    fn control(&self) -> Option<Control> {
        let job = self.watch.job(&self.id).filter(|job| job.run.fence >= self.fence);
        job.map(|job| job.control)
    }
}

/// Measures, and decides how fast it may go on; what operators change holds from the next look on.
async fn look_on(
    mut governor: Governor,
    pacer: Arc<Pacer>,
    operators: Operators,
    lag: watch::Receiver<Option<f64>>,
    told: watch::Sender<Looked>,
) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut at, mut done, mut smooth) = (Instant::now(), 0, 0.0);
    loop {
        ticks.tick().await;
        if let Some(control) = operators.control() {
            governor.set(control);
        }
        let (now, done_now) = (Instant::now(), pacer.done());
        let dt = now.duration_since(at).as_secs_f64().max(1e-3);
        let rate = (done_now - done) as f64 / dt;
        smooth += SMOOTHING * (rate - smooth);
        (at, done) = (now, done_now);
        let live_lag_ms = *lag.borrow();
        let allowed = governor.step(live_lag_ms, smooth.max(rate), dt);
        pacer.set(allowed);
        let is_at_its_end = governor.is_at_its_end();
        told.send_replace(Looked { rate: smooth, allowed, live_lag_ms, is_at_its_end });
    }
}

/// Asks again and again how much live lags in the generation that answers.
async fn poll_lag<G: Ground>(ground: G, lag: watch::Sender<Option<f64>>) {
    loop {
        let active = ground.generations().view().active_id();
        let live = tokio::time::timeout(SILENCE, ground.live(active)).await;
        lag.send_replace(lag_of(live.as_ref().ok()));
        tokio::time::sleep(LOOK).await;
    }
}

/// The lag as the governor takes it. A server that does not answer in time has more to do than it can, so that is
/// over any limit; that live cannot tell here says nothing.
fn lag_of(answered: Option<&Result<Live, Unready>>) -> Option<f64> {
    match answered {
        None => Some(f64::INFINITY),
        Some(Ok(live)) => Some(live.lag_ms),
        Some(Err(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_slows_and_not_knowing_holds() {
        let control = Control { live_lag_ms: 200, rate: None };
        let allowed = |answered: Option<Result<Live, Unready>>| {
            let mut governor = Governor::new(control);
            (governor.allowed(), governor.step(lag_of(answered.as_ref()), 20_000.0, 0.25))
        };
        let (before, silent) = allowed(None);
        assert!(silent <= before / 2.0);
        let (before, unready) = allowed(Some(Err(Unready::Later("soon".to_owned()))));
        assert!((unready - before).abs() < 1e-9);
        let live = Live { lag_ms: 5.0, through: 1, behind: 0 };
        let (before, well) = allowed(Some(Ok(live)));
        assert!(well > before);
    }
}

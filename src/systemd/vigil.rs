//! What to tell systemd at each look: a sign of life only while every loop shows one of its own. Pure.

use std::time::Duration;

use super::news::News;
use crate::limits::{START_EXTENSION, START_LONGEST};

/// What one look has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether everything is built, so that loops have begun.
    pub built: bool,
    /// Whether all duties can be done.
    pub ready: bool,
    /// The loops without a sign of life.
    pub silent: Vec<&'static str>,
    /// One line for people.
    pub status: String,
}

/// What was told so far. Times are since the process began.
#[derive(Debug, Clone)]
pub struct Vigil {
    watchdog: Option<Duration>,
    stopping: bool,
    ready: bool,
    status: String,
    fed_at: Option<Duration>,
    extended_at: Option<Duration>,
}

impl Vigil {
    /// Begins with a start; `watchdog` is the longest time without a sign of life.
    pub fn new(watchdog: Option<Duration>) -> Self {
        Self {
            watchdog,
            stopping: false,
            ready: false,
            status: String::new(),
            fed_at: None,
            extended_at: None,
        }
    }

    /// The longest silence of a loop: after it, systemd has as long again to hear of its end.
    pub fn patience(&self) -> Duration {
        self.watchdog.map_or(START_EXTENSION, |watchdog| watchdog / 2)
    }

    /// Says what to tell now.
    pub fn look(&mut self, now: Duration, seen: &Seen) -> Vec<News> {
        let mut news = Vec::new();
        let well = seen.silent.is_empty();
        if self.stopping {
            // The end has a deadline of its own, and loops end one after another.
            self.feed(now, &mut news);
            return news;
        }
        if !self.ready && seen.ready && well {
            self.ready = true;
            news.push(News::Ready);
        }
        match (self.ready, well) {
            (true, true) => self.feed(now, &mut news),
            (false, true) if seen.built || now < START_LONGEST => self.extend(now, &mut news),
            _ => {}
        }
        let status = status(seen);
        if status != self.status {
            news.push(News::Status(status.clone()));
            self.status = status;
        }
        news
    }

    /// Says what to tell when the end begins, which may take so long.
    pub fn stop(&mut self, longest: Duration) -> Vec<News> {
        self.stopping = true;
        let status = "stopping: what was accepted goes to the log".to_owned();
        vec![News::Stopping, News::Extend(longest), News::Status(status)]
    }

    /// Often enough that a lost message does no harm.
    fn feed(&mut self, now: Duration, news: &mut Vec<News>) {
        let Some(watchdog) = self.watchdog else { return };
        if self.fed_at.is_none_or(|at| now >= at + watchdog / 4) {
            self.fed_at = Some(now);
            news.push(News::Watchdog);
        }
    }

    fn extend(&mut self, now: Duration, news: &mut Vec<News>) {
        if self.extended_at.is_none_or(|at| now >= at + START_EXTENSION / 6) {
            self.extended_at = Some(now);
            news.push(News::Extend(START_EXTENSION));
        }
    }
}

fn status(seen: &Seen) -> String {
    if seen.silent.is_empty() {
        return seen.status.clone();
    }
    format!("no sign of life from {}; {}", seen.silent.join(", "), seen.status)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WATCHDOG: Duration = Duration::from_secs(8);

    fn seen(ready: bool, silent: &[&'static str]) -> Seen {
        let status = if ready { "ready" } else { "not ready" }.to_owned();
        Seen { built: true, ready, silent: silent.to_vec(), status }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn readiness_is_told_once_and_signs_of_life_as_often_as_they_are_due() {
        let mut vigil = Vigil::new(Some(WATCHDOG));
        let first = vigil.look(at(0), &seen(true, &[]));
        assert_eq!(first, [News::Ready, News::Watchdog, News::Status("ready".into())]);
        assert_eq!(vigil.look(at(1), &seen(true, &[])), []);
        assert_eq!(vigil.look(at(2), &seen(true, &[])), [News::Watchdog]);
        let later = vigil.look(at(4), &seen(false, &[]));
        assert_eq!(later, [News::Watchdog, News::Status("not ready".into())], "it is alive");
    }

    #[test]
    fn a_silent_loop_ends_the_signs_of_life_until_it_is_back() {
        let mut vigil = Vigil::new(Some(WATCHDOG));
        vigil.look(at(0), &seen(true, &[]));
        let status = "no sign of life from the writer, the relay; ready".to_owned();
        let news = vigil.look(at(5), &seen(true, &["the writer", "the relay"]));
        assert_eq!(news, [News::Status(status)]);
        assert_eq!(vigil.look(at(60), &seen(true, &["the writer", "the relay"])), []);
        assert_eq!(vigil.look(at(61), &seen(true, &[]))[0], News::Watchdog);
    }

    #[test]
    fn a_start_is_given_time_while_it_lives_and_no_longer_than_its_bound() {
        let mut vigil = Vigil::new(Some(WATCHDOG));
        let building = Seen { status: "starting".into(), ..Seen::default() };
        let first = vigil.look(at(0), &building);
        assert_eq!(first, [News::Extend(START_EXTENSION), News::Status("starting".into())]);
        assert_eq!(vigil.look(at(1), &building), []);
        assert_eq!(vigil.look(START_EXTENSION, &building), [News::Extend(START_EXTENSION)]);
        assert_eq!(vigil.look(START_LONGEST, &building), [], "a log takes no longer to read");
        // What waits for others is not at fault, however long.
        let waiting = seen(false, &[]);
        assert_eq!(vigil.look(2 * START_LONGEST, &waiting)[0], News::Extend(START_EXTENSION));
        assert_eq!(vigil.look(3 * START_LONGEST, &seen(true, &["the relay"])).len(), 1);
        assert_eq!(vigil.look(3 * START_LONGEST, &seen(true, &[]))[0], News::Ready);
    }

    #[test]
    fn an_end_is_told_with_its_time_and_lives_until_it_is_over() {
        let mut vigil = Vigil::new(Some(WATCHDOG));
        vigil.look(at(0), &seen(true, &[]));
        let end = vigil.stop(at(90));
        assert_eq!(end[..2], [News::Stopping, News::Extend(at(90))]);
        assert_eq!(vigil.look(at(9), &seen(false, &["the listener"])), [News::Watchdog]);
    }

    proptest! {
        #[test]
        fn nobody_is_fed_who_has_a_silent_loop_and_nobody_starves_who_has_none(
            looks in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..60),
        ) {
            let mut vigil = Vigil::new(Some(WATCHDOG));
            let (mut ready, mut fed_at) = (0, None);
            for (second, (is_ready, is_silent)) in looks.into_iter().enumerate() {
                let now = at(second as u64);
                let silent: &[&str] = if is_silent { &["the writer"] } else { &[] };
                let news = vigil.look(now, &seen(is_ready, silent));
                ready += news.iter().filter(|one| **one == News::Ready).count();
                let fed = news.contains(&News::Watchdog);
                prop_assert!(!fed || !is_silent && ready == 1);
                if fed {
                    fed_at = Some(now);
                }
                if ready == 1 && !is_silent {
                    prop_assert!(fed_at.is_some_and(|at| now < at + WATCHDOG / 2));
                }
            }
            prop_assert!(ready <= 1);
        }
    }
}

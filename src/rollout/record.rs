//! What is written of a rollout, and what it comes to: the same fold while it runs and when it is resumed. Pure.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::judge::{Judge, Judgement, Verdict};
use super::look::Look;
use super::plan::Plan;
use super::provider::Sides;
use super::reading::Reading;
use super::state::{IllegalMove, Move, State};
use super::watch::Watch;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub at_ms: i64,
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    Began(Box<Begun>),
    /// The state after it is told for whoever reads the journal.
    Moved {
        what: Move,
        to: State,
    },
    /// Both versions as the first step began.
    Based {
        new: Reading,
        old: Option<Reading>,
    },
    /// One look, what followed from it, and the readings that the next one is compared with.
    Looked {
        look: Look,
        decided: Verdict,
        p_value: f64,
        new: Reading,
        old: Option<Reading>,
    },
    /// The traffic was split.
    Split {
        percent: u8,
    },
    /// Something that only people need to know.
    Said {
        text: String,
    },
}

/// What a rollout began with; it stays as it is, whatever the configuration says later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    pub id: String,
    pub provider: String,
    /// The new version, as the provider names it.
    pub to: String,
    pub sides: Sides,
    pub plan: Plan,
    pub judgement: Judgement,
    /// Who runs jobs, if not the new version itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs_url: Option<String>,
}

/// A rollout as its journal tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub begun: Begun,
    pub state: State,
    /// Since when it is in this state.
    pub since_ms: i64,
    /// Whether the new version ever had traffic.
    pub had_traffic: bool,
    /// Whether a generation was made for the new projection.
    pub rebuilt: bool,
    /// The latest look, and what it came to.
    pub latest: Option<(Look, f64)>,
    pub(super) judge: Option<Judge>,
    pub(super) watch: Option<Watch>,
}

/// Why a journal tells of no rollout.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RecordError {
    #[error("the journal does not begin with the beginning of a rollout")]
    NoBeginning,
    #[error("the journal begins twice")]
    TwoBeginnings,
    #[error("the journal tells what cannot be: {0}")]
    Illegal(#[from] IllegalMove),
    #[error("the journal has a look before both versions were read for the first time")]
    NoBase,
}

impl Record {
    /// What a journal comes to.
    pub fn of(entries: &[Entry]) -> Result<Self, RecordError> {
        let (first, rest) = entries.split_first().ok_or(RecordError::NoBeginning)?;
        let Event::Began(begun) = &first.event else { return Err(RecordError::NoBeginning) };
        let mut record = Self::begin((**begun).clone(), first.at_ms);
        rest.iter().try_for_each(|entry| record.apply(entry))?;
        Ok(record)
    }

    fn begin(begun: Begun, since_ms: i64) -> Self {
        Self {
            begun,
            state: State::Preparing,
            since_ms,
            had_traffic: false,
            rebuilt: false,
            latest: None,
            judge: None,
            watch: None,
        }
    }

    /// Takes one more entry.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), RecordError> {
        match &entry.event {
            Event::Began(_) => return Err(RecordError::TwoBeginnings),
            Event::Moved { what, .. } => self.moved(what.clone(), entry.at_ms)?,
            Event::Based { new, old } => self.watch = Some(Watch::begun(new.clone(), old.clone())),
            Event::Looked { new, old, look, .. } => {
                let (_, p_value, _) = self.look(look.at_ms, new.clone(), old.clone())?;
                self.latest = Some((look.clone(), p_value));
            }
            Event::Split { .. } | Event::Said { .. } => {}
        }
        Ok(())
    }

    fn moved(&mut self, what: Move, at_ms: i64) -> Result<(), RecordError> {
        self.rebuilt |= what == Move::Rebuilt;
        self.state = self.state.clone().after(what, self.begun.plan.percents.len())?;
        self.since_ms = at_ms;
        self.judge = None;
        if let State::Step { at } = self.state
            && let Some(step) = self.begun.plan.step(at)
        {
            self.had_traffic = true;
            let Begun { judgement, plan, .. } = &self.begun;
            self.judge = Some(Judge::new(judgement, plan, step, at_ms));
        }
        Ok(())
    }

    /// What one more look at both versions comes to.
    fn look(
        &mut self,
        at_ms: i64,
        new: Reading,
        old: Option<Reading>,
    ) -> Result<(Verdict, f64, Look), RecordError> {
        let slow = self.begun.judgement.slow;
        let (watch, judge) =
            self.watch.as_mut().zip(self.judge.as_mut()).ok_or(RecordError::NoBase)?;
        let look = watch.look(at_ms, new, old, slow);
        let verdict = judge.look(&look);
        Ok((verdict, judge.so_far().1, look))
    }

    /// The entry of one more look, which is not taken yet.
    pub(super) fn looked(
        &self,
        at_ms: i64,
        new: Reading,
        old: Option<Reading>,
    ) -> Result<Event, RecordError> {
        let (decided, p_value, look) = self.clone().look(at_ms, new.clone(), old.clone())?;
        Ok(Event::Looked { look, decided, p_value, new, old })
    }

    /// The new version's share of the traffic, in percent.
    pub fn percent(&self) -> u8 {
        match self.state {
            State::Step { at } => self.begun.plan.step(at).map_or(100, |step| step.percent),
            State::Promoting | State::Promoted => 100,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::reading::Instance;
    use crate::rollout::reason::Reason;

    pub(in crate::rollout) fn begun() -> Begun {
        Begun {
            id: "r".into(),
            provider: "local".into(),
            to: "/weir-2".into(),
            sides: Sides { live: Some("blue".into()), next: "green".into() },
            plan: Plan::default(),
            judgement: Judgement::default(),
            jobs_url: None,
        }
    }

    fn reading(requests: u64, errors: u64) -> Reading {
        let instance = Instance { requests, errors, connected: true, ..Instance::default() };
        Reading { instances: [("a".to_owned(), instance)].into() }
    }

    fn entry(at_ms: i64, event: Event) -> Entry {
        Entry { at_ms, event }
    }

    fn moved(at_ms: i64, record: &Record, what: Move) -> Entry {
        let to = record.state.clone().after(what.clone(), 4).unwrap();
        entry(at_ms, Event::Moved { what, to })
    }

    /// A rollout whose new version fails, as its journal has it.
    fn journal() -> Vec<Entry> {
        let mut entries = vec![entry(0, Event::Began(Box::new(begun())))];
        let mut record = Record::of(&entries).unwrap();
        let mut add = |record: &mut Record, entry: Entry| {
            record.apply(&entry).unwrap();
            entries.push(entry);
        };
        let event = Event::Based { new: reading(0, 0), old: Some(reading(0, 0)) };
        add(&mut record, entry(1, event));
        let ready = moved(2, &record, Move::Ready);
        add(&mut record, ready);
        for look in 1..=5 {
            let (new, old) = (reading(look * 20, look * 10), Some(reading(look * 1000, 0)));
            let event = record.looked(look as i64 * 10_000, new, old).unwrap();
            let reason = match &event {
                Event::Looked { decided: Verdict::RollBack { reason }, .. } => Some(reason.clone()),
                _ => None,
            };
            add(&mut record, entry(look as i64 * 10_000, event));
            if let Some(reason) = reason {
                let refused = moved(60_000, &record, Move::Refused { reason });
                add(&mut record, refused);
                break;
            }
        }
        let ended = moved(61_000, &record, Move::Ended);
        add(&mut record, ended);
        entries
    }

    #[test]
    fn wherever_the_journal_is_cut_what_follows_is_the_same() {
        let entries = journal();
        for cut in 1..entries.len() {
            let mut record = Record::of(&entries[..cut]).unwrap();
            for entry in &entries[cut..] {
                if let Event::Looked { new, old, .. } = &entry.event {
                    let again = record.looked(entry.at_ms, new.clone(), old.clone()).unwrap();
                    assert_eq!(again, entry.event, "cut at {cut}");
                }
                record.apply(entry).unwrap();
            }
            assert_eq!(record, Record::of(&entries).unwrap());
        }
        let end = Record::of(&entries).unwrap();
        assert!(
            matches!(&end.state, State::RolledBack { reason: Reason::Errors { .. } }),
            "{}",
            end.state
        );
        assert!(end.had_traffic && end.percent() == 0);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for entry in journal() {
            let text = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let entries = journal();
        assert_eq!(Record::of(&[]), Err(RecordError::NoBeginning));
        assert_eq!(Record::of(&entries[1..]), Err(RecordError::NoBeginning));
        let twice = [entries[0].clone(), entries[0].clone()];
        assert_eq!(Record::of(&twice), Err(RecordError::TwoBeginnings));
        let base = |event: &Event| matches!(event, Event::Based { .. });
        let without: Vec<Entry> =
            entries.iter().filter(|entry| !base(&entry.event)).cloned().collect();
        assert_eq!(Record::of(&without), Err(RecordError::NoBase));
        let ended = entries.last().unwrap().clone();
        let early = Record::of(&[entries[0].clone(), ended]);
        assert!(matches!(early, Err(RecordError::Illegal(_))));
    }
}

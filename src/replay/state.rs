//! What may happen to a job: one table, used while it runs and after a crash. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::job::Verb;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JobState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Written down; no worker has begun.
    Planned,
    Running,
    /// Stands still until somebody resumes it; nothing of it is lost.
    Paused,
    /// All of its range is read; live follows, and the result is checked.
    CatchingUp,
    /// Finished, its account closed.
    Done,
    /// Finished, and its generation was made the one that answers.
    Promoted,
    /// Will not go on; its note says why.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// A worker takes it, for the first time or after another one.
    Take,
    Pause,
    Resume,
    /// All of its range is read and the account closes.
    Read,
    /// Nothing is left to do.
    Finish,
    Promote,
    Cancel,
    Fail,
}

/// A move that the table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {verb} that is {state} cannot {what}{}", hint(*.verb, *.what))]
pub struct IllegalMove {
    pub verb: Verb,
    pub state: State,
    pub what: Move,
}

fn hint(verb: Verb, what: Move) -> &'static str {
    match (verb, what) {
        (Verb::Jump, Move::Cancel) => {
            ": live has gone on already, and only the job fills the gap behind it; pause it, or let it end"
        }
        _ => "",
    }
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Running,
        Self::Paused,
        Self::CatchingUp,
        Self::Done,
        Self::Promoted,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The state after a move of a job of this verb.
    pub fn after(self, what: Move, verb: Verb) -> Result<Self, IllegalMove> {
        use State::{Cancelled, CatchingUp, Done, Failed, Paused, Planned, Promoted, Running};
        Ok(match (self, what) {
            (Planned | Running, Move::Take) | (Paused, Move::Resume) => Running,
            (CatchingUp, Move::Take) => CatchingUp,
            (Running | CatchingUp, Move::Pause) => Paused,
            (Running, Move::Read) if verb == Verb::Rebuild => CatchingUp,
            (Running, Move::Read) if verb.applies() => Done,
            (Running, Move::Finish) if !verb.applies() => Done,
            (CatchingUp, Move::Finish) => Done,
            (Done, Move::Promote) if verb == Verb::Rebuild => Promoted,
            (Planned, Move::Cancel) => Cancelled,
            (Running | Paused | CatchingUp, Move::Cancel) if verb != Verb::Jump => Cancelled,
            (Planned | Running | Paused | CatchingUp, Move::Fail) => Failed,
            _ => return Err(IllegalMove { verb, state: self, what }),
        })
    }

    /// Whether a worker has something to do.
    pub fn is_runnable(self) -> bool {
        matches!(self, Self::Planned | Self::Running | Self::CatchingUp)
    }

    /// Whether nothing but a promotion can happen any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Promoted | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::CatchingUp => "catching up",
            Self::Done => "done",
            Self::Promoted => "promoted",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

impl Move {
    pub const ALL: [Self; 8] = [
        Self::Take,
        Self::Pause,
        Self::Resume,
        Self::Read,
        Self::Finish,
        Self::Promote,
        Self::Cancel,
        Self::Fail,
    ];
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Take => "be taken by a worker",
            Self::Pause => "be paused",
            Self::Resume => "be resumed",
            Self::Read => "come to the end of its range",
            Self::Finish => "finish",
            Self::Promote => "be promoted",
            Self::Cancel => "be cancelled",
            Self::Fail => "fail",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_as_it_is_documented() {
        let mut table = String::new();
        for verb in [Verb::Rebuild, Verb::Replay, Verb::Jump, Verb::Verify] {
            for state in State::ALL {
                let moves = Move::ALL.into_iter().filter_map(|what| {
                    state.after(what, verb).ok().map(|after| format!("{what:?} → {after}"))
                });
                let moves: Vec<String> = moves.collect();
                table += &format!("{verb} {state}: {}\n", moves.join(", "));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn what_is_over_stays_over() {
        for verb in Verb::ALL {
            for state in State::ALL.into_iter().filter(|state| state.is_over()) {
                for what in Move::ALL.into_iter().filter(|what| *what != Move::Promote) {
                    assert!(state.after(what, verb).is_err(), "{verb} {state} {what}");
                }
            }
        }
    }

    #[test]
    fn every_state_that_is_not_over_can_be_left() {
        for verb in Verb::ALL {
            for state in State::ALL.into_iter().filter(|state| !state.is_over()) {
                // The gap that live has left behind would stay for ever.
                if verb != Verb::Jump || state == State::Planned {
                    assert_eq!(state.after(Move::Cancel, verb), Ok(State::Cancelled));
                }
                assert_eq!(state.after(Move::Fail, verb), Ok(State::Failed));
            }
        }
    }
}

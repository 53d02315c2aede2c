//! What may happen to a rollout: one table, used while it runs and when it is resumed. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::reason::Reason;

/// Where a rollout is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// The new version is started, and has no traffic.
    Preparing,
    /// A new generation is made for the new version's projection.
    Rebuilding,
    /// The new version has its share of the traffic; both are looked at.
    Step {
        at: usize,
    },
    /// The new version has passed: the old one is drained and ended.
    Promoting,
    /// The old version has all of the traffic again; the new one is drained and ended.
    RollingBack {
        reason: Reason,
    },
    Promoted,
    RolledBack {
        reason: Reason,
    },
}

/// What happens to a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "move")]
pub enum Move {
    /// The new version is ready, and its projection is that of the old one.
    Ready,
    /// It is ready, and makes another graph.
    Differs,
    /// The generation of the new projection is verified and answers.
    Rebuilt,
    /// A step is passed.
    Passed,
    /// The new version shall not go on.
    Refused { reason: Reason },
    /// The version without traffic has published everything and has ended.
    Ended,
}

/// A move that the table does not have.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("a rollout that is {state} cannot take the move {what:?}")]
pub struct IllegalMove {
    pub state: State,
    pub what: Move,
}

impl State {
    /// The state after a move, in a plan of `steps` steps.
    pub fn after(self, what: Move, steps: usize) -> Result<Self, IllegalMove> {
        use State::{Preparing, Promoted, Promoting, Rebuilding, RolledBack, RollingBack, Step};
        Ok(match (self, what) {
            (Preparing, Move::Ready) | (Rebuilding, Move::Rebuilt) => Step { at: 0 },
            (Preparing, Move::Differs) => Rebuilding,
            (Step { at }, Move::Passed) if at + 1 < steps => Step { at: at + 1 },
            (Step { .. }, Move::Passed) => Promoting,
            (Preparing | Rebuilding | Step { .. }, Move::Refused { reason }) => {
                RollingBack { reason }
            }
            (Promoting, Move::Ended) => Promoted,
            (RollingBack { reason }, Move::Ended) => RolledBack { reason },
            (state, what) => return Err(IllegalMove { state, what }),
        })
    }

    /// Whether nothing can happen any more.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack { .. })
    }

    /// Whether somebody may still send the new version back.
    pub fn can_be_refused(&self) -> bool {
        matches!(self, Self::Preparing | Self::Rebuilding | Self::Step { .. })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preparing => f.write_str("preparing"),
            Self::Rebuilding => f.write_str("rebuilding"),
            Self::Step { at } => write!(f, "at step {}", at + 1),
            Self::Promoting => f.write_str("promoting"),
            Self::RollingBack { reason } => write!(f, "rolling back: {reason}"),
            Self::Promoted => f.write_str("promoted"),
            Self::RolledBack { reason } => write!(f, "rolled back: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason() -> Reason {
        Reason::Aborted { why: "tea".into() }
    }

    fn states() -> Vec<State> {
        vec![
            State::Preparing,
            State::Rebuilding,
            State::Step { at: 0 },
            State::Step { at: 1 },
            State::Promoting,
            State::RollingBack { reason: reason() },
            State::Promoted,
            State::RolledBack { reason: reason() },
        ]
    }

    fn moves() -> Vec<Move> {
        let refused = Move::Refused { reason: reason() };
        vec![Move::Ready, Move::Differs, Move::Rebuilt, Move::Passed, refused, Move::Ended]
    }

    #[test]
    fn the_table_is_as_it_is_documented() {
        let mut table = String::new();
        for state in states() {
            let can = moves().into_iter().filter_map(|what| {
                let after = state.clone().after(what.clone(), 2).ok()?;
                let name = format!("{what:?}");
                Some(format!("{} → {after}", name.split(' ').next().unwrap_or_default()))
            });
            table += &format!("{state}: {}\n", can.collect::<Vec<_>>().join(", "));
        }
        insta::assert_snapshot!(table, @r"
        preparing: Ready → at step 1, Differs → rebuilding, Refused → rolling back: somebody ended it: tea
        rebuilding: Rebuilt → at step 1, Refused → rolling back: somebody ended it: tea
        at step 1: Passed → at step 2, Refused → rolling back: somebody ended it: tea
        at step 2: Passed → promoting, Refused → rolling back: somebody ended it: tea
        promoting: Ended → promoted
        rolling back: somebody ended it: tea: Ended → rolled back: somebody ended it: tea
        promoted: 
        rolled back: somebody ended it: tea: 
        ");
    }

    #[test]
    fn what_is_over_stays_over_and_everything_else_can_be_left() {
        for state in states() {
            let can =
                moves().into_iter().filter(|what| state.clone().after(what.clone(), 2).is_ok());
            assert_eq!(can.count() == 0, state.is_over(), "{state}");
            let refused = Move::Refused { reason: reason() };
            assert_eq!(state.clone().after(refused, 2).is_ok(), state.can_be_refused());
        }
    }
}

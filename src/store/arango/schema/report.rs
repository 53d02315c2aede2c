//! What is told of a plan, an application and a state: for people as text, for machines as JSON.

use std::fmt;

use serde::Serialize;

use super::problem::Problem;
use super::thing::Thing;

/// What would be done to a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub database: String,
    /// Whether the database itself has to be made.
    pub creates_database: bool,
    pub steps: Vec<PlannedStep>,
    /// What differs and does no harm that weir would mend.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    pub number: u32,
    pub name: String,
    pub checksum: String,
    pub state: StepState,
    /// What is missing of it.
    pub make: Vec<Thing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StepState {
    /// Recorded, and all of it is there.
    Applied,
    /// Recorded, but some of it is missing.
    Incomplete,
    Pending,
}

impl Plan {
    /// Tells whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        !self.creates_database && self.steps.iter().all(|step| step.state == StepState::Applied)
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    pub database: String,
    pub created_database: bool,
    /// Numbers of the steps that ran.
    pub steps: Vec<u32>,
    /// In words.
    pub made: Vec<String>,
    pub warnings: Vec<String>,
}

/// What is being done, while it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<'a> {
    Database(&'a str),
    Step { number: u32, name: &'a str },
    Making(String),
}

/// How a database stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Status {
    UpToDate {
        database: String,
        warnings: Vec<String>,
    },
    /// Steps that are not applied, or not whole.
    Pending {
        database: String,
        steps: Vec<u32>,
        warnings: Vec<String>,
    },
    DatabaseMissing {
        database: String,
    },
    Unusable {
        database: String,
        problems: Vec<Problem>,
    },
}

impl Status {
    /// Tells whether events can be written and read.
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::UpToDate { .. })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpToDate { database, .. } => write!(formatter, "{database} is up to date"),
            Self::Pending { database, steps, .. } => {
                let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
                let steps = steps.join(", ");
                write!(formatter, "{database} lacks steps {steps}: run `weir migrate apply`")
            }
            Self::DatabaseMissing { database } => {
                write!(
                    formatter,
                    "the database {database} does not exist: run `weir migrate apply`"
                )
            }
            Self::Unusable { database, problems } => {
                write!(formatter, "{database} cannot be used:")?;
                problems.iter().try_for_each(|problem| write!(formatter, "\n- {problem}"))
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_done() {
            write!(formatter, "{}: nothing to do", self.database)?;
        } else {
            write!(formatter, "{}:", self.database)?;
        }
        if self.creates_database {
            write!(formatter, "\n- make the database")?;
        }
        for step in self.steps.iter().filter(|step| step.state != StepState::Applied) {
            let again = if step.state == StepState::Incomplete { ", again" } else { "" };
            write!(formatter, "\n- step {} ({}){again}", step.number, step.name)?;
            step.make.iter().try_for_each(|thing| write!(formatter, "\n    make {thing}"))?;
        }
        self.warnings.iter().try_for_each(|warning| write!(formatter, "\n! {warning}"))
    }
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(name) => write!(formatter, "making the database {name}"),
            Self::Step { number, name } => write!(formatter, "step {number}: {name}"),
            Self::Making(what) => write!(formatter, "making {what}"),
        }
    }
}

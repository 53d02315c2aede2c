//! `weir migrate`: a generation's database, what it lacks, and how it gets it.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::arguments::CommonArguments;
use super::generation_id::parse_generation;
use crate::app;
use crate::config::Settings;
use crate::store::arango::schema::Applied;

#[derive(Clone, Debug, Subcommand)]
pub enum MigrateCommand {
    /// Tell what apply would make; changes nothing
    #[command(after_help = "Examples:\n  \
        weir migrate plan --arango-url http://arango.internal:8529\n  \
        weir migrate plan --config weir.toml --generation g2 --json")]
    Plan(MigrateArguments),
    /// Make what is missing: database, collections, indexes, graph
    #[command(after_help = "Examples:\n  \
        weir migrate apply --arango-url http://arango.internal:8529\n  \
        WEIR_ARANGO__USER=root WEIR_ARANGO__PASSWORD_FILE=/etc/weir/root weir migrate apply --config weir.toml\n\n\
        It may be ended at any point and run again. To make a database the user needs the right to \
        administrate the server; for everything else, rights on the database suffice.")]
    Apply(MigrateArguments),
    /// Tell how the database stands; ends with 1 if events cannot be written to it
    #[command(after_help = "Example:\n  weir migrate status --config weir.toml && echo ready")]
    Status(MigrateArguments),
}

#[derive(Args, Clone, Debug)]
pub struct MigrateArguments {
    /// The generation whose database is meant, as g2
    #[arg(long, value_name = "ID", default_value = "g1", value_parser = parse_generation)]
    generation: u64,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) settings: CommonArguments,
}

impl MigrateCommand {
    pub(super) fn settings(&self) -> &CommonArguments {
        let (Self::Plan(arguments) | Self::Apply(arguments) | Self::Status(arguments)) = self;
        &arguments.settings
    }

    /// Does it, and returns what to print and whether all is well.
    pub(super) async fn run(&self, settings: &Settings) -> Result<(String, bool)> {
        match self {
            Self::Plan(arguments) => {
                let plan = app::migration_plan(settings, arguments.generation).await?;
                Ok((arguments.render(&plan, format!("{plan}\n"))?, true))
            }
            Self::Apply(arguments) => {
                let mut tell = |progress: crate::store::arango::schema::Progress<'_>| {
                    eprintln!("{progress}");
                };
                let applied = app::migrate(settings, arguments.generation, &mut tell).await?;
                Ok((arguments.render(&applied, applied_text(&applied))?, true))
            }
            Self::Status(arguments) => {
                let status = app::migration_status(settings, arguments.generation).await?;
                let text = arguments.render(&status, format!("{status}\n"))?;
                Ok((text, status.is_usable()))
            }
        }
    }
}

impl MigrateArguments {
    fn render(&self, value: &impl serde::Serialize, text: String) -> Result<String> {
        Ok(if self.json { format!("{:#}\n", serde_json::to_value(value)?) } else { text })
    }
}

fn applied_text(applied: &Applied) -> String {
    let nothing = !applied.created_database && applied.steps.is_empty();
    let mut text = if nothing {
        format!("{} was up to date\n", applied.database)
    } else {
        let steps: Vec<String> = applied.steps.iter().map(ToString::to_string).collect();
        format!(
            "{} is up to date: {}{} made in steps {}\n",
            applied.database,
            if applied.created_database { "the database and " } else { "" },
            match applied.made.len() {
                1 => "1 thing".to_owned(),
                made => format!("{made} things"),
            },
            steps.join(", ")
        )
    };
    text.extend(applied.warnings.iter().map(|warning| format!("! {warning}\n")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_told_in_a_line() {
        let nothing = Applied {
            database: "recsys_g1".into(),
            created_database: false,
            steps: vec![],
            made: vec![],
            warnings: vec!["viewed has 1 copy, and 2 are configured".into()],
        };
        let made = Applied {
            created_database: true,
            steps: vec![1, 2],
            made: vec!["users".into(), "items".into()],
            warnings: vec![],
            ..nothing.clone()
        };
        insta::assert_snapshot!(format!("{}----\n{}", applied_text(&nothing), applied_text(&made)));
    }
}

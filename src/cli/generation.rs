//! The arguments of `weir generation`, and generations as people and machines read them.

use clap::Subcommand;
use serde::Serialize;

use super::arguments::CommonArguments;
use super::generation_id::parse_generation;

#[derive(Clone, Debug, Subcommand)]
pub enum GenerationCommand {
    /// List the generations and say which one answers
    #[command(after_help = "Examples:\n  weir generation list\n  weir generation list --json")]
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: CommonArguments,
    },
    /// Make a generation: its database, and a consumer that follows the log from its beginning
    #[command(after_help = "Example:\n  weir generation create g2")]
    Create {
        /// Its name, as g2
        #[arg(value_parser = parse_generation)]
        id: u64,
        /// Print as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: CommonArguments,
    },
    /// Have a generation answer from now on; readers follow within a second
    #[command(
        after_help = "Examples:\n  weir generation promote g2\n  weir generation promote g1    back again\n\n\
        Refused while the generation is behind the log or has events that were not applied, unless --force."
    )]
    Promote {
        /// Its name, as g2
        #[arg(value_parser = parse_generation)]
        id: u64,
        /// Also if it is behind the log
        #[arg(long)]
        force: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: CommonArguments,
    },
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationView {
    pub id: String,
    pub active: bool,
    pub database: Option<String>,
    /// Events of the log that are not applied yet; absent while nobody can tell.
    pub lag: Option<u64>,
    pub retrying: Option<u64>,
    pub parked: Option<u64>,
    pub fingerprint: String,
    pub created: String,
    pub created_by: String,
}

/// Renders generations as a table; what nobody can tell is a dash.
pub fn generation_table(views: &[GenerationView]) -> String {
    if views.is_empty() {
        return "there is no generation yet: weir projector makes the first one\n".to_owned();
    }
    let number =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let head = ["GENERATION", "STATE", "LAG", "RETRYING", "PARKED", "CREATED", "DATABASE"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(views.iter().map(|view| {
        [
            view.id.clone(),
            if view.active { "active" } else { "follows" }.to_owned(),
            number(view.lag),
            number(view.retrying),
            number(view.parked),
            view.created.clone(),
            view.database.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    let widths: [usize; 7] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if (2..5).contains(&column) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:width$}")
            }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_a_table_and_json() {
        let active = GenerationView {
            id: "g1".into(),
            active: true,
            database: Some("recsys_g1".into()),
            lag: Some(0),
            retrying: Some(12),
            parked: Some(3),
            fingerprint: "5e1f".into(),
            created: "2026-05-04T10:00:00.000Z".into(),
            created_by: "0.1.0".into(),
        };
        let other = GenerationView {
            id: "g2".into(),
            active: false,
            lag: None,
            retrying: None,
            parked: None,
            ..active.clone()
        };
        let json = serde_json::to_value(&other).expect("plain data");
        insta::assert_snapshot!(format!(
            "{}----\n{}----\n{json:#}",
            generation_table(&[active, other]),
            generation_table(&[])
        ));
    }
}

//! Why a document is in a generation's graph, asked of the log itself.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};

use super::beside::Beside;
use super::options;
use super::rules::Rules;
use crate::config::Settings;
use crate::event::EventTypes;
use crate::generation::{GenerationId, Generations, Record};
use crate::graph::EdgeKey;
use crate::projection::Projection;
use crate::projector::Decoder;
use crate::replay::{Explanation, Question, explain};
use crate::stream::{EventLog, Nats};

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// What is asked about, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// An edge, by its key's text.
    Edge(String),
    /// The edges of a user and an item, perhaps of one event type.
    Edges {
        user: String,
        item: String,
        of: Option<String>,
    },
    User(String),
    Item(String),
}

/// An explanation, and what it is of.
#[derive(Debug)]
pub struct Why {
    pub record: Record,
    pub explanation: Explanation,
}

/// Reads the log at `url` as a generation's record says; by default the active one's.
pub async fn why(
    settings: &Settings,
    url: &str,
    id: Option<GenerationId>,
    asked: &Asked,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> anyhow::Result<Why> {
    let nats = Nats::connect(options::nats(settings, url, "explain")).await?;
    tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
        format!("no NATS server at {url} lets us in: is it running, and is the login right?")
    })?;
    nats.check_server()?;
    let beside = Beside::over(settings, nats.clone()).await;
    let record = record(&Generations::new(beside.kv.clone(), None), id).await?;
    // Another projection would tell of documents that the generation does not hold.
    let rules = Rules::new(settings)?
        .of_record(&record)
        .map_err(|why| anyhow!("{} cannot be explained: {why}", record.id))?;
    let question = question(asked, &rules.types)?;
    let log = EventLog::new(nats, options::log(settings, None)).await;
    let (decoder, projection) = (Decoder::new(rules.parser), Projection::new(rules.types));
    let explanation =
        explain(&log, &decoder, &projection, &question, record.as_of, progress).await?;
    Ok(Why { record, explanation })
}

async fn record(generations: &Generations, id: Option<GenerationId>) -> anyhow::Result<Record> {
    let view = generations.read().await?;
    ensure!(
        !view.generations.is_empty(),
        "there is no generation yet: weir dev or weir projector makes the first one"
    );
    let id = id.unwrap_or_else(|| view.active_id());
    let found = view.generations.get(&id).cloned();
    found.with_context(|| format!("there is no generation {id}: see weir generation list"))
}

fn question(asked: &Asked, types: &EventTypes) -> anyhow::Result<Question> {
    Ok(match asked {
        Asked::User(id) => Question::User(id.clone()),
        Asked::Item(id) => Question::Item(id.clone()),
        Asked::Edge(text) => {
            let key = EdgeKey::from_text(text);
            Question::Edge(key.with_context(|| {
                format!("{text:?} is no edge's key: that is =h and 22 characters, as =hzPp1cBvX0QJk2mWd8sNfZA")
            })?)
        }
        Asked::Edges { user, item, of } => {
            let of = of.as_ref().map(|name| interaction(name, types)).transpose()?;
            Question::Edges { user: user.clone(), item: item.clone(), of }
        }
    })
}

fn interaction(name: &str, types: &EventTypes) -> anyhow::Result<crate::event::TypeIndex> {
    let found = types.find(name).filter(|index| types.collection(*index).is_some());
    found.with_context(|| {
        let edges = types.iter().filter(|(index, _)| types.collection(*index).is_some());
        let names: Vec<&str> = edges.map(|(_, spec)| spec.name.as_str()).collect();
        format!("{name:?} makes no edges; these do: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_told_with_what_can() {
        let types = EventTypes::builtin();
        let error = question(&Asked::Edge("42".into()), &types).expect_err("no key").to_string();
        assert!(error.contains("=h and 22 characters"), "{error}");
        let of = |name: &str| {
            let (user, item) = ("u".to_owned(), "i".to_owned());
            question(&Asked::Edges { user, item, of: Some(name.to_owned()) }, &types)
        };
        assert!(of("Added To Cart").is_ok());
        for name in ["refunded", "teleported"] {
            let error = of(name).expect_err("no edges").to_string();
            assert!(error.contains("viewed") && !error.contains("unliked"), "{error}");
        }
    }
}

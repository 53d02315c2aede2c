//! Requests as the store for ArangoDB would send them, made beforehand, and a loop that only sends them.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::vec;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use http::header::CONTENT_TYPE;
use reqwest::Client;
use serde_json::Value;
use weir::event::{EventTypes, Publication};
use weir::graph::{Class, Collection, Put, coalesce};
use weir::projection::Projection;
use weir::projector::{Decoder, Recorded};

use crate::events::parser;
use crate::stand_in::Place;

const PARAMETERS: &str = "overwriteMode=replace&versionAttribute=version&waitForSync=true&keepNull=true&returnOld=false&returnNew=false";

/// The requests of one batch of events: those of vertices, then those of edges. Each a collection and a body.
#[derive(Debug, Clone, Default)]
pub struct Step {
    vertices: Vec<(String, Bytes)>,
    edges: Vec<(String, Bytes)>,
}

/// Makes the requests of batches of events; a bare vertex is written once.
pub fn steps(entries: &[Bytes], batch: usize) -> anyhow::Result<Vec<Step>> {
    let parser = parser();
    let types = parser.types().clone();
    let (decoder, projection) = (Decoder::new(parser), Projection::new(types.clone()));
    let mut known = HashSet::new();
    entries
        .chunks(batch)
        .map(|entries| step(entries, &decoder, &projection, &types, &mut known))
        .collect()
}

fn step(
    entries: &[Bytes],
    decoder: &Decoder,
    projection: &Projection,
    types: &EventTypes,
    known: &mut HashSet<String>,
) -> anyhow::Result<Step> {
    let publications: Vec<Publication> =
        entries.iter().map(Publication::decode).collect::<Result<_, _>>()?;
    let subjects: Vec<String> = publications.iter().map(Publication::subject).collect();
    let mut events = Vec::with_capacity(entries.len());
    for (publication, subject) in publications.iter().zip(&subjects) {
        let recorded = Recorded {
            subject,
            message_id: None,
            payload: &publication.payload,
            sequence: 1,
            time_ms: 0,
        };
        events.push(decoder.decode("bench", &recorded)?);
    }
    let mut puts = Vec::new();
    events.iter().for_each(|event| projection.project(event, &mut puts));
    let mut by_collection: BTreeMap<Collection, Vec<Value>> = BTreeMap::new();
    for put in coalesce(&puts).puts {
        let new = put.version.class() != Class::Bare
            || known.insert(format!("{:?}/{}", put.collection, put.key.text()));
        if new {
            by_collection.entry(put.collection).or_default().push(document(&put));
        }
    }
    let mut step = Step::default();
    for (collection, documents) in by_collection {
        let request = (collection.name(types).to_owned(), serde_json::to_vec(&documents)?.into());
        match collection {
            Collection::Users | Collection::Items => step.vertices.push(request),
            Collection::Edges(_) => step.edges.push(request),
        }
    }
    Ok(step)
}

fn document(put: &Put<'_>) -> Value {
    let mut document = put.body.to_json();
    document["_key"] = put.key.text().into();
    document["version"] = put.version.0.into();
    document
}

/// Sends steps to a database, as many at once as there are senders; of the answers only the status is read.
pub async fn send(
    place: &Place,
    database: &str,
    steps: Vec<Step>,
    senders: usize,
) -> anyhow::Result<()> {
    let sender = Sender {
        client: Client::builder().tcp_nodelay(true).build()?,
        url: format!("{}/_db/{database}/_api/document", place.url),
        user: place.user.clone(),
        password: std::fs::read_to_string(&place.password_file)?,
        steps: Arc::new(Mutex::new(steps.into_iter())),
    };
    let running: Vec<_> = (0..senders).map(|_| tokio::spawn(sender.clone().run())).collect();
    for sent in join_all(running).await {
        sent.context("a sender panicked")??;
    }
    Ok(())
}

#[derive(Clone)]
struct Sender {
    client: Client,
    url: String,
    user: String,
    password: String,
    steps: Arc<Mutex<vec::IntoIter<Step>>>,
}

impl Sender {
    async fn run(self) -> anyhow::Result<()> {
        while let Some(step) = self.next() {
            try_join_all(step.vertices.into_iter().map(|request| self.post(request))).await?;
            try_join_all(step.edges.into_iter().map(|request| self.post(request))).await?;
        }
        Ok(())
    }

    fn next(&self) -> Option<Step> {
        self.steps.lock().expect("nobody panics").next()
    }

    async fn post(&self, (collection, body): (String, Bytes)) -> anyhow::Result<()> {
        let request = self.client.post(format!("{}/{collection}?{PARAMETERS}", self.url));
        let request = request.basic_auth(&self.user, Some(&self.password)).body(body);
        let answer = request.header(CONTENT_TYPE, "application/json").send().await?;
        let status = answer.status();
        answer.bytes().await?;
        ensure!(status.is_success(), "the stand-in answers {status}");
        Ok(())
    }
}

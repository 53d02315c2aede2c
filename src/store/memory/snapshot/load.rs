//! Reads a graph back, or says why that cannot be.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::form::{Head, MAGIC, block_head, shape, tag};
use crate::event::{EventTime, EventTypes, TypeIndex};
use crate::graph::{Collection, Edge, EdgeKey, Put, Version};
use crate::limits::SNAPSHOT_BLOCK_BYTES;
use crate::projection::Fingerprint;
use crate::store::memory::graph::Graph;
use crate::store::memory::horizon::Horizon;

/// Why a snapshot gives no graph. In each case the log gives one.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("there is no snapshot")]
    Missing,
    #[error("the snapshot cannot be read: {0}")]
    Io(io::Error),
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    #[error("the snapshot was made by another projection ({found}, this is {current})")]
    OtherProjection { found: Fingerprint, current: Fingerprint },
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early"),
            _ => Self::Io(error),
        }
    }
}

/// Reads a graph back as far as its horizon reaches, checks every block, and computes keys and digest anew.
pub fn load(
    path: &Path,
    types: &Arc<EventTypes>,
    current: Fingerprint,
    horizon: Horizon,
) -> Result<(Graph, Head), LoadError> {
    read(&mut BufReader::new(File::open(path)?), types, current, horizon)
}

/// Does the same with what is not in a file.
pub(super) fn read(
    input: &mut impl Read,
    types: &Arc<EventTypes>,
    current: Fingerprint,
    horizon: Horizon,
) -> Result<(Graph, Head), LoadError> {
    let mut magic = [0; 8];
    input.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(LoadError::Damaged("it does not begin as a snapshot does"));
    }
    let mut block = Vec::new();
    if read_block(input, &mut block)? != tag::HEAD || block.len() < 16 {
        return Err(LoadError::Damaged("its head is missing"));
    }
    let (fingerprint, progress) = block.split_at(16);
    let found = Fingerprint(fingerprint.try_into().expect("split at 16"));
    if found != current {
        return Err(LoadError::OtherProjection { found, current });
    }
    let head = Head { fingerprint: found, progress: progress.to_vec() };
    let mut graph = Graph::bounded(types.clone(), horizon);
    let mut edges = 0;
    loop {
        let tag = read_block(input, &mut block)?;
        let mut rest = Rest(&block);
        match tag {
            tag::USERS => load_vertices(&mut graph, Some(Collection::Users), &mut rest)?,
            tag::ITEMS => load_vertices(&mut graph, Some(Collection::Items), &mut rest)?,
            tag::SOURCES => load_vertices(&mut graph, None, &mut rest)?,
            tag::EDGES => edges += load_edges(&mut graph, types, &mut rest)?,
            tag::END if rest.u32()? == edges => return Ok((graph, head)),
            tag::END => return Err(LoadError::Damaged("edges are missing")),
            _ => return Err(LoadError::Damaged("it has a block of an unknown kind")),
        }
    }
}

fn read_block(input: &mut impl Read, block: &mut Vec<u8>) -> Result<u8, LoadError> {
    let mut head = [0; 5];
    input.read_exact(&mut head)?;
    let [tag, a, b, c, d] = head;
    let length = u32::from_le_bytes([a, b, c, d]);
    if length as usize > SNAPSHOT_BLOCK_BYTES {
        return Err(LoadError::Damaged("a block's length is not possible"));
    }
    // Room grows with what is there: a damaged length may ask for any.
    block.clear();
    if input.take(u64::from(length)).read_to_end(block)? < length as usize {
        return Err(LoadError::Damaged("it ends too early"));
    }
    let mut checksum = [0; 4];
    input.read_exact(&mut checksum)?;
    if u32::from_le_bytes(checksum)
        != crc32c::crc32c_append(crc32c::crc32c(&block_head(tag, length)), block)
    {
        return Err(LoadError::Damaged("a checksum does not fit"));
    }
    Ok(tag)
}

fn load_vertices(
    graph: &mut Graph,
    collection: Option<Collection>,
    rest: &mut Rest<'_>,
) -> Result<(), LoadError> {
    while !rest.0.is_empty() {
        let id = rest.text()?;
        let shape = rest.u8()?;
        let Some(collection) = collection else {
            graph.sources.intern(id);
            continue;
        };
        graph.intern(collection, id);
        if shape & shape::OLDER != 0 {
            graph.mark_older(collection, id);
        }
        match shape & !shape::OLDER {
            shape::ABSENT => {}
            shape::BARE => _ = graph.apply(&Put::stored_vertex(collection, id, None)),
            shape::PROFILE => {
                let version = Version(rest.u64()?);
                let attrs: Map<String, Value> = serde_json::from_str(rest.text()?)
                    .map_err(|_| LoadError::Damaged("a profile is no JSON"))?;
                graph.apply(&Put::stored_vertex(collection, id, Some((&attrs, version))));
            }
            _ => return Err(LoadError::Damaged("a vertex has an unknown form")),
        }
    }
    Ok(())
}

/// Returns how many edges there were, whether the graph keeps them or not.
fn load_edges(
    graph: &mut Graph,
    types: &EventTypes,
    rest: &mut Rest<'_>,
) -> Result<u32, LoadError> {
    let mut count = 0;
    while !rest.0.is_empty() {
        let (user, item, source) = (rest.u32()?, rest.u32()?, rest.u32()?);
        let kind = TypeIndex(rest.u8()?);
        let known = user < graph.users.len() && item < graph.items.len();
        if !known || usize::from(kind.0) >= types.len() || types.collection(kind).is_none() {
            return Err(LoadError::Damaged("an edge names what is not there"));
        }
        let user = graph.users.get(user).id.to_string();
        let item = graph.items.get(item).id.to_string();
        match rest.u8()? {
            shape::TOMBSTONE => {
                let key = EdgeKey(rest.take::<16>()?);
                graph.apply(&Put::tombstone(kind, key, &user, &item));
            }
            shape::LIVE if source < graph.sources.len() => {
                let at_ms = i64::from_le_bytes(rest.take()?);
                let value = f64::from_le_bytes(rest.take()?);
                if EventTime::from_ms(at_ms).is_err() || value.is_infinite() {
                    return Err(LoadError::Damaged(
                        "an edge has a time or a value that no event has",
                    ));
                }
                let value = Some(value).filter(|value| !value.is_nan());
                let source = graph.sources.get(source).id.to_string();
                let edge = Edge {
                    user: &user,
                    item: &item,
                    at_ms,
                    event_id: rest.text()?,
                    source: &source,
                    value,
                };
                graph.apply(&Put::edge(kind, &types.spec(kind).name, edge));
            }
            _ => return Err(LoadError::Damaged("an edge has an unknown form")),
        }
        count += 1;
    }
    Ok(count)
}

/// What is left of a block.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn bytes(&mut self, length: usize) -> Result<&'b [u8], LoadError> {
        let (bytes, rest) =
            self.0.split_at_checked(length).ok_or(LoadError::Damaged("a block ends too early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        Ok(self.bytes(N)?.try_into().expect("of that length"))
    }

    fn u8(&mut self) -> Result<u8, LoadError> {
        Ok(self.take::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, LoadError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, LoadError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn text(&mut self) -> Result<&'b str, LoadError> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.bytes(length)?)
            .map_err(|_| LoadError::Damaged("a name is no text"))
    }
}

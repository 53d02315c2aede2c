//! A graph on disk, to begin from after a restart.
//!
//! The file is `WEIRSNP1` and blocks of `tag, length (u32), payload, CRC32C of all three`, little
//! endian. Tags are never used twice. It is written beside the live flow: the progress in its head
//! is taken first, so the documents are at least those of that progress, and reading the log from
//! there again changes nothing that is there already.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::graph::Graph;
use super::store::MemoryStore;
use super::vertices::Vertices;
use crate::event::{EventTypes, TypeIndex};
use crate::graph::{Collection, Edge, EdgeKey, Put, Version};
use crate::limits::SNAPSHOT_BLOCK_BYTES;
use crate::projection::Fingerprint;

const MAGIC: &[u8; 8] = b"WEIRSNP1";
/// Documents that are copied while the graph is held still.
const AT_ONCE: u32 = 4096;

mod tag {
    pub const HEAD: u8 = 1;
    pub const USERS: u8 = 2;
    pub const ITEMS: u8 = 3;
    pub const SOURCES: u8 = 4;
    pub const EDGES: u8 = 5;
    pub const END: u8 = 6;
}

mod form {
    pub const BARE: u8 = 0;
    pub const ABSENT: u8 = 1;
    pub const PROFILE: u8 = 2;
    pub const LIVE: u8 = 0;
    pub const TOMBSTONE: u8 = 1;
}

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub fingerprint: Fingerprint,
    /// How far the graph had read the log, as its reader writes it.
    pub progress: Vec<u8>,
}

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

/// Writes the graph and replaces the file at `path` by it, durably or not at all.
///
/// Holds the graph still for some thousand documents at a time. Blocks: call it off the async threads.
pub fn write(store: &MemoryStore, head: &Head, path: &Path) -> io::Result<u64> {
    let temporary = path.with_extension("new");
    let mut writer =
        Writer { out: BufWriter::new(File::create(&temporary)?), block: Vec::new(), bytes: 8 };
    writer.out.write_all(MAGIC)?;
    writer.block.extend_from_slice(&head.fingerprint.0);
    writer.block.extend_from_slice(&head.progress);
    writer.end_block(tag::HEAD)?;
    // The edges to write are fixed first: their ends and sources are among the names written after.
    let edges = store.read().edge_count();
    for (tag, select) in VERTEX_BLOCKS {
        let count = select(&store.read()).len();
        for from in (0..count).step_by(AT_ONCE as usize) {
            let to = count.min(from + AT_ONCE);
            vertices(select(&store.read()), from..to, &mut writer.block);
            writer.end_block(tag)?;
        }
    }
    for from in (0..edges).step_by(AT_ONCE as usize) {
        edge_block(&store.read(), from..edges.min(from + AT_ONCE), &mut writer.block);
        writer.end_block(tag::EDGES)?;
    }
    writer.block.extend_from_slice(&edges.to_le_bytes());
    writer.end_block(tag::END)?;
    let bytes = writer.bytes;
    writer.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(bytes)
}

type Select = fn(&Graph) -> &Vertices;
const VERTEX_BLOCKS: [(u8, Select); 3] = [
    (tag::USERS, |graph| &graph.users),
    (tag::ITEMS, |graph| &graph.items),
    (tag::SOURCES, |graph| &graph.sources),
];

struct Writer {
    out: BufWriter<File>,
    block: Vec<u8>,
    bytes: u64,
}

impl Writer {
    fn end_block(&mut self, tag: u8) -> io::Result<()> {
        let length =
            u32::try_from(self.block.len()).map_err(|_| io::Error::other("a block past 4 GiB"))?;
        let head = block_head(tag, length);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&head), &self.block);
        self.out.write_all(&head)?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&checksum.to_le_bytes())?;
        self.bytes += u64::from(length) + 9;
        self.block.clear();
        Ok(())
    }
}

fn block_head(tag: u8, length: u32) -> [u8; 5] {
    let [a, b, c, d] = length.to_le_bytes();
    [tag, a, b, c, d]
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn vertices(vertices: &Vertices, range: std::ops::Range<u32>, out: &mut Vec<u8>) {
    for handle in range {
        let vertex = vertices.get(handle);
        text(out, &vertex.id);
        match vertices.profiles.get(&handle) {
            _ if !vertex.exists => out.push(form::ABSENT),
            None => out.push(form::BARE),
            Some(profile) => {
                out.push(form::PROFILE);
                out.extend_from_slice(&profile.version.0.to_le_bytes());
                text(out, &serde_json::to_string(&profile.attrs).expect("a map of values is JSON"));
            }
        }
    }
}

fn edge_block(graph: &Graph, range: std::ops::Range<u32>, out: &mut Vec<u8>) {
    for edge in range {
        let slot = graph.edges.slot(edge);
        for handle in [slot.user, slot.item, slot.source] {
            out.extend_from_slice(&handle.to_le_bytes());
        }
        out.push(slot.kind());
        if let Some(key) = graph.edges.tombstone_key(edge) {
            out.push(form::TOMBSTONE);
            out.extend_from_slice(&key.0);
        } else {
            out.push(form::LIVE);
            out.extend_from_slice(&slot.at_ms().to_le_bytes());
            out.extend_from_slice(&slot.value().unwrap_or(f64::NAN).to_le_bytes());
            graph.edges.with_event_id(edge, |id| text(out, id));
        }
    }
}

/// Reads a graph back, checks every block, and computes keys and digest anew.
pub fn load(
    path: &Path,
    types: &Arc<EventTypes>,
    current: Fingerprint,
) -> Result<(Graph, Head), LoadError> {
    let mut input = BufReader::new(File::open(path)?);
    let mut magic = [0; 8];
    input.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(LoadError::Damaged("it does not begin as a snapshot does"));
    }
    let mut block = Vec::new();
    if read_block(&mut input, &mut block)? != tag::HEAD || block.len() < 16 {
        return Err(LoadError::Damaged("its head is missing"));
    }
    let (fingerprint, progress) = block.split_at(16);
    let found = Fingerprint(fingerprint.try_into().expect("split at 16"));
    if found != current {
        return Err(LoadError::OtherProjection { found, current });
    }
    let head = Head { fingerprint: found, progress: progress.to_vec() };
    let mut graph = Graph::new(types.clone());
    loop {
        let tag = read_block(&mut input, &mut block)?;
        let mut rest = Rest(&block);
        match tag {
            tag::USERS => load_vertices(&mut graph, Some(Collection::Users), &mut rest)?,
            tag::ITEMS => load_vertices(&mut graph, Some(Collection::Items), &mut rest)?,
            tag::SOURCES => load_vertices(&mut graph, None, &mut rest)?,
            tag::EDGES => load_edges(&mut graph, types, &mut rest)?,
            tag::END if rest.u32()? == graph.edge_count() => return Ok((graph, head)),
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
    block.resize(length as usize, 0);
    input.read_exact(block)?;
    let mut checksum = [0; 4];
    input.read_exact(&mut checksum)?;
    if u32::from_le_bytes(checksum) != crc32c::crc32c_append(crc32c::crc32c(&head), block) {
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
        let form = rest.u8()?;
        let Some(collection) = collection else {
            graph.sources.intern(id);
            continue;
        };
        graph.intern(collection, id);
        match form {
            form::ABSENT => {}
            form::BARE => _ = graph.apply(&Put::stored_vertex(collection, id, None)),
            form::PROFILE => {
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

fn load_edges(graph: &mut Graph, types: &EventTypes, rest: &mut Rest<'_>) -> Result<(), LoadError> {
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
            form::TOMBSTONE => {
                let key = EdgeKey(rest.take::<16>()?);
                graph.apply(&Put::tombstone(kind, key, &user, &item));
            }
            form::LIVE if source < graph.sources.len() => {
                let at_ms = i64::from_le_bytes(rest.take()?);
                let value = Some(f64::from_le_bytes(rest.take()?)).filter(|value| !value.is_nan());
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
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Upcasters;
    use crate::projection::law;
    use proptest::prelude::*;

    fn fingerprint() -> Fingerprint {
        law::projection().fingerprint(&Upcasters::shipped())
    }

    fn store_of(events: &[crate::event::Event<'static>]) -> MemoryStore {
        let projection = law::projection();
        let store = MemoryStore::new(projection.types().clone());
        for event in events {
            let mut puts = Vec::new();
            projection.project(event, &mut puts);
            store.apply(&puts);
        }
        store
    }

    fn written(
        events: &[crate::event::Event<'static>],
    ) -> (tempfile::TempDir, std::path::PathBuf, MemoryStore) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("graph.snapshot");
        let store = store_of(events);
        let head = Head { fingerprint: fingerprint(), progress: b"progress".to_vec() };
        write(&store, &head, &path).expect("written");
        (folder, path, store)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn round_trips(events in prop::collection::vec(law::event(), 0..60)) {
            let (_folder, path, store) = written(&events);
            let types = law::projection().types().clone();
            let (graph, head) = load(&path, &types, fingerprint()).expect("loads");
            prop_assert_eq!(head.progress, b"progress");
            prop_assert_eq!(graph.digest(), store.read().digest());
            prop_assert_eq!(graph.documents(), store.read().documents());
            prop_assert_eq!(graph.counts(), store.read().counts());
        }

        #[test]
        fn damage_is_noticed(events in prop::collection::vec(law::event(), 1..20), place in any::<prop::sample::Index>(), cut in any::<bool>()) {
            let (_folder, path, _) = written(&events);
            let mut bytes = fs::read(&path).expect("read");
            let place = place.index(bytes.len());
            if cut { bytes.truncate(place) } else { bytes[place] ^= 0x20 }
            fs::write(&path, bytes).expect("written");
            let types = law::projection().types().clone();
            prop_assert!(load(&path, &types, fingerprint()).is_err());
        }
    }

    #[test]
    fn of_another_projection_is_not_taken() {
        let (_folder, path, _) = written(&[]);
        let types = law::projection().types().clone();
        let other = Fingerprint([7; 16]);
        assert!(matches!(load(&path, &types, other), Err(LoadError::OtherProjection { .. })));
        assert!(matches!(
            load(&path.with_extension("none"), &types, other),
            Err(LoadError::Missing)
        ));
    }
}

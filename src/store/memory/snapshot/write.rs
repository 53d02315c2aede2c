//! Writes a graph beside the live flow.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::form::{Head, MAGIC, block_head, shape, tag};
use crate::store::memory::graph::Graph;
use crate::store::memory::store::MemoryStore;
use crate::store::memory::vertices::Vertices;

/// Documents that are copied while the graph is held still.
const AT_ONCE: u32 = 4096;

/// Writes the graph and replaces the file at `path` by it, durably or not at all.
///
/// Holds the graph still for some thousand documents at a time. Blocks: call it off the async threads.
pub fn write(store: &MemoryStore, head: &Head, path: &Path) -> io::Result<u64> {
    let temporary = path.with_extension("new");
    let mut out = BufWriter::new(File::create(&temporary)?);
    let bytes = write_to(&mut out, store, head)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(bytes)
}

/// Writes the graph to anything that takes bytes, and returns how many there were.
pub(super) fn write_to(out: impl Write, store: &MemoryStore, head: &Head) -> io::Result<u64> {
    let mut writer = Writer { out, block: Vec::new(), bytes: 8 };
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
    Ok(writer.bytes)
}

type Select = fn(&Graph) -> &Vertices;
const VERTEX_BLOCKS: [(u8, Select); 3] = [
    (tag::USERS, |graph| &graph.users),
    (tag::ITEMS, |graph| &graph.items),
    (tag::SOURCES, |graph| &graph.sources),
];

struct Writer<W> {
    out: W,
    block: Vec<u8>,
    bytes: u64,
}

impl<W: Write> Writer<W> {
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

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn vertices(vertices: &Vertices, range: std::ops::Range<u32>, out: &mut Vec<u8>) {
    for handle in range {
        let vertex = vertices.get(handle);
        text(out, &vertex.id);
        let older = if vertex.older { shape::OLDER } else { 0 };
        match vertices.profiles.get(&handle) {
            _ if !vertex.exists => out.push(shape::ABSENT | older),
            None => out.push(shape::BARE | older),
            Some(profile) => {
                out.push(shape::PROFILE | older);
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
            out.push(shape::TOMBSTONE);
            out.extend_from_slice(&key.0);
        } else {
            out.push(shape::LIVE);
            out.extend_from_slice(&slot.at_ms().to_le_bytes());
            out.extend_from_slice(&graph.edges.value(edge).unwrap_or(f64::NAN).to_le_bytes());
            graph.edges.with_event_id(edge, |id| text(out, id));
        }
    }
}

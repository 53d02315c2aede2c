//! Names in the log's directory, and the few file operations that must survive a power cut.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::limits::WAL_QUARANTINES;

const SEGMENT: &str = "segment-";
/// A salvaged segment that is still being written.
const SALVAGE: &str = "salvage-";
/// A segment on its way out; whatever is left of one at a start is removed.
const DELETED: &str = "deleted-";
const CORRUPT: &str = "corrupt-";

/// Makes the directory's entries durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Creates a directory and its missing ancestors, durably.
pub(super) fn create_dirs(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create_dirs(parent)?;
    std::fs::create_dir(dir)?;
    sync_dir(parent)
}

/// Replaces `dir/name` so that a crash leaves the old content or the new one.
pub(super) fn replace(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, dir.join(name))?;
    sync_dir(dir)
}

pub(super) fn segment_dir(root: &Path, first: u64) -> PathBuf {
    root.join(format!("{SEGMENT}{first:020}"))
}

/// Named after the damaged segment, whose first entries may be beyond saving.
pub(super) fn salvage_dir(root: &Path, first: u64) -> PathBuf {
    root.join(format!("{SALVAGE}{first:020}"))
}

/// What the log's directory holds, each in ascending order.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub segments: Vec<u64>,
    pub salvages: Vec<u64>,
    pub deleted: Vec<PathBuf>,
    pub quarantines: Vec<PathBuf>,
}

pub(super) fn list(root: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(root)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let number = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.parse().ok());
        if let Some(first) = number(SEGMENT) {
            listing.segments.push(first);
        } else if let Some(first) = number(SALVAGE) {
            listing.salvages.push(first);
        } else if name.starts_with(DELETED) {
            listing.deleted.push(root.join(name));
        } else if name.starts_with(CORRUPT) {
            listing.quarantines.push(root.join(name));
        }
    }
    listing.segments.sort_unstable();
    listing.salvages.sort_unstable();
    listing.quarantines.sort_unstable();
    Ok(listing)
}

/// Sums the sizes of the files in a directory and one level below; what vanishes meanwhile counts nothing.
pub(super) fn dir_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, metadata)| if metadata.is_dir() { dir_bytes(&path) } else { metadata.len() })
        .sum()
}

/// Removes a segment's directory; a crash in between leaves nothing that looks like a damaged segment.
pub(super) fn delete_segment(root: &Path, first: u64) -> io::Result<()> {
    let gone = root.join(format!("{DELETED}{first:020}"));
    if gone.exists() {
        std::fs::remove_dir_all(&gone)?;
    }
    std::fs::rename(segment_dir(root, first), &gone)?;
    std::fs::remove_dir_all(&gone)
}

/// Moves a segment's directory aside as `corrupt-<milliseconds>`, with the reason inside, and drops the
/// oldest such directories beyond the bound.
pub(super) fn quarantine(
    root: &Path,
    first: u64,
    reason: &str,
    now_ms: i64,
) -> io::Result<PathBuf> {
    let dir = segment_dir(root, first);
    let mut stamp = now_ms;
    let target = loop {
        let target = root.join(format!("{CORRUPT}{stamp:015}"));
        if !target.exists() {
            break target;
        }
        stamp += 1;
    };
    // The reason helps a person; a disk that cannot take it must not stop the recovery.
    let _ = std::fs::write(dir.join("REASON"), format!("segment {first}: {reason}\n"));
    std::fs::rename(&dir, &target)?;
    sync_dir(root)?;
    let quarantines = list(root)?.quarantines;
    for old in quarantines.iter().rev().skip(WAL_QUARANTINES) {
        std::fs::remove_dir_all(old)?;
    }
    Ok(target)
}

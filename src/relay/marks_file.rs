//! The file that keeps the relay's marks across restarts, beside the WAL.
//!
//! Written aside, synced and renamed, so that a crash leaves the old one or the new one. Losing it costs
//! only work: the relay then publishes everything in the WAL's grace again, under the same ids.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::relay::marks::PublishMarks;

const NAME: &str = "RELAY";

/// Where the marks are kept.
#[derive(Debug, Clone)]
pub struct MarksFile {
    dir: PathBuf,
}

impl MarksFile {
    /// Names the file in a directory that exists.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Reads the marks; a file that is missing or damaged gives none.
    pub fn read(&self) -> io::Result<PublishMarks> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(PublishMarks::default());
            }
            Err(error) => return Err(error),
        };
        Ok(PublishMarks::decode(&bytes).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the relay's marks are unreadable: it begins without");
            PublishMarks::default()
        }))
    }

    /// Replaces the marks; blocks until they are synced.
    pub fn write(&self, marks: &PublishMarks) -> io::Result<()> {
        let aside = self.dir.join(format!("{NAME}.tmp"));
        let mut file = File::create(&aside)?;
        file.write_all(&marks.encode())?;
        file.sync_all()?;
        fs::rename(&aside, self.path())?;
        sync_dir(&self.dir)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Epoch, Mark};

    #[test]
    fn marks_are_read_back_and_damage_reads_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = MarksFile::new(dir.path());
        assert_eq!(file.read().unwrap(), PublishMarks::default());
        let mut marks = PublishMarks::of(Epoch("one".into()));
        marks.push(3, Mark { sequence: 9, hash: [1; 16] });
        file.write(&marks).unwrap();
        assert_eq!(file.read().unwrap(), marks);
        fs::write(dir.path().join(NAME), b"WRLY\x01nonsense").unwrap();
        assert_eq!(file.read().unwrap(), PublishMarks::default());
    }
}

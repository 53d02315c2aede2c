//! What the local provider remembers between rollouts: which place is live, and which binary runs where.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::rollout::provider::ProviderError;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub live: Option<String>,
    pub binaries: BTreeMap<String, PathBuf>,
}

fn file(dir: &Path) -> PathBuf {
    dir.join("local.json")
}

impl Remembered {
    pub fn read(dir: &Path) -> Result<Self, ProviderError> {
        let path = file(dir);
        let failed = |error: String| ProviderError::last(format!("{}: {error}", path.display()));
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Writes it whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<(), ProviderError> {
        let (path, beside) = (file(dir), dir.join("local.new"));
        let text = serde_json::to_vec(self).expect("names and paths always serialize");
        let written = fs::create_dir_all(dir)
            .and_then(|()| File::create(&beside))
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, &path));
        written.map_err(|error| ProviderError::last(format!("{}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_nonsense_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Remembered::read(dir.path()).unwrap(), Remembered::default());
        let binaries = [("blue".to_owned(), "/weir-1".into())].into();
        let written = Remembered { live: Some("blue".into()), binaries };
        written.write(dir.path()).unwrap();
        assert_eq!(Remembered::read(dir.path()).unwrap(), written);
        fs::write(file(dir.path()), "no").unwrap();
        assert!(Remembered::read(dir.path()).unwrap_err().detail.contains("local.json"));
    }
}

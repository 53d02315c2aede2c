//! Secrets in files of their own, and those that systemd gives to a unit.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::contract::{Fault, Fetched, Source, checked};
use crate::secret::{SecretError, SecretSource};

/// One file.
pub(super) struct FileSource(pub PathBuf);

/// A credential of the unit; absent where systemd gives none.
pub(super) fn credential(folder: Option<&Path>, name: &str) -> Result<FileSource, Fault> {
    let told = || {
        Fault::person(
            "systemd gives this process no credentials: add LoadCredential= to its unit, or set \
             CREDENTIALS_DIRECTORY",
        )
    };
    folder.map(|folder| FileSource(folder.join(name))).ok_or_else(told)
}

#[async_trait]
impl Source for FileSource {
    async fn fetch(&self) -> Result<Fetched, Fault> {
        let source = SecretSource::File(self.0.clone());
        // A file that is not there yet may be put there by somebody who starts at the same time.
        let read = source.read().map_err(|error| match &error {
            SecretError::Unreadable { error: cause, .. }
                if cause.kind() == std::io::ErrorKind::NotFound =>
            {
                Fault::retry(error.to_string())
            }
            _ => Fault::person(error.to_string()),
        })?;
        let value = checked(read.expose())?;
        Ok(Fetched { value, version: changed_at(&self.0), holds: None })
    }
}

/// When a file was written, in milliseconds since 1970: nothing of what is in it.
fn changed_at(path: &Path) -> String {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let since = written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or_else(String::new, |since| since.as_millis().to_string())
}

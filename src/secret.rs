//! Secrets: values that no log, error or Debug output may ever show.
//!
//! A secret is read from where it is kept whenever a connection needs it, so that a file that was
//! replaced counts without a restart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::limits::SECRET_BYTES;

/// A value that is shown as `(hidden)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Value(Secret),
    /// A file that holds the secret alone; one line end after it is not part of it.
    File(PathBuf),
}

/// Why a secret cannot be read. Never tells any of its bytes.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret file {path} cannot be read: {error}")]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("the secret file {0} is empty")]
    Empty(PathBuf),
    #[error("the secret file {0} has more than {SECRET_BYTES} bytes: is it the right file?")]
    TooLong(PathBuf),
    #[error("the secret file {0} is not UTF-8 text")]
    NotText(PathBuf),
}

impl SecretSource {
    /// Reads the secret as it is now.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::File(path) => read_file(path),
        }
    }
}

fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let bytes = std::fs::read(path)
        .map_err(|error| SecretError::Unreadable { path: path.to_owned(), error })?;
    if bytes.len() > SECRET_BYTES {
        return Err(SecretError::TooLong(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.to_owned()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(SecretError::Empty(path.to_owned()));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        let source = SecretSource::Value(secret.clone());
        assert_eq!(format!("{secret:?} {source:?}"), "(hidden) Value((hidden))");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_file_is_read_anew_and_its_faults_are_told_without_its_bytes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("password");
        let source = SecretSource::File(path.clone());
        assert!(matches!(source.read(), Err(SecretError::Unreadable { .. })));
        for (bytes, told) in [
            (&b"one\n"[..], Ok("one")),
            (b"two words\r\n", Ok("two words")),
            (b"\n", Err("is empty")),
            (b"\xff\xfe", Err("is not UTF-8")),
            (&vec![b'x'; SECRET_BYTES + 1], Err("has more than")),
        ] {
            std::fs::write(&path, bytes).expect("the file is written");
            match (source.read(), told) {
                (Ok(secret), Ok(expected)) => assert_eq!(secret.expose(), expected),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{error}");
                }
                (read, _) => panic!("{read:?}"),
            }
        }
    }
}

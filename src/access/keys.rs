//! The keys as all processes keep them: a bucket, and a copy of it on disk for starts without NATS.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::key::{Key, NewKey};
use super::secret_text::SecretText;
use crate::clock;
use crate::limits::{KEY_SECRETS, RECORD_WRITES};
use crate::stream::{KvEntries, KvStore, QueueError};

const PREFIX: &str = "key.";

/// Makes and changes keys. Clones share the bucket.
#[derive(Clone)]
pub struct Keys {
    kv: KvStore,
}

/// A key that was made, or got another secret: the only time its text can be had.
#[derive(Debug, Clone)]
pub struct Made {
    pub key: Key,
    text: SecretText,
}

impl Made {
    /// The text that opens the key, for the one who asked for it.
    pub fn expose(&self) -> String {
        self.text.expose()
    }
}

/// Why keys cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("{0}")]
    NotAKey(String),
    #[error("there is no key {0}: weir keys list tells those that there are")]
    NoSuchKey(String),
    #[error("the key {0} is revoked or at its end; make another with weir keys create")]
    Revoked(String),
    #[error(
        "the key {0} has {KEY_SECRETS} texts that work: wait until one has ended, or end them with --overlap 0s"
    )]
    TooManySecrets(String),
    #[error("somebody else has just changed this key: look again with weir keys list")]
    Conflict,
    #[error("the keys cannot be reached now: {0}")]
    Unavailable(QueueError),
}

impl From<QueueError> for KeysError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Conflict => Self::Conflict,
            other => Self::Unavailable(other),
        }
    }
}

impl KeysError {
    /// Says whether the same again may help without anybody's doing.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(error) => error.is_retryable(),
            _ => false,
        }
    }
}

impl Keys {
    pub fn new(kv: KvStore) -> Self {
        Self { kv }
    }

    /// Returns all keys, also those that are revoked, the oldest first.
    pub async fn list(&self) -> Result<Vec<Key>, KeysError> {
        let mut keys = read_entries(&self.kv.entries(PREFIX).await?);
        keys.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        Ok(keys)
    }

    /// Makes a key.
    pub async fn create(&self, wanted: NewKey) -> Result<Made, KeysError> {
        wanted.check().map_err(KeysError::NotAKey)?;
        let (key, text) = Key::new(wanted, clock::now_ms());
        self.kv.create(&format!("{PREFIX}{}", key.id), encode(&key)).await?;
        Ok(Made { key, text })
    }

    /// Ends a key at once, on every process that NATS reaches. A key that is revoked stays so.
    pub async fn revoke(&self, id: &str) -> Result<Key, KeysError> {
        let now = clock::now_ms();
        let revoke = |key: &mut Key| {
            key.revoked_ms.get_or_insert(now);
            Ok(())
        };
        self.change(id, revoke).await.map(|(key, ())| key)
    }

    /// Gives a key another secret; those before open for `overlap_ms` more.
    pub async fn rotate(&self, id: &str, overlap_ms: u64) -> Result<Made, KeysError> {
        let now = clock::now_ms();
        let rotate = |key: &mut Key| {
            if !key.is_valid(now) {
                return Err(KeysError::Revoked(key.id.clone()));
            }
            // With an overlap, those of now go on beside the new one.
            if overlap_ms > 0 && key.open_secrets(now) >= KEY_SECRETS {
                return Err(KeysError::TooManySecrets(key.id.clone()));
            }
            Ok(key.rotate(overlap_ms, now))
        };
        self.change(id, rotate).await.map(|(key, text)| Made { key, text })
    }

    async fn change<T>(
        &self,
        id: &str,
        change: impl Fn(&mut Key) -> Result<T, KeysError>,
    ) -> Result<(Key, T), KeysError> {
        let nobody = || KeysError::NoSuchKey(id.to_owned());
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) || id.is_empty() {
            return Err(nobody());
        }
        let name = format!("{PREFIX}{id}");
        for _ in 0..RECORD_WRITES {
            let (value, revision) = self.kv.get(&name).await?.ok_or_else(nobody)?;
            let mut key: Key = serde_json::from_slice(&value).map_err(|_| nobody())?;
            let told = change(&mut key)?;
            match self.kv.update(&name, encode(&key), revision).await {
                Ok(_) => return Ok((key, told)),
                Err(QueueError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KeysError::Conflict)
    }

    /// Makes the bucket if there is none.
    pub(super) async fn ensure(&self) -> Result<(), KeysError> {
        Ok(self.kv.ensure().await?)
    }

    pub(super) fn kv(&self) -> &KvStore {
        &self.kv
    }
}

/// Reads the keys of a copy of the bucket. One that this version cannot read opens nothing, and is told.
pub(super) fn read_entries(entries: &KvEntries) -> Vec<Key> {
    let read = |(name, (value, _)): (&String, &(Bytes, u64))| {
        serde_json::from_slice::<Key>(value)
            .inspect_err(
                |error| tracing::warn!(name, %error, "a key cannot be read, so it opens nothing"),
            )
            .ok()
    };
    entries.iter().filter_map(read).collect()
}

fn encode(key: &Key) -> Bytes {
    serde_json::to_vec(key).expect("a key always serializes").into()
}

/// Reads the copy on disk; `None` if there is none that can be read.
pub(super) fn read_copy(path: &Path) -> Option<Vec<Key>> {
    let bytes = std::fs::read(path).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "the copy of the keys cannot be read"))
        .ok()
}

/// Writes the copy on disk, whole or not at all, for nobody but its owner.
pub(super) fn write_copy(path: &Path, keys: &[&Key]) -> std::io::Result<()> {
    // Two roles may share a data directory: each writes a file of its own before it takes the place.
    let new = PathBuf::from(format!("{}.{}.new", path.display(), std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(&serde_json::to_vec(keys).expect("keys always serialize"))?;
    file.sync_data()?;
    std::fs::rename(&new, path)
}

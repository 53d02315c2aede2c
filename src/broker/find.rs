//! Finds a nats-server that is new enough.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;

/// Ids inside atomic batches are deduplicated from this version on.
const OLDEST: Version = Version(2, 12, 1);
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// From `target/<profile>/deps/weir` to the repository.
const EXECUTABLE_DEPTH: usize = 5;

/// A server's version: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A nats-server that runs and is new enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub path: PathBuf,
    pub version: Version,
}

/// Why no server was found. Final: a person has to install one.
#[derive(Debug, Error)]
pub enum FindError {
    #[error(
        "the nats-server at {path} cannot be used: {cause}; name another one, or run scripts/setup"
    )]
    Named { path: PathBuf, cause: Unfit },
    #[error(
        "no nats-server of version {OLDEST} or newer was found{tried}; run scripts/setup, or name one with --nats-server"
    )]
    Nowhere { tried: Tried },
}

/// Why one server cannot be used.
#[derive(Debug, Error)]
pub enum Unfit {
    #[error("it does not run: {0}")]
    Runs(#[from] std::io::Error),
    #[error("it does not answer --version in time")]
    Silent,
    #[error("it does not tell its version")]
    Unknown,
    #[error("it is version {0}, older than {OLDEST}")]
    Old(Version),
}

/// The servers that were found and could not be used.
#[derive(Debug)]
pub struct Tried(Vec<(PathBuf, Unfit)>);

impl fmt::Display for Tried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, unfit) in &self.0 {
            write!(formatter, " ({}: {unfit})", path.display())?;
        }
        Ok(())
    }
}

/// Returns the named server, or else the first fit one of: `.tools/bin` of the working directory, of the
/// repository the executable stands in, the PATH.
pub async fn find_server(named: Option<&Path>) -> Result<Server, FindError> {
    if let Some(path) = named {
        return check(path)
            .await
            .map_err(|cause| FindError::Named { path: path.to_owned(), cause });
    }
    let mut tried = Vec::new();
    for path in candidates() {
        match check(&path).await {
            Ok(server) => return Ok(server),
            Err(unfit) => tried.push((path, unfit)),
        }
    }
    Err(FindError::Nowhere { tried: Tried(tried) })
}

fn candidates() -> Vec<PathBuf> {
    let executable = env::current_exe().unwrap_or_default();
    let tools = env::current_dir()
        .into_iter()
        .chain(executable.ancestors().skip(1).take(EXECUTABLE_DEPTH).map(Path::to_owned))
        .map(|folder| folder.join(".tools/bin"));
    let search = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = tools
        .chain(env::split_paths(&search))
        .map(|folder| folder.join("nats-server"))
        .filter(|path| path.is_file())
        .collect();
    found.dedup();
    found
}

async fn check(path: &Path) -> Result<Server, Unfit> {
    let asked =
        Command::new(path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let output =
        tokio::time::timeout(ANSWER_DEADLINE, asked).await.map_err(|_| Unfit::Silent)??;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = parse_version(&text).ok_or(Unfit::Unknown)?;
    if version < OLDEST {
        return Err(Unfit::Old(version));
    }
    let path = path.canonicalize()?;
    Ok(Server { path, version })
}

/// Reads `nats-server: v2.15.1`, also with a suffix like `-RC.1`.
fn parse_version(text: &str) -> Option<Version> {
    let (_, version) = text.trim().split_once("nats-server: v")?;
    let mut parts =
        version.split(|character: char| !character.is_ascii_digit()).map(|part| part.parse().ok());
    Some(Version(parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("nats-server");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn versions_are_read_from_the_servers_words() {
        assert_eq!(parse_version("nats-server: v2.15.1\n"), Some(Version(2, 15, 1)));
        assert_eq!(parse_version("nats-server: v2.14.0-RC.2"), Some(Version(2, 14, 0)));
        assert_eq!(parse_version("nats-server: v2"), None);
        assert_eq!(parse_version("bash: 5.2.1"), None);
        assert!(Version(2, 9, 10) < OLDEST && Version(2, 12, 1) >= OLDEST);
    }

    #[tokio::test]
    async fn a_named_server_that_is_too_old_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = fake(folder.path(), "echo nats-server: v2.9.10");
        let error = find_server(Some(&path)).await.unwrap_err().to_string();
        assert!(error.contains("version 2.9.10, older than 2.12.1"), "{error}");
        assert!(error.contains("scripts/setup"), "{error}");
    }

    #[tokio::test]
    async fn a_named_server_that_is_missing_or_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nothing");
        let error = find_server(Some(&missing)).await.unwrap_err();
        assert!(error.to_string().contains("does not run"), "{error}");
        let other = fake(folder.path(), "echo hello");
        let error = find_server(Some(&other)).await.unwrap_err();
        assert!(error.to_string().contains("does not tell"), "{error}");
    }

    #[tokio::test]
    async fn a_named_server_that_is_new_enough_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = fake(folder.path(), "echo nats-server: v2.12.1");
        let server = find_server(Some(&path)).await.unwrap();
        assert_eq!(server.version, Version(2, 12, 1));
    }
}

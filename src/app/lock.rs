//! One process a role and data directory.

use std::fs::{self, File, TryLockError};

use anyhow::{Context, bail};

use super::options::Layout;
use super::roles::Roles;

/// Holds the data directory for some roles; given back when dropped.
pub(super) struct Lock {
    _files: Vec<File>,
}

/// Takes the data directory for the roles that keep files there. So a gateway and an API may share one,
/// and two gateways may not.
pub(super) fn lock(layout: &Layout, roles: Roles) -> anyhow::Result<Lock> {
    let mut files = Vec::new();
    for role in roles.with_files() {
        fs::create_dir_all(layout.root()).with_context(|| {
            format!("cannot make the data directory {}", layout.root().display())
        })?;
        let path = layout.lock(role.name());
        let file =
            File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => files.push(file),
            Err(TryLockError::WouldBlock) => bail!(
                "another weir uses the data directory {} as {}: stop it, or choose another with --data-dir",
                layout.root().display(),
                role.name()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
    Ok(Lock { _files: files })
}

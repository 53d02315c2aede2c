//! Open files: as many as the system lets a process have, since each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Settings;
use crate::limits::FILES_BESIDE;

/// Raises the soft limit to the hard one, and says so if connections may take more.
pub(super) fn raise_limit(settings: &Settings) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = if raised.is_ok() { maximum } else { current };
    let needed = settings.gateway.max_connections as u64 + FILES_BESIDE;
    if files.is_some_and(|files| files < needed) {
        tracing::warn!(
            files,
            needed,
            "connections may take more files than this process may open: raise its limit (LimitNOFILE), \
             or lower gateway.max_connections"
        );
    }
}

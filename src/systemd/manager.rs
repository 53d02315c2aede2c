//! The way to whoever started this process and wants to know how it does.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use super::news::{News, datagram};

/// Tells news to systemd, if that asked for them; clones share the way.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    way: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// Reads where news go and how often a sign of life is due. The variables stay, since taking them away is not
    /// safe in a process of several threads; whoever starts a child leaves them out.
    pub fn from_env() -> Self {
        let name = env::var_os("NOTIFY_SOCKET").unwrap_or_default();
        let way = address(&name).and_then(|address| match datagram_socket() {
            Ok(socket) => Some(Arc::new((socket, address))),
            Err(error) => {
                tracing::warn!(%error, "systemd will not be told how weir does");
                None
            }
        });
        let watchdog = way.as_ref().and_then(|_| {
            interval(env::var_os("WATCHDOG_USEC"), env::var_os("WATCHDOG_PID"), std::process::id())
        });
        Self { way, watchdog }
    }

    /// Whether anybody listens.
    pub fn is_there(&self) -> bool {
        self.way.is_some()
    }

    /// Without a sign of life for this long, the process is killed; `None` if none is asked for.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells all of it in one message. What cannot be sent at once is lost, and the next will be later.
    pub fn tell(&self, news: &[News]) {
        let Some(way) = &self.way else { return };
        if news.is_empty() {
            return;
        }
        let (socket, address) = &**way;
        if let Err(error) = socket.send_to_addr(datagram(news).as_bytes(), address) {
            tracing::debug!(%error, "systemd was not told");
        }
    }
}

/// Never waits: the loop that tells is not to be held up by whoever listens.
fn datagram_socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An absolute path, or a name in the abstract space after `@`; others are not for us.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).ok(),
        _ => None,
    }
}

/// The interval that is meant for process `own`, if there is one.
fn interval(usec: Option<OsString>, pid: Option<OsString>, own: u32) -> Option<Duration> {
    let number = |text: OsString| text.to_str()?.parse::<u64>().ok();
    if pid.is_some_and(|pid| number(pid) != Some(u64::from(own))) {
        return None;
    }
    number(usec?).filter(|usec| *usec > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_counts_for_the_process_that_it_names() {
        let of = |usec: &str, pid: Option<&str>| {
            interval(Some(usec.into()), pid.map(OsString::from), 42)
        };
        assert_eq!(of("3000000", None), Some(Duration::from_secs(3)));
        assert_eq!(of("3000000", Some("42")), Some(Duration::from_secs(3)));
        assert_eq!(of("3000000", Some("41")), None);
        assert_eq!(of("0", None), None);
        assert_eq!(of("soon", None), None);
        assert_eq!(interval(None, None, 42), None);
    }

    #[test]
    fn news_go_to_a_path_or_to_an_abstract_name() {
        let path = address(OsStr::new("/run/systemd/notify")).expect("a path");
        assert!(path.as_pathname().is_some());
        let name = address(OsStr::new("@weir")).expect("a name");
        assert_eq!(name.as_abstract_name(), Some(&b"weir"[..]));
        assert!(address(OsStr::new("vsock:2:1")).is_none() && address(OsStr::new("")).is_none());
    }

    #[test]
    fn nobody_is_told_where_nobody_listens() {
        let manager = Manager::default();
        manager.tell(&[News::Ready]);
        assert!(!manager.is_there() && manager.watchdog().is_none());
    }
}

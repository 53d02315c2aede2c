//! The child's ports: free ones, kept across restarts as long as nobody else took them.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// The ports on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub client: u16,
    pub monitor: u16,
}

/// Returns the ports stored in `file` if both are free, else two free ones, which it stores there.
pub(super) fn choose(file: &Path) -> io::Result<Ports> {
    let stored = fs::read_to_string(file).ok().and_then(|text| parse(&text));
    if let Some(ports) = stored {
        if is_free(ports.client) && is_free(ports.monitor) {
            return Ok(ports);
        }
        tracing::warn!(
            client = ports.client,
            monitor = ports.monitor,
            "the ports of the last run are taken, nats-server gets new ones"
        );
    }
    // Both are held until both are known, or they could be one.
    let client = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let monitor = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ports =
        Ports { client: client.local_addr()?.port(), monitor: monitor.local_addr()?.port() };
    fs::write(file, format!("{} {}\n", ports.client, ports.monitor))?;
    Ok(ports)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn parse(text: &str) -> Option<Ports> {
    let (client, monitor) = text.trim().split_once(' ')?;
    let ports = Ports { client: client.parse().ok()?, monitor: monitor.parse().ok()? };
    (ports.client != ports.monitor && ports.client != 0 && ports.monitor != 0).then_some(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_while_they_are_free_and_changed_when_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ports");
        let first = choose(&file).unwrap();
        assert_eq!(choose(&file).unwrap(), first);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first.client)).unwrap();
        let second = choose(&file).unwrap();
        assert_ne!(second.client, first.client);
        assert_eq!(choose(&file).unwrap(), second);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ports");
        for nonsense in ["", "a b", "1", "0 5", "77 77", "99999 1"] {
            fs::write(&file, nonsense).unwrap();
            let ports = choose(&file).unwrap();
            let stored = fs::read_to_string(&file).unwrap();
            assert_eq!(parse(&stored), Some(ports), "after {nonsense:?}");
        }
    }
}

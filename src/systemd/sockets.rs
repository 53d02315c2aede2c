//! Sockets that systemd has opened for this process, by the names that its units give them.
//!
//! They stay open while weir restarts, so that whoever connects meanwhile waits instead of being refused.

use std::env;
use std::net::TcpListener;

use listenfd::ListenFd;
use thiserror::Error;

/// The listeners that were handed over; what was not is bound by weir itself.
#[derive(Debug, Default)]
pub struct Sockets {
    pub public: Option<TcpListener>,
    pub admin: Option<TcpListener>,
}

/// Sockets that weir cannot use. Final: a person has to change the unit.
#[derive(Debug, Error)]
pub enum SocketsError {
    #[error(
        "systemd hands over a socket called {0:?}, and weir knows public and admin: set FileDescriptorName= \
         in the socket unit"
    )]
    Unknown(String),
    #[error(
        "systemd hands over two sockets for the {0} listener, and weir serves one: keep one ListenStream=, \
         which takes IPv4 and IPv6 if it names a port alone"
    )]
    Twice(&'static str),
    #[error("the socket that systemd hands over for the {name} listener cannot be used: {source}")]
    Unfit { name: &'static str, source: std::io::Error },
}

/// Which listener a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    Public,
    Admin,
}

impl Listener {
    fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

impl Sockets {
    /// Takes the sockets that are meant for this process, and the variables that tell of them out of its
    /// environment. Call it while the process has one thread.
    pub fn from_env() -> Result<Self, SocketsError> {
        // Not removed: nobody reads the names without the numbers.
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut found = ListenFd::from_env();
        let names: Vec<&str> = names.split(':').collect();
        let mut sockets = Self::default();
        for (index, listener) in assign(found.len(), &names)?.into_iter().enumerate() {
            let name = listener.name();
            let taken = found.take_tcp_listener(index);
            let taken = taken.map_err(|source| SocketsError::Unfit { name, source })?;
            match listener {
                Listener::Public => sockets.public = taken,
                Listener::Admin => sockets.admin = taken,
            }
        }
        Ok(sockets)
    }
}

/// Says what each of so many sockets is for. A single one without a name of ours is the public one: so do
/// `systemd-socket-activate` and a socket unit without `FileDescriptorName=` name it.
fn assign(count: usize, names: &[&str]) -> Result<Vec<Listener>, SocketsError> {
    let mut all: Vec<Listener> = Vec::new();
    for index in 0..count {
        let listener = match names.get(index).copied().unwrap_or_default() {
            "public" => Listener::Public,
            "admin" => Listener::Admin,
            _ if count == 1 => Listener::Public,
            other => return Err(SocketsError::Unknown(other.to_owned())),
        };
        if all.contains(&listener) {
            return Err(SocketsError::Twice(listener.name()));
        }
        all.push(listener);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_known_by_their_names_in_any_order() {
        assert_eq!(assign(0, &[""]).unwrap(), []);
        assert_eq!(assign(1, &["admin"]).unwrap(), [Listener::Admin]);
        let both = assign(2, &["admin", "public"]).unwrap();
        assert_eq!(both, [Listener::Admin, Listener::Public]);
    }

    #[test]
    fn a_single_socket_without_a_name_of_ours_is_the_public_one() {
        for name in ["", "unknown", "weir-gateway.socket"] {
            assert_eq!(assign(1, &[name]).unwrap(), [Listener::Public]);
        }
        assert_eq!(assign(1, &[]).unwrap(), [Listener::Public]);
    }

    #[test]
    fn what_cannot_be_served_is_told_with_what_to_change() {
        let told = |count, names: &[&str]| assign(count, names).unwrap_err().to_string();
        assert!(told(2, &["public", "web"]).contains("\"web\""));
        assert!(told(2, &["public"]).contains("FileDescriptorName="));
        assert!(told(2, &["public", "public"]).contains("two sockets for the public listener"));
    }
}

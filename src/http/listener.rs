//! Binding, apart from serving: all ports are known to be ours before any component starts.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};

use super::tls::Tls;
use crate::limits::HTTP_BACKLOG;

/// A bound listener that nobody serves yet; connections wait in the kernel's queue.
#[derive(Debug)]
pub struct Bound {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Tls>,
    address: SocketAddr,
}

/// An address that could not be bound. Final: a person has to change something.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}; choose another address or stop what listens there")]
pub struct BindError {
    address: String,
    source: io::Error,
}

/// Binds `host:port`; port 0 takes a free one, told by [`Bound::address`].
pub async fn bind(address: &str) -> Result<Bound, BindError> {
    let failed = |source| BindError { address: address.to_owned(), source };
    let listener = listen(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, tls: None, address })
}

/// Listens with a longer queue than tokio's own, so that a storm of connections delays others less.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in tokio::net::lookup_host(address).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(HTTP_BACKLOG)
}

/// Takes a listener that somebody else has bound. Needs a runtime.
pub fn adopt(listener: std::net::TcpListener) -> io::Result<Bound> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok(Bound { listener: TcpListener::from_std(listener)?, tls: None, address })
}

impl Bound {
    /// Has the listener speak TLS, if `tls` is set, and nothing else then.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Returns the address in use, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

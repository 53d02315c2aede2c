//! Binding, apart from serving: all ports are known to be ours before any component starts.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::net::TcpListener;

use super::tls::Tls;

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
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, tls: None, address })
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

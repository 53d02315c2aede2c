//! Who sends a request.

use std::net::IpAddr;

/// The address that a request comes from: the peer's, or what a trusted proxy says.
///
/// The router's handlers find it among the request's extensions, a fast path gets it beside the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

//! Tokens that others issue (JWT, RFC 7519): who signed them is known by a set of keys (JWKS, RFC 7517).
//!
//! Only asymmetric algorithms of a pinned list are taken, and issuer, audience and end must be there. Keys are
//! fetched by a task of its own; a decision never waits for the network.

mod claims;
mod fetch;
mod tokens;

pub use fetch::JwksSource;
pub use tokens::{JwtOptions, Tokens};

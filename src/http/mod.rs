//! The shared HTTP edge: a hardened server of HTTP/1.1 and HTTP/2, TLS, problems (RFC 9457), and bounded bodies.
//!
//! Bind first, serve later: a port that is taken is told before anything else starts.
//! What the server bounds, in the order a request meets it: connections in total and a peer (a new one takes a
//! silent one's place), the TLS handshake, time and size of the head, `Host`, then (in the handlers, through
//! [`BodyReader`]) size and pace of the body, and the room of all bodies together.

mod answered;
mod body;
mod budget;
mod certificate;
mod client;
mod connections;
mod cors;
mod edge;
mod forwarded;
mod json;
mod listener;
mod pace;
mod problem;
mod protocol;
mod seat;
mod serve;
mod session;
mod streams;
mod tls;
#[cfg(test)]
mod wire;

pub use body::{BodyError, BodyLimits, BodyReader, read_body};
pub use budget::{BodyBudget, Hold};
pub use certificate::{TlsError, TlsFiles};
pub use client::ClientAddress;
pub use cors::Cors;
pub use edge::{Answer, App};
pub use forwarded::{ForwardedBy, Proxies};
pub use json::json;
pub use listener::{BindError, Bound, adopt, bind};
pub use problem::{BODY_PROBLEMS, Problem, ProblemError, problem_schema};
pub use serve::{Drained, ServeOptions, serve};
pub use tls::Tls;

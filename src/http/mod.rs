//! The shared HTTP edge: a hardened HTTP/1.1 server, problems (RFC 9457), and bounded bodies.
//!
//! Bind first, serve later: a port that is taken is told before anything else starts.
//! What the server bounds, in the order a request meets it: connections in total and a peer, time and
//! size of the head, `Host`, then (in the handlers, through [`read_body`]) size and pace of the body.

mod body;
mod budget;
mod client;
mod connections;
mod cors;
mod edge;
mod json;
mod listener;
mod pace;
mod problem;
mod serve;
#[cfg(test)]
mod wire;

pub use body::{BodyError, BodyLimits, BodyReader, read_body};
pub use budget::{BodyBudget, Hold};
pub use client::ClientAddress;
pub use cors::Cors;
pub use edge::{Answer, App};
pub use json::json;
pub use listener::{BindError, Bound, bind};
pub use problem::{Problem, ProblemError};
pub use serve::{Drained, ServeOptions, serve};

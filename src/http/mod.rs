//! The shared HTTP edge: a hardened HTTP/1.1 server, problems (RFC 9457), and bounded bodies.
//!
//! Bind first, serve later: a port that is taken is told before anything else starts.
//! What the server bounds, in the order a request meets it: connections in total and a peer, time and
//! size of the head, `Host`, then (in the handlers, through [`read_body`]) size and pace of the body.

mod body;
mod connections;
mod edge;
mod json;
mod listener;
mod problem;
mod serve;
#[cfg(test)]
mod wire;

pub use body::{BodyError, BodyLimits, read_body};
pub use edge::{Answer, App};
pub use json::json;
pub use listener::{BindError, Bound, bind};
pub use problem::{BODY_PROBLEMS, Problem, ProblemError, problem_schema};
pub use serve::{Drained, ServeOptions, serve};

//! Rollouts: a good version comes out, a worse one goes back by itself, and nothing that was answered is lost.

mod aws;
mod local;
mod projection;

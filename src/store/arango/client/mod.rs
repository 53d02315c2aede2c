//! One server: its session, token and deadlines, and how much may be asked of it at once.

mod cursor;
mod database;
mod exchange;
mod gate;
mod limiter;
mod login;
mod options;
mod password;
mod server;
mod session;
mod token;

pub use database::Database;
pub use options::{ArangoOptions, OptionsError};
pub use server::{Arango, ServerFacts};

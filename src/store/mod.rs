//! Stores: where a graph lives. [`Store`] is the contract, `memory` and `arango` keep it.

pub mod arango;
mod breaker;
mod contract;
pub mod memory;

pub use breaker::{Breaker, BreakerOptions, Permit};
pub use contract::{
    Document, Failure, HistoryCursor, HistoryEntry, HistoryPage, HistoryQuestion, Recommended,
    Remedy, Store, Verdict,
};

//! Stores: where a graph lives. [`Store`] is the contract, `memory` and `arango` keep it.

pub mod arango;
mod contract;
pub mod memory;

pub use contract::{
    Document, Failure, HistoryCursor, HistoryEntry, HistoryPage, HistoryQuestion, Recommended,
    Remedy, Store, Verdict,
};

//! Proof that a graph is what its log says, while events flow.
//!
//! Pure: `shadow` is what the log says, `compare` what a scan found beside it, `behind` the events behind what
//! differs, each document named by a hash (`doc`). `pending` lists what is set aside, `scan` reads the graph,
//! `run` puts it together.

mod behind;
mod compare;
mod doc;
mod error;
mod pending;
mod run;
mod scan;
mod shadow;

#[cfg(test)]
mod tests;

pub(in crate::replay) use doc::DocId;
pub use error::VerifyError;
pub use pending::Aside;
pub use run::verify;
pub(in crate::replay) use run::verify_paced;

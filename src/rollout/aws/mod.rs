//! Two groups of instances behind a load balancer of AWS, driven through its command line.

mod answers;
mod cli;
mod options;
mod provider;

pub use cli::Cli;
pub use options::{AwsOptions, Group, Route};
pub use provider::Aws;

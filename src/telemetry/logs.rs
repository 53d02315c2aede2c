//! Log lines go to standard error, as text for people or JSON for machines.

use std::io::{IsTerminal, stderr};
use std::str::FromStr;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat),
        }
    }
}

/// A log format that does not exist.
#[derive(Debug, Error)]
#[error("the log format is text or json")]
pub struct UnknownFormat;

/// How to log; `filter` is in the syntax of `tracing` (`info`, `weir=debug,info`).
#[derive(Clone, Debug)]
pub struct LogOptions {
    pub format: LogFormat,
    pub filter: String,
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum InitError {
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging was set up twice: {0}")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sets up logging for the whole process, once.
pub fn init_logs(options: &LogOptions) -> Result<(), InitError> {
    let filter = EnvFilter::try_new(&options.filter)?;
    let builder = fmt().with_env_filter(filter).with_writer(stderr);
    let result = match options.format {
        LogFormat::Text => builder.with_ansi(stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    result.map_err(InitError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_by_name_and_others_refused() {
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
        assert!("xml".parse::<LogFormat>().is_err());
    }

    #[test]
    fn a_filter_that_is_not_valid_is_an_error() {
        let options = LogOptions { format: LogFormat::Text, filter: "weir=loud".into() };
        assert!(matches!(init_logs(&options), Err(InitError::Filter(_))));
    }
}

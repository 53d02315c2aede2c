//! One call of the AWS command line: JSON comes back, errors are told, and throttling is waited out.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::options::AwsOptions;
use crate::limits::{ROLLOUT_COMMAND_DEADLINE, ROLLOUT_TOLD_BYTES};
use crate::rollout::provider::ProviderError;

/// Codes of errors after which the same call may work, as the AWS documentation names them.
const PASSING: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
    // Of Auto Scaling: something else is done to the same group at the moment.
    "ResourceContention",
    "ScalingActivityInProgress",
];

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The AWS command line.
#[derive(Debug, Clone)]
pub struct Cli {
    program: PathBuf,
    region: Option<String>,
    tries: u32,
    first_wait: Duration,
}

impl Cli {
    /// `program` is looked for on the PATH if it is a bare name.
    pub fn new(program: impl Into<PathBuf>, options: &AwsOptions) -> Self {
        let AwsOptions { region, tries, first_wait, .. } = options.clone();
        Self { program: program.into(), region, tries, first_wait }
    }

    /// Makes a call, again while it is throttled; what it answers is read as JSON.
    pub async fn call<T: DeserializeOwned>(&self, words: &[&str]) -> Result<T, ProviderError> {
        let mut wait = self.first_wait;
        for _ in 1..self.tries {
            match self.once(words).await {
                Err(error) if error.may_pass => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                ended => return read(words, &ended?),
            }
        }
        read(words, &self.once(words).await?)
    }

    /// The same for a call whose answer says nothing that is needed.
    pub async fn tell(&self, words: &[&str]) -> Result<(), ProviderError> {
        self.call::<serde_json::Value>(words).await.map(drop)
    }

    async fn once(&self, words: &[&str]) -> Result<Vec<u8>, ProviderError> {
        let mut command = Command::new(&self.program);
        command.args(words).args(["--output", "json"]);
        if let Some(region) = &self.region {
            command.args(["--region", region]);
        }
        // A pager would wait for a person.
        command.env("AWS_PAGER", "").stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(ROLLOUT_COMMAND_DEADLINE, command.output()).await;
        let what = told(words);
        let ended = ended.map_err(|_| ProviderError::passing(format!("{what} does not end")))?;
        let output = ended.map_err(|error| {
            let program = self.program.display();
            ProviderError::last(format!("{program} cannot be run: {error}; install the AWS CLI"))
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(failure(&what, &String::from_utf8_lossy(&output.stderr)))
    }
}

/// The service and the operation.
fn told(words: &[&str]) -> String {
    format!("aws {}", words.iter().take(2).copied().collect::<Vec<_>>().join(" "))
}

/// A call that has nothing to say prints nothing.
fn read<T: DeserializeOwned>(words: &[&str], answer: &[u8]) -> Result<T, ProviderError> {
    let answer: &[u8] = if answer.trim_ascii().is_empty() { b"{}" } else { answer };
    serde_json::from_slice(answer)
        .map_err(|error| ProviderError::last(format!("{} answers strangely: {error}", told(words))))
}

/// What the command line says of a failure: `An error occurred (CODE) when calling the … operation: …`.
fn failure(what: &str, said: &str) -> ProviderError {
    let code = said.split_once("An error occurred (").and_then(|(_, rest)| rest.split_once(')'));
    let code = code.map_or("", |(code, _)| code);
    let is_passing =
        PASSING.contains(&code) || said.contains("Could not connect to the endpoint URL");
    let said: String = said.trim().chars().take(ROLLOUT_TOLD_BYTES).collect();
    ProviderError { detail: format!("{what}: {said}"), may_pass: is_passing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_passes_and_a_mistake_does_not() {
        let of = |said: &str| failure("aws elbv2 modify-rule", said);
        let throttled = of(
            "\nAn error occurred (Throttling) when calling the ModifyRule operation (reached max retries: 2): Rate exceeded\n",
        );
        assert!(throttled.may_pass);
        assert!(
            throttled.detail.starts_with("aws elbv2 modify-rule: An error occurred (Throttling)")
        );
        let denied = of(
            "An error occurred (AccessDenied) when calling the ModifyRule operation: User is not authorized",
        );
        assert!(!denied.may_pass);
        assert!(of("Could not connect to the endpoint URL: \"https://…\"").may_pass);
        assert!(!of("Unable to locate credentials. You can configure credentials by running \"aws login\".").may_pass);
    }

    #[test]
    fn nothing_is_an_empty_answer_and_nonsense_is_told() {
        assert!(read::<serde_json::Value>(&["autoscaling", "x"], b"\n").is_ok());
        let error = read::<serde_json::Value>(&["autoscaling", "x", "--y"], b"no").unwrap_err();
        assert!(error.detail.starts_with("aws autoscaling x answers strangely"), "{error}");
    }
}

//! How nginx splits the traffic: a file of ours that its configuration includes, tested before it counts.
//!
//! The file defines one upstream a place, and the variable `$weir_version`, which names one of them for each request,
//! by a hash of the request's own random id: so requests, not clients, are split.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::options::Place;
use crate::limits::{ROLLOUT_COMMAND_DEADLINE, ROLLOUT_TOLD_BYTES};
use crate::rollout::provider::ProviderError;

/// How nginx is steered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxOptions {
    /// What weir writes; nginx includes it in `http`.
    pub file: PathBuf,
    /// Ends with 0 if the configuration is valid.
    pub test: Vec<String>,
    /// Has nginx take it.
    pub reload: Vec<String>,
}

impl NginxOptions {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.test.is_empty() || self.reload.is_empty() {
            return Err("local.nginx.test and local.nginx.reload name commands, as [\"nginx\", \"-s\", \"reload\"]".into());
        }
        Ok(())
    }

    /// Writes the file and has nginx take it; if nginx refuses it, the file is as before.
    pub(super) async fn split(
        &self,
        places: &[Place],
        (to, rest): (&Place, &Place),
        percent: u8,
    ) -> Result<(), ProviderError> {
        let before = fs::read(&self.file).ok();
        self.write(text(places, (to, rest), percent).as_bytes())?;
        if let Err(error) = run(&self.test).await {
            match before {
                Some(before) => self.write(&before)?,
                None => drop(fs::remove_file(&self.file)),
            }
            return Err(error);
        }
        run(&self.reload).await
    }

    fn write(&self, text: &[u8]) -> Result<(), ProviderError> {
        let beside = self.file.with_extension("new");
        let written = File::create(&beside)
            .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, &self.file));
        let failed = |error| ProviderError::last(format!("{}: {error}", self.file.display()));
        written.map_err(failed)
    }
}

/// The file's text.
fn text(places: &[Place], (to, rest): (&Place, &Place), percent: u8) -> String {
    let mut text = "# Written by weir rollout: what is changed here is lost.\n".to_owned();
    for place in places {
        // One refused connection does not take a version out: the rollout judges it, not nginx.
        text += &format!(
            "upstream weir_{} {{\n    server {} max_fails=0;\n    keepalive 32;\n}}\n",
            place.name, place.listen
        );
    }
    let share = match percent {
        0 => format!("    * weir_{};\n", rest.name),
        100 => format!("    * weir_{};\n", to.name),
        percent => format!("    {percent}% weir_{};\n    * weir_{};\n", to.name, rest.name),
    };
    text + &format!("split_clients \"$request_id\" $weir_version {{\n{share}}}\n")
}

/// Runs a command, and tells what it said if it fails.
async fn run(command: &[String]) -> Result<(), ProviderError> {
    let (program, arguments) = command.split_first().expect("checked before");
    let running = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .output();
    let line = command.join(" ");
    let ended = tokio::time::timeout(ROLLOUT_COMMAND_DEADLINE, running).await;
    let ended = ended.map_err(|_| ProviderError::passing(format!("{line} does not end")))?;
    let output =
        ended.map_err(|error| ProviderError::last(format!("cannot run {line}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let told: String = told.trim().chars().take(ROLLOUT_TOLD_BYTES).collect();
    Err(ProviderError::last(format!("{line} ended with {}: {told}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::super::options::options;
    use super::*;

    #[test]
    fn the_file_splits_by_the_request() {
        let places = options().places;
        let text = text(&places, (&places[1], &places[0]), 10);
        insta::assert_snapshot!(text, @r#"
        # Written by weir rollout: what is changed here is lost.
        upstream weir_blue {
            server 127.0.0.1:8180 max_fails=0;
            keepalive 32;
        }
        upstream weir_green {
            server 127.0.0.1:8280 max_fails=0;
            keepalive 32;
        }
        split_clients "$request_id" $weir_version {
            10% weir_green;
            * weir_blue;
        }
        "#);
        let all = super::text(&places, (&places[1], &places[0]), 100);
        assert!(all.contains("{\n    * weir_green;\n}"), "{all}");
        let none = super::text(&places, (&places[1], &places[0]), 0);
        assert!(none.contains("{\n    * weir_blue;\n}"), "{none}");
    }

    #[tokio::test]
    async fn what_nginx_refuses_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        let places = options().places;
        let file = dir.path().join("split.conf");
        fs::write(&file, "before").unwrap();
        let command = |text: &str| vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()];
        let split = async |test: &str| {
            let nginx =
                NginxOptions { file: file.clone(), test: command(test), reload: command("true") };
            nginx.split(&places, (&places[1], &places[0]), 50).await
        };
        let told = split("echo no such thing >&2; exit 3").await.unwrap_err();
        assert!(told.detail.contains("no such thing"), "{told}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        split("true").await.unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains("50% weir_green"));
    }
}

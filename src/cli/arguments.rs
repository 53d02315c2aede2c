//! The arguments of every command, with help that teaches.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Flag;

const AFTER_HELP: &str = "\
Examples:
  weir dev                                 everything in one process, files in ./data
  weir status                              what it does now
  curl -d '{\"userId\":\"u1\",\"itemId\":\"i1\",\"eventType\":\"viewed\"}' http://127.0.0.1:8080/ingest
  curl http://127.0.0.1:8080/recommendations/user/u1

Every command explains itself: weir help dev";

/// Keeps every user event in a log, and a graph of users and items true to it, within milliseconds.
#[derive(Clone, Debug, Parser)]
#[command(name = "weir", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process: gateway, log, graph and reads
    #[command(
        long_about = "Run everything in one process: gateway, log, graph and reads.\n\n\
            Without --nats-url a nats-server is started as a child, on a port that stays the same, with its \
            files in the data directory; it ends with weir. Ctrl-C drains: requests in flight are answered, \
            and every event that was accepted is in the write-ahead log.",
        after_help = "Examples:\n  \
            weir dev --data-dir /var/lib/weir\n  \
            weir dev --listen 0.0.0.0:8080 --admin-listen 127.0.0.1:8081\n  \
            weir dev --nats-url nats://nats.internal:4222\n  \
            WEIR_WAL__MAX_BYTES=2GiB weir dev --config weir.toml"
    )]
    Dev(SettingsArguments),

    /// Show what a running weir does
    #[command(after_help = "Examples:\n  \
        weir status\n  \
        weir status --json | jq '.generations[0].lag'\n  \
        weir status --admin-url http://10.0.0.5:8081")]
    Status {
        /// The admin listener of the running weir
        #[arg(long, env = "WEIR_ADMIN_URL", default_value = "http://127.0.0.1:8081")]
        admin_url: String,
        /// Print the answer as it came
        #[arg(long)]
        json: bool,
    },

    /// Check that the NATS server keeps the promises of durability
    #[command(after_help = "Examples:\n  \
        weir doctor\n  \
        weir doctor --nats-url nats://nats.internal:4222 --json\n  \
        WEIR_NATS__MONITOR_URL=http://nats.internal:8222 weir doctor --nats-url nats://nats.internal:4222\n\n\
        Ends with 1 if something does not keep its promise; each line says what to do.")]
    Doctor {
        #[command(flatten)]
        settings: SettingsArguments,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },

    /// Look into the write-ahead log of a weir that does not run
    #[command(subcommand)]
    Wal(WalCommand),

    /// Show or check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Become a program that ends when the parent ends
    #[command(hide = true)]
    ExecWithParent {
        /// The process that must still be the parent
        parent: u32,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        program: Vec<OsString>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub enum WalCommand {
    /// Print the log's sequences, segments and size
    #[command(after_help = "Example:\n  weir wal status --data-dir /var/lib/weir")]
    Status {
        #[command(flatten)]
        settings: SettingsArguments,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Read every record and check that it is whole; ends with 1 if one is not
    #[command(after_help = "Example:\n  weir wal verify --data-dir /var/lib/weir && echo whole")]
    Verify {
        #[command(flatten)]
        settings: SettingsArguments,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the log's events to standard output, one JSON a line
    #[command(
        after_help = "Example:\n  weir wal export --data-dir /var/lib/weir --from 1 > events.ndjson"
    )]
    Export {
        #[command(flatten)]
        settings: SettingsArguments,
        /// The first sequence to write
        #[arg(long, default_value_t = 1)]
        from: u64,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting that is in effect and where it comes from, secrets hidden
    #[command(after_help = "Examples:\n  \
        weir config show\n  \
        WEIR_WAL__MAX_BYTES=2GiB weir config show --config weir.toml")]
    Show {
        #[command(flatten)]
        settings: SettingsArguments,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Check the configuration and tell all its problems; ends with 2 if there are any
    #[command(after_help = "Example:\n  weir config check --config weir.toml")]
    Check {
        #[command(flatten)]
        settings: SettingsArguments,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Settings from the command line; they win over the environment, which wins over the file.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings (flags win over WEIR_… variables, those over the file)")]
pub struct SettingsArguments {
    /// A TOML file; weir config show lists its keys
    #[arg(long, env = "WEIR_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where all files are kept [default: data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where events come in and recommendations go out [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where metrics and the status are told [default: 127.0.0.1:8081]
    #[arg(long, value_name = "HOST:PORT")]
    admin_listen: Option<String>,
    /// A NATS server to use instead of a child
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
    /// The nats-server program for the child [default: searched for]
    #[arg(long, value_name = "FILE")]
    nats_server: Option<String>,
    /// text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// What is logged, as info,weir=debug [default: info,async_nats=warn]
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
}

impl SettingsArguments {
    /// Returns the flags that were given.
    pub fn flags(&self) -> Vec<Flag> {
        [
            ("--data-dir", "data_dir", &self.data_dir),
            ("--listen", "gateway.listen", &self.listen),
            ("--admin-listen", "admin.listen", &self.admin_listen),
            ("--nats-url", "nats.url", &self.nats_url),
            ("--nats-server", "nats.server", &self.nats_server),
            ("--log-format", "log.format", &self.log_format),
            ("--log-filter", "log.filter", &self.log_filter),
        ]
        .into_iter()
        .filter_map(|(name, key, value)| {
            let value = value.clone()?;
            Some(Flag { name, key, value })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_sets_a_key_that_exists() {
        let all = "weir dev --data-dir d --listen a:1 --admin-listen a:2 --nats-url nats://n \
            --nats-server s --log-format json --log-filter debug";
        let arguments = Arguments::parse_from(all.split_whitespace());
        let Command::Dev(settings) = arguments.command else {
            panic!("{arguments:?}");
        };
        let sources = Sources { flags: settings.flags(), ..Sources::default() };
        let text = load(&sources).unwrap().to_text();
        for flag in settings.flags() {
            let set =
                text.lines().any(|line| line.starts_with(flag.key) && line.ends_with(flag.name));
            assert!(set, "{} in\n{text}", flag.name);
        }
        assert_eq!(settings.flags().len(), 7);
    }

    #[test]
    fn the_launcher_takes_a_parent_and_a_program_with_any_arguments() {
        let line = ["weir", "exec-with-parent", "12", "--", "nats-server", "-c", "x"];
        let arguments = Arguments::parse_from(line);
        let Command::ExecWithParent { parent, program } = arguments.command else {
            panic!("{arguments:?}");
        };
        assert_eq!((parent, program.len()), (12, 3));
    }
}

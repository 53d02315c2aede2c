//! The arguments of every command, with help that teaches.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::explain::ExplainCommand;
use super::generation::GenerationCommand;
use super::job::{
    JobCommand, JumpArguments, PromoteArguments, RebuildArguments, RedriveArguments,
    ReplayArguments, RetireArguments, RollbackArguments, VerifyArguments,
};
use super::keys::KeysCommand;
use super::migrate::MigrateCommand;
use super::parked::ParkedCommand;
use super::rollout::RolloutCommand;
use super::secrets::SecretsCommand;
use super::streams::StreamsCommand;
use crate::config::Flag;

const AFTER_HELP: &str = "\
Examples:
  weir dev                                 everything in one process, files in ./data
  weir gateway --nats-url nats://n:4222    one role a process: gateway, projector, api
  weir status                              what it does now
  weir replay --from -2h --plan            what it would take to apply the last two hours again
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

    /// Take events by HTTP and bring them into the log
    #[command(
        long_about = "Take events by HTTP and bring them into the log.\n\n\
            Each event is in the write-ahead log on disk before it is answered, and is published to NATS \
            from there; while NATS is away, events wait on disk. Any number may run, each with a data \
            directory of its own. Ready (/health/ready) while its log takes writes.",
        after_help = "Examples:\n  \
            weir gateway --nats-url nats://nats.internal:4222 --data-dir /var/lib/weir\n  \
            weir gateway --nats-url nats://10.0.0.4:4222,nats://10.0.0.5:4222 --listen 0.0.0.0:8080\n  \
            WEIR_NATS__USER=weir WEIR_NATS__PASSWORD_FILE=/etc/weir/nats weir gateway --config weir.toml\n\n\
            Beside another role on one machine, give one of them another --admin-listen."
    )]
    Gateway(GatewayArguments),

    /// Apply the log to the graph in ArangoDB
    #[command(
        long_about = "Apply the log to the graph in ArangoDB.\n\n\
            Any number may run: they share the work without knowing of each other, and when one ends the \
            others take over. It keeps no files, and serves nothing but the admin listener.",
        after_help = "Examples:\n  \
            weir projector --nats-url nats://nats.internal:4222 --arango-url http://arango.internal:8529\n  \
            WEIR_ARANGO__PASSWORD_FILE=/etc/weir/arango weir projector --config weir.toml\n  \
            weir projector --config weir.toml --admin-listen 127.0.0.1:8091\n\n\
            A password is never a flag: see arango.password_file in weir config show."
    )]
    Projector(CommonArguments),

    /// Answer recommendations and histories from a graph in memory
    #[command(
        long_about = "Answer recommendations and histories from a graph in memory.\n\n\
            The graph is fed from the log and kept in a snapshot, so that a restart reads only what is new. \
            Any number may run, each with a data directory of its own; one may share that of a gateway. \
            Ready (/health/ready) once it has something to answer from.",
        after_help = "Examples:\n  \
            weir api --nats-url nats://nats.internal:4222 --data-dir /var/lib/weir\n  \
            weir api --nats-url nats://nats.internal:4222 --listen 0.0.0.0:8082 --admin-listen 127.0.0.1:8083\n  \
            curl http://127.0.0.1:8082/recommendations/user/u1\n\n\
            Beside another role on one machine, give one of them another --admin-listen."
    )]
    Api(ApiArguments),

    /// Show what a running weir does
    #[command(after_help = "Examples:\n  \
        weir status\n  \
        weir status --json | jq '.generations[0].lag'\n  \
        weir status --admin-url http://10.0.0.5:8081\n\n\
        It asks the admin listener of any role, and shows what that process has.")]
    Status {
        /// The admin listener of the running weir
        #[arg(long, env = "WEIR_ADMIN_URL", default_value = "http://127.0.0.1:8081")]
        admin_url: String,
        /// Print the answer as it came
        #[arg(long)]
        json: bool,
    },

    /// Check that the NATS server keeps the promises of durability, and that ArangoDB can be written to
    #[command(after_help = "Examples:\n  \
        weir doctor\n  \
        weir doctor --nats-url nats://nats.internal:4222 --json\n  \
        WEIR_NATS__MONITOR_URL=http://nats.internal:8222 weir doctor --nats-url nats://nats.internal:4222\n  \
        weir doctor --fleet\n\n\
        With --fleet it shows every process that works on the server's log, and what is wrong with the whole; whom\n\
        NATS does not reach is not among them, and whoever was killed is for eight seconds more.\n\
        Ends with 1 if something does not keep its promise; each line says what to do.")]
    Doctor {
        #[command(flatten)]
        settings: SettingsArguments,
        /// Show all processes that share the work on this server's log
        #[arg(long)]
        fleet: bool,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },

    /// Make the streams and buckets in NATS
    #[command(subcommand)]
    Streams(StreamsCommand),

    /// Make and check the database of a generation in ArangoDB
    #[command(subcommand)]
    Migrate(MigrateCommand),

    Replay(ReplayArguments),
    Rebuild(RebuildArguments),
    Jump(JumpArguments),
    Verify(VerifyArguments),
    Promote(PromoteArguments),
    Rollback(RollbackArguments),
    Retire(RetireArguments),
    Redrive(RedriveArguments),

    /// Look after jobs: list, show, watch, pause, resume, cancel, limit
    #[command(subcommand)]
    Job(JobCommand),

    /// Bring a new version out beside the old one, step by step, and back by itself if it is worse
    #[command(subcommand)]
    Rollout(RolloutCommand),

    /// Make, list, rotate and revoke the keys of producers, readers and operators
    #[command(subcommand)]
    Keys(KeysCommand),

    /// Look at the generations of the graph, make one, or switch to another
    #[command(subcommand)]
    Generation(GenerationCommand),

    /// Tell why an edge, a user or an item is in the graph: the events that made it
    #[command(subcommand)]
    Explain(ExplainCommand),

    /// Look at events that cannot be applied, try them again, or give them up
    #[command(subcommand)]
    Parked(ParkedCommand),

    /// Look into the write-ahead log of a weir that does not run
    #[command(subcommand)]
    Wal(WalCommand),

    /// Fetch the secrets of this machine from where they are kept, and keep them true
    #[command(subcommand)]
    Secrets(SecretsCommand),

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
    /// Publish what the log has and the stream lost, under the same ids, and tell of each
    #[command(
        long_about = "Publish what the log has and the stream lost, under the same ids, and tell of each.\n\n\
            For a weir that does not run: a gateway that runs does it by itself. The stream is read back, and what \
            is not there is published. What was trimmed from the stream's beginning stays away, and so does what \
            was deleted from its middle; if that cannot be told from a loss, the entry is only named.",
        after_help = "Examples:\n  \
            weir wal reconcile --plan --data-dir /var/lib/weir --nats-url nats://nats.internal:4222\n  \
            weir wal reconcile --config weir.toml\n  \
            weir wal reconcile --config weir.toml --json | jq -r 'select(.found == \"healed\") | .sequence'\n\n\
            The last line of --json is the summary. Ends with 0 if the stream holds all that it should, 1 if it \
            does not, or if that cannot be told."
    )]
    Reconcile {
        /// Tell what would be done, and do nothing
        #[arg(long)]
        plan: bool,
        /// Publish also what was erased, or may have been
        #[arg(long)]
        include_erased: bool,
        /// Print JSON, one line an entry
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: CommonArguments,
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

const SETTINGS: &str = "Settings (flags win over WEIR_… variables, those over the file)";

/// The settings that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = SETTINGS)]
pub struct CommonArguments {
    /// A TOML file; weir config show lists its keys
    #[arg(long, env = "WEIR_CONFIG", hide_env_values = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where all files are kept [default: data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where metrics and the status are told [default: 127.0.0.1:8081]
    #[arg(long, value_name = "HOST:PORT")]
    admin_listen: Option<String>,
    /// The NATS server; weir dev starts one of its own without it
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
    /// The ArangoDB that holds the graph, as http://host:8529
    #[arg(long, value_name = "URL")]
    arango_url: Option<String>,
    /// text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// What is logged, as info,weir=debug [default: info, and less of async_nats]
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
}

/// Settings from the command line; they win over the environment, which wins over the file.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = SETTINGS)]
pub struct SettingsArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Where events come in and recommendations go out [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// The nats-server program for the child [default: searched for]
    #[arg(long, value_name = "FILE")]
    nats_server: Option<String>,
}

/// The settings of a gateway alone.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = SETTINGS)]
pub struct GatewayArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Where events come in [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

/// The settings of an API alone.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = SETTINGS)]
pub struct ApiArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Where recommendations go out [default: 127.0.0.1:8082]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

/// Arguments that are settings.
pub trait Given {
    /// Returns the TOML file.
    fn file(&self) -> Option<PathBuf>;
    /// Returns the flags that were given.
    fn flags(&self) -> Vec<Flag>;
}

impl Given for CommonArguments {
    fn file(&self) -> Option<PathBuf> {
        self.config.clone()
    }

    fn flags(&self) -> Vec<Flag> {
        given([
            ("--data-dir", "data_dir", &self.data_dir),
            ("--admin-listen", "admin.listen", &self.admin_listen),
            ("--nats-url", "nats.url", &self.nats_url),
            ("--arango-url", "arango.url", &self.arango_url),
            ("--log-format", "log.format", &self.log_format),
            ("--log-filter", "log.filter", &self.log_filter),
        ])
    }
}

impl Given for SettingsArguments {
    fn file(&self) -> Option<PathBuf> {
        self.common.file()
    }

    fn flags(&self) -> Vec<Flag> {
        let own = given([
            ("--listen", "gateway.listen", &self.listen),
            ("--nats-server", "nats.server", &self.nats_server),
        ]);
        [self.common.flags(), own].concat()
    }
}

impl Given for GatewayArguments {
    fn file(&self) -> Option<PathBuf> {
        self.common.file()
    }

    fn flags(&self) -> Vec<Flag> {
        let own = given([("--listen", "gateway.listen", &self.listen)]);
        [self.common.flags(), own].concat()
    }
}

impl Given for ApiArguments {
    fn file(&self) -> Option<PathBuf> {
        self.common.file()
    }

    fn flags(&self) -> Vec<Flag> {
        let own = given([("--listen", "api.listen", &self.listen)]);
        [self.common.flags(), own].concat()
    }
}

fn given<const N: usize>(flags: [(&'static str, &'static str, &Option<String>); N]) -> Vec<Flag> {
    let flags = flags.into_iter().filter_map(|(name, key, value)| {
        let value = value.clone()?;
        Some(Flag { name, key, value })
    });
    flags.collect()
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

    /// Returns the settings of a command line that runs a process.
    fn settings_of(line: &str) -> Box<dyn Given> {
        match Arguments::parse_from(line.split_whitespace()).command {
            Command::Dev(arguments) => Box::new(arguments),
            Command::Gateway(arguments) => Box::new(arguments),
            Command::Projector(arguments) => Box::new(arguments),
            Command::Api(arguments) => Box::new(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_flag_sets_a_key_that_exists() {
        let common = "--data-dir d --admin-listen a:2 --nats-url nats://n --arango-url http://a \
            --log-format json --log-filter debug";
        for (command, more, count) in [
            ("dev", "--listen a:1 --nats-server s", 8),
            ("gateway", "--listen a:1", 7),
            ("projector", "", 6),
            ("api", "--listen a:1", 7),
        ] {
            let given = settings_of(&format!("weir {command} {common} {more}"));
            let sources = Sources { flags: given.flags(), ..Sources::default() };
            let text = load(&sources).unwrap().to_text();
            for flag in given.flags() {
                let set = text
                    .lines()
                    .any(|line| line.starts_with(flag.key) && line.ends_with(flag.name));
                assert!(set, "{} in\n{text}", flag.name);
            }
            assert_eq!(given.flags().len(), count, "{command}");
        }
    }

    #[test]
    fn an_api_alone_listens_elsewhere_than_a_gateway() {
        let key = |line: &str| settings_of(line).flags()[0].key;
        assert_eq!(key("weir gateway --listen a:1"), "gateway.listen");
        assert_eq!(key("weir api --listen a:1"), "api.listen");
    }

    #[test]
    fn no_flag_takes_a_secret() {
        for command in Arguments::command().get_subcommands() {
            let flags = command.get_arguments().filter_map(clap::Arg::get_long);
            for flag in flags {
                let secret = ["password", "token", "secret"].iter().any(|word| flag.contains(word));
                assert!(!secret, "{} --{flag}", command.get_name());
            }
        }
    }

    /// Returns the long help of a command, as a wide terminal shows it.
    fn help(path: &[&str]) -> String {
        let mut command = Arguments::command().term_width(100);
        command.build();
        for name in path {
            command = command.find_subcommand(name).expect("a command").clone();
        }
        command.render_long_help().to_string()
    }

    #[test]
    fn the_help_teaches() {
        insta::assert_snapshot!("help", help(&[]));
        for role in ["dev", "gateway", "projector", "api"] {
            insta::assert_snapshot!(format!("help_{role}"), help(&[role]));
        }
        for verb in ["list", "show", "redrive", "drop"] {
            insta::assert_snapshot!(format!("help_parked_{verb}"), help(&["parked", verb]));
        }
        insta::assert_snapshot!("help_explain_edge", help(&["explain", "edge"]));
        for verb in
            ["replay", "rebuild", "jump", "verify", "promote", "rollback", "retire", "redrive"]
        {
            insta::assert_snapshot!(format!("help_{verb}"), help(&[verb]));
        }
        for verb in ["list", "show", "watch", "pause", "resume", "cancel", "limit"] {
            insta::assert_snapshot!(format!("help_job_{verb}"), help(&["job", verb]));
        }
        for verb in ["fetch", "follow", "check"] {
            insta::assert_snapshot!(format!("help_secrets_{verb}"), help(&["secrets", verb]));
        }
        for verb in ["start", "resume", "abort", "status", "plan"] {
            insta::assert_snapshot!(format!("help_rollout_{verb}"), help(&["rollout", verb]));
        }
        insta::assert_snapshot!("help_wal_reconcile", help(&["wal", "reconcile"]));
        insta::assert_snapshot!("help_migrate_apply", help(&["migrate", "apply"]));
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

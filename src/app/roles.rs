//! What one process does: everything, or one duty of it. Pure.

use std::fmt;

use serde::Serialize;

use crate::config::{Problem, Problems, Settings};

/// One duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes events and brings them into the log.
    Gateway,
    /// Applies the log to the graph.
    Projector,
    /// Answers questions from the graph.
    Api,
}

impl Role {
    /// Returns the name in commands, routes and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Projector => "projector",
            Self::Api => "api",
        }
    }

    /// Tells whether it keeps files, so that only one process may do it in one data directory.
    fn keeps_files(self) -> bool {
        self != Self::Projector
    }
}

/// The duties of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// The command that runs them.
    command: &'static str,
    roles: &'static [Role],
}

impl Roles {
    /// Everything, with a NATS server of its own unless one is set.
    pub const DEV: Self =
        Self { command: "dev", roles: &[Role::Gateway, Role::Projector, Role::Api] };
    pub const GATEWAY: Self = Self { command: "gateway", roles: &[Role::Gateway] };
    pub const PROJECTOR: Self = Self { command: "projector", roles: &[Role::Projector] };
    pub const API: Self = Self { command: "api", roles: &[Role::Api] };

    pub fn all(self) -> &'static [Role] {
        self.roles
    }

    pub fn has(self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Returns the roles whose files nobody else may use meanwhile.
    pub(super) fn with_files(self) -> impl Iterator<Item = Role> {
        self.roles.iter().copied().filter(|role| role.keeps_files())
    }

    /// Tells whether it starts a NATS server if none is set.
    pub(super) fn brings_nats(self) -> bool {
        self == Self::DEV
    }

    /// Returns where the process serves the public, if it does. An API alone has an address of its
    /// own, so that it can share a machine with a gateway.
    pub(super) fn listen(self, settings: &Settings) -> Option<&str> {
        if self.has(Role::Gateway) {
            Some(&settings.gateway.listen)
        } else {
            self.has(Role::Api).then_some(&*settings.api.listen)
        }
    }

    /// Refuses settings that lack what these roles cannot do without.
    pub(super) fn check(self, settings: &Settings) -> Result<(), Problems> {
        let mut problems = Vec::new();
        if settings.nats.url.is_none() && !self.brings_nats() {
            let advice = "name the NATS server, as --nats-url nats://host:4222, WEIR_NATS__URL, or \
                          url under [nats]; weir dev alone starts one of its own";
            problems.push(missing(self.command, "nats.url", advice));
        }
        if settings.arango.url.is_none() && self == Self::PROJECTOR {
            problems.extend(arango_missing(self.command).0);
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }
}

fn missing(command: &str, key: &str, advice: &str) -> Problem {
    Problem {
        key: Some(key.to_owned()),
        source: "no source".to_owned(),
        wrong: format!("is not set, and weir {command} needs it"),
        advice: advice.to_owned(),
    }
}

/// Says that a command needs an ArangoDB, and how to name it.
pub(super) fn arango_missing(command: &str) -> Problems {
    let advice = "name the ArangoDB, as --arango-url http://host:8529, WEIR_ARANGO__URL, or url under \
                  [arango]; weir dev keeps the graph in memory";
    Problems(vec![missing(command, "arango.url", advice)])
}

impl fmt::Display for Roles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        formatter.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Sources, load};

    fn settings(flags: &[(&'static str, &str)]) -> Settings {
        let flag = |(key, value): &(&'static str, &str)| Flag {
            name: "--flag",
            key,
            value: (*value).to_owned(),
        };
        let flags = flags.iter().map(flag).collect();
        load(&Sources { flags, ..Sources::default() }).expect("valid settings").settings
    }

    #[test]
    fn a_role_says_what_must_be_set() {
        let told = |roles: Roles, settings: &Settings| {
            roles.check(settings).err().map_or_else(String::new, |problems| problems.to_string())
        };
        let nothing = settings(&[]);
        assert_eq!(told(Roles::DEV, &nothing), "");
        for roles in [Roles::GATEWAY, Roles::API] {
            let told = told(roles, &nothing);
            assert!(told.contains("nats.url") && told.contains("--nats-url"), "{told}");
            assert!(told.contains(&format!("weir {} needs it", roles.command)), "{told}");
            assert!(!told.contains("arango"), "{told}");
        }
        assert!(told(Roles::PROJECTOR, &nothing).contains("2 problems"));
        let nats = settings(&[("nats.url", "nats://n")]);
        assert_eq!(told(Roles::GATEWAY, &nats), "");
        assert!(told(Roles::PROJECTOR, &nats).contains("--arango-url"));
        let both = settings(&[("nats.url", "nats://n"), ("arango.url", "http://a")]);
        assert_eq!(told(Roles::PROJECTOR, &both), "");
    }

    #[test]
    fn each_role_listens_where_it_is_told_to() {
        let settings = settings(&[("gateway.listen", "g:1"), ("api.listen", "a:1")]);
        let listen = |roles: Roles| roles.listen(&settings).map(str::to_owned);
        assert_eq!(listen(Roles::DEV).as_deref(), Some("g:1"));
        assert_eq!(listen(Roles::GATEWAY).as_deref(), Some("g:1"));
        assert_eq!(listen(Roles::API).as_deref(), Some("a:1"));
        assert_eq!(listen(Roles::PROJECTOR), None);
    }
}

//! Reads a plan from its file, and tells all that is wrong with it at once. Pure.
//!
//! The file names places and holds no secret. What looks like one is refused, and no text of the file is shown
//! but the names of keys, since whoever writes a password may have forgotten its key.

use std::path::PathBuf;
use std::time::Duration;

use toml::{Table, Value};

use super::place::Place;
use super::plan::{AwsOptions, KeysFrom, Plan, VaultAuth, VaultOptions, Wanted};
use crate::config::{Problem, Problems, file_keys, nearest, parse_duration};
use crate::limits::{SECRETS_EVERY, SECRETS_NAME_BYTES, SECRETS_WANTED};
use crate::secret::SecretSource;

/// Sections of weir's own configuration that have secrets: below them, names are known.
const OWN: [&str; 5] = ["admin", "arango", "nats", "privacy", "tls"];

/// Reads a plan. `credentials` is where systemd has put the unit's, for what is named by one.
pub fn read_plan(
    text: &str,
    file: &str,
    credentials: Option<&std::path::Path>,
) -> Result<Plan, Problems> {
    let mut problems = Vec::new();
    let table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => {
            let line = text[..error.span().map_or(0, |span| span.start.min(text.len()))]
                .matches('\n')
                .count()
                + 1;
            problems.push(Problem {
                key: None,
                source: file.to_owned(),
                wrong: format!("is not TOML in line {line}: {}", error.message()),
                advice: "correct that line".into(),
            });
            return Err(Problems(problems));
        }
    };
    let mut top = Section::new("", &table, file, &mut problems);
    top.only(&["every", "vault", "aws", "secrets"]);
    let every = top.duration("every").unwrap_or(SECRETS_EVERY);
    let vault = top.table("vault");
    let aws = top.table("aws");
    let secrets = top.table("secrets");
    let aws = aws.map(|table| read_aws(Section::new("aws", table, file, &mut problems)));
    let vault = vault.and_then(|table| {
        read_vault(Section::new("vault", table, file, &mut problems), credentials)
    });
    let mut wanted = Vec::new();
    if let Some(table) = secrets {
        read_secrets("", table, file, &mut wanted, &mut problems);
    }
    check_whole(&wanted, table.contains_key("vault"), file, &mut problems);
    wanted.sort_by(|one, other| one.name.cmp(&other.name));
    if problems.is_empty() {
        Ok(Plan { every, vault, aws: aws.unwrap_or_default(), secrets: wanted })
    } else {
        Err(Problems(problems))
    }
}

/// Tells what is wrong with the plan as a whole.
fn check_whole(wanted: &[Wanted], has_vault: bool, file: &str, problems: &mut Vec<Problem>) {
    let vault = wanted.iter().any(|wanted| matches!(wanted.place, Place::Vault { .. }));
    let too_many = format!("names more than {SECRETS_WANTED}");
    let (key, wrong, advice) = if vault && !has_vault {
        ("vault", "is missing, and secrets come from it", "name its address under [vault]")
    } else if wanted.len() > SECRETS_WANTED {
        ("secrets", too_many.as_str(), "split them into two plans")
    } else if wanted.is_empty() && problems.is_empty() {
        let advice = "name at least one under [secrets]; weir secrets example shows how";
        ("secrets", "names none", advice)
    } else {
        return;
    };
    problems.push(Problem {
        key: Some(key.to_owned()),
        source: file.to_owned(),
        wrong: wrong.to_owned(),
        advice: advice.to_owned(),
    });
}

fn read_vault(
    mut section: Section<'_, '_>,
    credentials: Option<&std::path::Path>,
) -> Option<VaultOptions> {
    section.only(&[
        "address",
        "namespace",
        "ca_file",
        "auth",
        "mount",
        "role_id",
        "secret_id_file",
        "secret_id_credential",
        "role",
        "server_id",
    ]);
    let address = section.needed("address", "the server, as https://vault.internal:8200");
    let address = address.and_then(|_| section.url("address"));
    let namespace = section.text("namespace");
    let ca_file = section.path("ca_file");
    let auth = match section.needed("auth", "approle or aws")?.as_str() {
        "approle" => read_approle(&mut section, credentials),
        "aws" => {
            section.unused(&["role_id", "secret_id_file", "secret_id_credential"], "approle");
            let mount = section.text("mount").unwrap_or_else(|| "aws".into());
            let role = section.needed("role", "the role to log in as");
            role.map(|role| VaultAuth::Aws { mount, role, server_id: section.text("server_id") })
        }
        _ => {
            section.problem("auth", "is no way to log in", "write \"approle\" or \"aws\"");
            None
        }
    };
    Some(VaultOptions { address: address?, namespace, ca_file, auth: auth? })
}

fn read_approle(
    section: &mut Section<'_, '_>,
    credentials: Option<&std::path::Path>,
) -> Option<VaultAuth> {
    section.unused(&["role", "server_id"], "aws");
    let mount = section.text("mount").unwrap_or_else(|| "approle".into());
    let role_id = section.needed("role_id", "the id of the role (it is no secret)");
    let file = section.path("secret_id_file");
    let secret_id = match (file, section.text("secret_id_credential")) {
        (Some(path), None) => Some(path),
        (None, Some(name)) => credentials.map(|folder| folder.join(&name)).or_else(|| {
            let advice = "give the unit LoadCredentialEncrypted=, or set secret_id_file instead";
            section.problem("secret_id_credential", "is set, but systemd gives none", advice);
            None
        }),
        (Some(_), Some(_)) => {
            section.problem("secret_id_file", "and secret_id_credential are both set", "keep one");
            None
        }
        (None, None) => {
            let advice = "name the file that holds the role's secret id; it does not belong here";
            section.problem("secret_id_file", "is missing", advice);
            None
        }
    };
    Some(VaultAuth::AppRole { mount, role_id: role_id?, secret_id: SecretSource::File(secret_id?) })
}

fn read_aws(mut section: Section<'_, '_>) -> AwsOptions {
    let keys = ["region", "endpoint", "sts_url", "imds_url", "ca_file", "credentials"];
    section.only(&keys);
    let defaults = AwsOptions::default();
    let keys_from = section.text("credentials").map_or(KeysFrom::Auto, |text| {
        let known = KeysFrom::ALL.iter().find(|(name, _)| *name == text);
        known.map_or_else(
            || {
                let all: Vec<&str> = KeysFrom::ALL.iter().map(|(name, _)| *name).collect();
                let advice = format!("write one of {}", all.join(", "));
                section.problem("credentials", "is no place of keys", &advice);
                KeysFrom::Auto
            },
            |(_, from)| *from,
        )
    });
    AwsOptions {
        region: section.word("region", "a region is written as eu-central-1"),
        endpoint: section.origin("endpoint"),
        sts_url: section.origin("sts_url"),
        imds_url: section.url("imds_url").unwrap_or(defaults.imds_url),
        ca_file: section.path("ca_file"),
        keys_from,
    }
}

/// Reads `[secrets."a.b"]` and `[secrets.a.b]` alike: a table with `from` is one, others lead to more.
fn read_secrets(
    prefix: &str,
    table: &Table,
    file: &str,
    wanted: &mut Vec<Wanted>,
    problems: &mut Vec<Problem>,
) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) if inner.contains_key("from") => {
                let at = format!("secrets.{name}");
                let mut section = Section::new(&at, inner, file, problems);
                section.check_name(&name);
                if let Some(place) = read_place(&mut section) {
                    wanted.push(Wanted { name, place });
                }
            }
            Value::Table(inner) if inner.values().any(Value::is_table) => {
                read_secrets(&name, inner, file, wanted, problems);
            }
            Value::Table(_) => {
                let advice = "add from = \"vault\", \"aws\", \"file\" or \"systemd\"";
                Section::new("secrets", table, file, problems).problem(
                    &name,
                    "does not say where it comes from",
                    advice,
                );
            }
            _ => {
                let advice = "a secret does not belong into this file: write a table that says where it \
                              is, as { from = \"file\", path = \"/etc/keys/x\" }";
                Section::new("secrets", table, file, problems).problem(&name, "is a value", advice);
            }
        }
    }
}

fn read_place(section: &mut Section<'_, '_>) -> Option<Place> {
    match section.text("from")?.as_str() {
        "file" => {
            section.only(&["from", "path"]);
            section.needed("path", "the file that holds the secret alone")?;
            Some(Place::File { path: section.path("path")? })
        }
        "systemd" => {
            section.only(&["from", "credential"]);
            let credential = section.needed("credential", "its name, as in LoadCredential=")?;
            if credential.contains('/') || credential.starts_with('.') {
                section.problem("credential", "is no name of a credential", "leave out its path");
                return None;
            }
            Some(Place::Systemd { credential })
        }
        "vault" => {
            section.only(&["from", "mount", "path", "field", "version"]);
            let mount = section.text("mount").unwrap_or_else(|| "secret".into());
            let path = section.needed("path", "the entry's path below the mount, without data/");
            let field = section.needed("field", "the key within the entry");
            let version = section.version();
            let slashless = |text: String| text.trim_matches('/').to_owned();
            Some(Place::Vault {
                mount: slashless(mount),
                path: slashless(path?),
                field: field?,
                version,
            })
        }
        "aws" => {
            section.only(&["from", "id", "field", "stage"]);
            let id = section.needed("id", "the secret's name or ARN")?;
            let stage = section.text("stage").unwrap_or_else(|| "AWSCURRENT".into());
            Some(Place::Aws { id, field: section.text("field"), stage })
        }
        _ => {
            let advice = "write \"vault\", \"aws\", \"file\" or \"systemd\"";
            section.problem("from", "is no provider", advice);
            None
        }
    }
}

/// One table of the file, and where problems with it go.
struct Section<'a, 'p> {
    at: String,
    table: &'a Table,
    file: &'a str,
    problems: &'p mut Vec<Problem>,
}

impl<'a, 'p> Section<'a, 'p> {
    fn new(at: &str, table: &'a Table, file: &'a str, problems: &'p mut Vec<Problem>) -> Self {
        Self { at: at.to_owned(), table, file, problems }
    }

    fn problem(&mut self, key: &str, wrong: &str, advice: &str) {
        let key = if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) };
        self.problems.push(Problem {
            key: Some(key),
            source: self.file.to_owned(),
            wrong: wrong.to_owned(),
            advice: advice.to_owned(),
        });
    }

    /// Refuses keys that are none, and says which of them must be secrets.
    fn only(&mut self, known: &[&str]) {
        let strange: Vec<&String> =
            self.table.keys().filter(|key| !known.contains(&key.as_str())).collect();
        for key in strange {
            let advice = if looks_secret(key) {
                "a secret does not belong into this file: name the place where it is kept"
                    .to_owned()
            } else {
                nearest(key, known.iter().copied())
            };
            self.problem(key, "is not a key", &advice);
        }
    }

    fn unused(&mut self, keys: &[&str], by: &str) {
        for key in keys.iter().filter(|key| self.table.contains_key(**key)) {
            let wrong = format!("belongs to auth = \"{by}\"");
            self.problem(key, &wrong, "remove it, or change auth");
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.table.get(key)? {
            Value::String(text) if !text.trim().is_empty() && !text.contains(char::is_control) => {
                Some(text.clone())
            }
            _ => {
                self.problem(key, "is no text of one line", "write it in quotes");
                None
            }
        }
    }

    fn needed(&mut self, key: &str, what: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.problem(key, "is missing", &format!("set it: {what}"));
        }
        self.text(key)
    }

    fn word(&mut self, key: &str, advice: &str) -> Option<String> {
        let text = self.text(key)?;
        let right = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !right {
            self.problem(key, "is not of letters, digits and -", advice);
        }
        right.then_some(text)
    }

    fn path(&mut self, key: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(key)?);
        if path.is_relative() {
            self.problem(key, "is no whole path", "begin it with /");
            return None;
        }
        Some(path)
    }

    /// An address without a user and without a `/` at its end.
    fn url(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let right = host.is_some_and(|host| {
            !host.is_empty()
                && !host.starts_with(['/', ':'])
                && !host.contains(['@', '?', '#', ' '])
        });
        if !right {
            let advice = "write it as https://host:port, without a user";
            self.problem(key, "is no address", advice);
        }
        right.then(|| text.trim_end_matches('/').to_owned())
    }

    /// An address of scheme, host and port alone.
    fn origin(&mut self, key: &str) -> Option<String> {
        let url = self.url(key)?;
        let bare = url.split_once("://").is_some_and(|(_, host)| !host.contains('/'));
        if !bare {
            self.problem(key, "has a path", "leave out what follows host and port");
        }
        bare.then_some(url)
    }

    fn duration(&mut self, key: &str) -> Option<Duration> {
        let read = parse_duration(&self.text(key)?);
        let bounds = Duration::from_secs(1)..=Duration::from_hours(24);
        let read = read.filter(|time| bounds.contains(time));
        if read.is_none() {
            self.problem(key, "is no duration", "write it with its unit as 5min, from 1s to 24h");
        }
        read
    }

    fn version(&mut self) -> Option<u64> {
        let value = self.table.get("version")?;
        let read = value.as_integer().and_then(|number| u64::try_from(number).ok());
        let read = read.filter(|number| *number > 0);
        if read.is_none() {
            self.problem("version", "is no version", "write a whole number from 1");
        }
        read
    }

    fn table(&mut self, key: &str) -> Option<&'a Table> {
        let value = self.table.get(key)?;
        if !value.is_table() {
            self.problem(key, "is no table", &format!("write its keys under [{key}]"));
        }
        value.as_table()
    }

    /// A name becomes a file's; below weir's own sections it is one of weir's keys.
    fn check_name(&mut self, name: &str) {
        let right = name.len() <= SECRETS_NAME_BYTES
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.'));
        let section = name.split('.').next().unwrap_or_default();
        if !right {
            let advice = "use a-z, 0-9, _, - and ., a letter first";
            self.problem("from", "belongs to a name that makes no file", advice);
        } else if OWN.contains(&section) && !file_keys().any(|key| key == name) {
            let own = file_keys().filter(|key| key.split('.').next() == Some(section));
            let own: Vec<&str> = own.collect();
            let advice = nearest(name, own.iter().copied());
            self.problem("from", "belongs to no secret of weir", &advice);
        }
    }
}

/// Names under which people write secrets.
fn looks_secret(key: &str) -> bool {
    ["password", "secret", "token", "value", "access_key", "private", "passphrase"]
        .iter()
        .any(|word| key.contains(word))
}

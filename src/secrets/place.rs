//! The place of one secret, and its name for people.

use std::fmt;
use std::path::PathBuf;

/// Where one secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file that holds it alone.
    File { path: PathBuf },
    /// A credential that systemd gives to the unit.
    Systemd { credential: String },
    /// A field of an entry of Vault's KV version 2; its newest version unless one is named.
    Vault { mount: String, path: String, field: String, version: Option<u64> },
    /// A secret of AWS Secrets Manager, or a field of its JSON.
    Aws { id: String, field: Option<String>, stage: String },
}

impl Place {
    /// Returns the name of the provider, as the plan's file has it.
    pub fn provider(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Systemd { .. } => "systemd",
            Self::Vault { .. } => "vault",
            Self::Aws { .. } => "aws",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => write!(formatter, "{}", path.display()),
            Self::Systemd { credential } => write!(formatter, "credential {credential}"),
            Self::Vault { mount, path, field, version } => {
                write!(formatter, "{mount}/{path}, field {field}")?;
                version.map_or(Ok(()), |version| write!(formatter, ", version {version}"))
            }
            Self::Aws { id, field, stage } => {
                write!(formatter, "{id}")?;
                if let Some(field) = field {
                    write!(formatter, ", field {field}")?;
                }
                if stage == "AWSCURRENT" { Ok(()) } else { write!(formatter, ", stage {stage}") }
            }
        }
    }
}

//! What is to be fetched from where, as plain data that was checked.

use std::path::PathBuf;
use std::time::Duration;

use super::place::Place;
use crate::secret::SecretSource;

/// Everything that the file of a plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How often each secret is looked at.
    pub every: Duration,
    pub vault: Option<VaultOptions>,
    pub aws: AwsOptions,
    /// In the order of their names; never empty.
    pub secrets: Vec<Wanted>,
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A key of weir's configuration, or a name of somebody else; also the name of its file.
    pub name: String,
    pub place: Place,
}

/// How to reach a Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultOptions {
    /// `https://host:8200`, without a `/` at its end.
    pub address: String,
    pub namespace: Option<String>,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub ca_file: Option<PathBuf>,
    pub auth: VaultAuth,
}

/// How to log in at a Vault. A mount is the path under `auth/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultAuth {
    AppRole {
        mount: String,
        role_id: String,
        secret_id: SecretSource,
    },
    /// A signed question to AWS of who we are.
    Aws {
        mount: String,
        role: String,
        /// What Vault wants to be named as within the signature, if it asks for that.
        server_id: Option<String>,
    },
}

/// How to be somebody at AWS, and where its services are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsOptions {
    /// Else the environment's, else the machine's.
    pub region: Option<String>,
    /// Where Secrets Manager is asked, if not at its region's address.
    pub endpoint: Option<String>,
    /// Where STS is asked, if not at its region's address.
    pub sts_url: Option<String>,
    pub imds_url: String,
    pub ca_file: Option<PathBuf>,
    pub keys_from: KeysFrom,
}

/// Where the keys come from that sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeysFrom {
    /// The first of the others that is there, in this order.
    #[default]
    Auto,
    Environment,
    WebIdentity,
    Container,
    Imds,
}

impl KeysFrom {
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("auto", Self::Auto),
        ("environment", Self::Environment),
        ("web_identity", Self::WebIdentity),
        ("container", Self::Container),
        ("imds", Self::Imds),
    ];
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            region: None,
            endpoint: None,
            sts_url: None,
            imds_url: "http://169.254.169.254".to_owned(),
            ca_file: None,
            keys_from: KeysFrom::Auto,
        }
    }
}

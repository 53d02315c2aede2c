//! From a plan to its sources: sessions are made once and shared by the secrets that need them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::aws::{AwsSecret, Identity, Manager};
use super::contract::{Fault, Fetched, Source};
use super::file::{FileSource, credential};
use super::place::Place;
use super::plan::Plan;
use super::vault::{Vault, VaultSecret};

/// The environment of the process, read once. Its values are not shown.
#[derive(Clone, Default)]
pub struct Surroundings(Arc<Vec<(String, String)>>);

impl Surroundings {
    pub fn new(variables: Vec<(String, String)>) -> Self {
        Self(Arc::new(variables))
    }

    /// Returns a variable that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// Returns where systemd has put the unit's credentials.
    pub fn credentials(&self) -> Option<PathBuf> {
        self.get("CREDENTIALS_DIRECTORY").map(PathBuf::from)
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} variables", self.0.len())
    }
}

/// A secret whose place is not there at all.
struct Never(Fault);

#[async_trait]
impl Source for Never {
    async fn fetch(&self) -> Result<Fetched, Fault> {
        Err(self.0.clone())
    }
}

/// Makes the source of each secret, in the order of the plan. Nothing is read or sent.
pub fn sources(plan: &Plan, around: &Surroundings) -> Vec<Box<dyn Source>> {
    let identity = Identity::new(&plan.aws, around.clone());
    let manager = Arc::new(Manager::new(&plan.aws, Arc::clone(&identity)));
    let vault = plan.vault.clone().map(|options| Arc::new(Vault::new(options, identity)));
    let folder = around.credentials();
    let places = plan.secrets.iter().map(|wanted| &wanted.place);
    places.map(|place| source(place, folder.as_deref(), vault.as_ref(), &manager)).collect()
}

fn source(
    place: &Place,
    folder: Option<&Path>,
    vault: Option<&Arc<Vault>>,
    manager: &Arc<Manager>,
) -> Box<dyn Source> {
    match place {
        Place::File { path } => Box::new(FileSource(path.clone())),
        Place::Systemd { credential: name } => match credential(folder, name) {
            Ok(source) => Box::new(source),
            Err(fault) => Box::new(Never(fault)),
        },
        Place::Vault { mount, path, field, version } => match vault {
            Some(vault) => {
                let (vault, field) = (Arc::clone(vault), field.clone());
                Box::new(VaultSecret::new(vault, (mount, path), field, *version))
            }
            None => Box::new(Never(Fault::person("the plan names no Vault"))),
        },
        Place::Aws { id, field, stage } => {
            Box::new(AwsSecret::new(Arc::clone(manager), id, field.clone(), stage))
        }
    }
}

//! The server that a suite runs against: a real one where `WEIR_TEST_ARANGO_URL` names it, else a stand-in.
//!
//! `WEIR_TEST_ARANGO_USER` is `root` if it is not set; the password is in `WEIR_TEST_ARANGO_PASSWORD`
//! or in the file that `WEIR_TEST_ARANGO_PASSWORD_FILE` names.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use super::StandIn;

pub enum Target {
    Real(Real),
    StandIn(StandIn),
}

/// A real server, and how to get in.
pub struct Real {
    pub url: String,
    pub user: String,
    password: String,
}

impl Real {
    /// The server that the environment names, if it does.
    pub fn from_environment() -> Option<Self> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let url = set("WEIR_TEST_ARANGO_URL")?;
        let from_file = set("WEIR_TEST_ARANGO_PASSWORD_FILE").map(|path| {
            std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("WEIR_TEST_ARANGO_PASSWORD_FILE, {path}: {error}"))
        });
        let password = from_file.or_else(|| set("WEIR_TEST_ARANGO_PASSWORD")).unwrap_or_default();
        Some(Self {
            url: url.trim_end_matches('/').to_owned(),
            user: set("WEIR_TEST_ARANGO_USER").unwrap_or_else(|| "root".to_owned()),
            password: password.trim_end_matches('\n').to_owned(),
        })
    }

    pub fn password(&self) -> String {
        self.password.clone()
    }
}

impl Target {
    pub fn choose() -> Self {
        Real::from_environment().map_or_else(|| Self::StandIn(StandIn::start()), Self::Real)
    }

    pub fn url(&self) -> String {
        match self {
            Self::Real(real) => real.url.clone(),
            Self::StandIn(stand_in) => stand_in.url(),
        }
    }

    pub fn user(&self) -> &str {
        match self {
            Self::Real(real) => &real.user,
            Self::StandIn(_) => StandIn::USER,
        }
    }

    pub fn password(&self) -> String {
        match self {
            Self::Real(real) => real.password(),
            Self::StandIn(stand_in) => stand_in.password(),
        }
    }

    /// The stand-in, for what only it can be told to do.
    pub fn stand_in(&self) -> Option<&StandIn> {
        match self {
            Self::Real(_) => None,
            Self::StandIn(stand_in) => Some(stand_in),
        }
    }

    /// A name that no other test uses; whoever makes such a database drops it.
    pub fn fresh_name() -> String {
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        let number = GIVEN.fetch_add(1, Ordering::Relaxed);
        format!("weir_test_{}_{number}", std::process::id())
    }
}

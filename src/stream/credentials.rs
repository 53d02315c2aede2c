//! Who weir is to NATS: read again for every connection, told to nobody else.
//!
//! A password or token may be replaced in its file while weir runs; a credentials file (JWT and key) is
//! read when the connection is begun, since the client signs with what it was given then.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Auth, AuthError, ConnectOptions};

use crate::secret::{Secret, SecretError, SecretSource};

/// How to prove who weir is. None of its secrets is ever shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// The server asks for none.
    #[default]
    None,
    Password {
        user: String,
        password: SecretSource,
    },
    Token(SecretSource),
    /// A `.creds` file: a user's JWT and the seed of its key.
    File(PathBuf),
}

/// Why the server does not let weir in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The server says that the credentials are wrong, or that there should be some.
    Credentials,
    /// They cannot be read.
    Unreadable,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Credentials => "the NATS server refuses weir's credentials",
            Self::Unreadable => "weir's NATS credentials cannot be read",
        })
    }
}

/// The last reason why credentials could not be read, for the log.
#[derive(Debug, Clone, Default)]
pub struct LastFault(Arc<Mutex<Option<String>>>);

impl LastFault {
    fn set(&self, fault: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    pub fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Credentials {
    /// Begins the client's options; a credentials file is read here, the rest for every connection.
    pub fn options(self, fault: LastFault) -> Result<ConnectOptions, std::io::Error> {
        if self == Self::None {
            return Ok(ConnectOptions::new());
        }
        if let Self::File(path) = self {
            let text = read_file(path)?;
            return ConnectOptions::with_credentials(text.expose());
        }
        let credentials = Arc::new(self);
        Ok(ConnectOptions::with_auth_callback(move |_nonce| {
            let (credentials, fault) = (credentials.clone(), fault.clone());
            async move {
                let auth = credentials.auth();
                fault.set(auth.as_ref().err().map(ToString::to_string));
                auth.map_err(AuthError::new)
            }
        }))
    }

    fn auth(&self) -> Result<Auth, SecretError> {
        let mut auth = Auth::new();
        match self {
            Self::Password { user, password } => {
                auth.username = Some(user.clone());
                auth.password = Some(password.read()?.expose().to_owned());
            }
            Self::Token(token) => auth.token = Some(token.read()?.expose().to_owned()),
            Self::None | Self::File(_) => {}
        }
        Ok(auth)
    }
}

fn read_file(path: PathBuf) -> Result<Secret, std::io::Error> {
    SecretSource::File(path).read().map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let password = SecretSource::Value(Secret::new("hunter2"));
        let shown = format!(
            "{:?} {:?}",
            Credentials::Password { user: "weir".into(), password: password.clone() },
            Credentials::Token(password)
        );
        assert!(shown.contains("weir") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_secret_is_read_anew_and_a_missing_one_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        let credentials = Credentials::Token(SecretSource::File(path.clone()));
        let error = credentials.auth().err().expect("there is no file").to_string();
        assert!(error.contains("token cannot be read"), "{error}");
        for secret in ["one", "two"] {
            std::fs::write(&path, secret).expect("the file is written");
            assert_eq!(credentials.auth().expect("it is there").token.as_deref(), Some(secret));
        }
    }

    #[test]
    fn a_file_without_a_key_is_refused_without_its_text() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("weir.creds");
        std::fs::write(&path, "SUAsecret").expect("the file is written");
        let refused = Credentials::File(path).options(LastFault::default());
        let error = refused.expect_err("it holds no JWT").to_string();
        assert!(!error.contains("SUAsecret"), "{error}");
    }
}

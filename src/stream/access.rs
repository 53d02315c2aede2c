//! How weir shows a NATS server who it is, and whom it trusts.
//!
//! A secret is read whenever a connection is made, so a file that was replaced counts from the next one on.

use std::path::PathBuf;

use async_nats::{Auth, AuthError, ConnectOptions};

use crate::secret::{SecretError, SecretSource};

/// Who weir is at the server; without a login, nobody in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    pub login: Option<Login>,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// One way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    User {
        name: String,
        password: SecretSource,
    },
    Token(SecretSource),
    /// A JWT and an NKey seed, as `nsc` writes them.
    Credentials(PathBuf),
}

/// The login cannot be read. Never tells any of its bytes.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(
        "the credentials in {0} are not as nsc writes them: a JWT and a seed between their marks"
    )]
    Credentials(PathBuf),
}

impl Access {
    /// Begins the options of a connection; reads each secret once, so that a missing file is told now.
    pub(super) fn connect_options(&self) -> Result<ConnectOptions, AccessError> {
        let options = match &self.login {
            None => ConnectOptions::new(),
            Some(Login::Credentials(path)) => {
                let text = SecretSource::File(path.clone()).read()?;
                ConnectOptions::with_credentials(text.expose())
                    .map_err(|_| AccessError::Credentials(path.clone()))?
            }
            Some(login) => {
                auth(login)?;
                let login = login.clone();
                ConnectOptions::with_auth_callback(move |_| {
                    let auth = auth(&login).map_err(AuthError::new);
                    async move { auth }
                })
            }
        };
        Ok(match &self.ca_file {
            Some(path) => options.add_root_certificates(path.clone()),
            None => options,
        })
    }
}

fn auth(login: &Login) -> Result<Auth, SecretError> {
    let mut auth = Auth::new();
    match login {
        Login::User { name, password } => {
            auth.username = Some(name.clone());
            auth.password = Some(password.read()?.expose().to_owned());
        }
        Login::Token(token) => auth.token = Some(token.read()?.expose().to_owned()),
        Login::Credentials(_) => {}
    }
    Ok(auth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_login_is_read_anew_and_never_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("password");
        let login = Login::User { name: "weir".into(), password: SecretSource::File(path.clone()) };
        let access = Access { login: Some(login.clone()), ca_file: None };
        assert!(matches!(access.connect_options(), Err(AccessError::Secret(_))));
        for secret in ["hunter2", "hunter3"] {
            std::fs::write(&path, secret).expect("the file is written");
            assert!(access.connect_options().is_ok());
            assert_eq!(auth(&login).expect("it is read").password.as_deref(), Some(secret));
        }
        let token = Login::Token(SecretSource::Value(Secret::new("hunter2")));
        assert_eq!(auth(&token).expect("it is a value").token.as_deref(), Some("hunter2"));
        assert!(!format!("{access:?}{token:?}").contains("hunter"));
    }

    #[test]
    fn credentials_that_are_none_are_refused_without_their_text() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("weir.creds");
        std::fs::write(&path, "hunter2").expect("the file is written");
        let access = Access { login: Some(Login::Credentials(path)), ca_file: None };
        let told = access.connect_options().expect_err("no credentials").to_string();
        assert!(told.contains("weir.creds") && !told.contains("hunter2"), "{told}");
    }
}

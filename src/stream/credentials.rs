//! Who weir is to NATS: read again for every connection, told to nobody else.
//!
//! A password, a token or a credentials file may be replaced while weir runs. What the server has taken before is
//! kept: where the new one is refused or cannot be read, every other attempt shows the old one, so it does not
//! matter whether the file or the server changes first.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{Auth, AuthError, ConnectOptions};
use nkeys::KeyPair;

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

/// The secrets of one proof, as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof(Secret);

/// What was shown to the server, and what it took.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Mutex<Showing>>);

#[derive(Debug, Default)]
struct Showing {
    last: Option<Proof>,
    taken: Option<Proof>,
    /// Since one was taken.
    attempts: u32,
    /// Why they could not be read last.
    fault: Option<String>,
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, Showing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the server has let in whoever showed what was shown last.
    pub fn taken(&self) {
        let mut showing = self.lock();
        showing.attempts = 0;
        let last = showing.last.clone();
        showing.taken = last;
    }

    /// Tells whether this is not what the server has taken.
    pub fn is_new(&self, proof: &Proof) -> bool {
        self.lock().taken.as_ref().is_some_and(|taken| taken != proof)
    }

    /// The last reason why credentials could not be read, for the log.
    pub fn fault(&self) -> Option<String> {
        self.lock().fault.clone()
    }
}

impl Showing {
    /// Chooses what to show: what is kept now, and every second time what was taken before.
    fn choose(&mut self, read: Result<Proof, SecretError>) -> Result<Proof, SecretError> {
        self.attempts = self.attempts.wrapping_add(1);
        self.fault = read.as_ref().err().map(ToString::to_string);
        let again = self.attempts.is_multiple_of(2);
        let chosen = match (read, &self.taken) {
            (Ok(_), Some(taken)) if again => taken.clone(),
            (Ok(now), _) => now,
            (Err(_), Some(taken)) => taken.clone(),
            (Err(error), None) => return Err(error),
        };
        self.last = Some(chosen.clone());
        Ok(chosen)
    }
}

impl Credentials {
    /// Begins the client's options; what is shown is read for every connection. A credentials file without a
    /// key is refused here.
    pub(super) fn options(self, shown: Shown) -> Result<ConnectOptions, std::io::Error> {
        if self == Self::None {
            return Ok(ConnectOptions::new());
        }
        if let Self::File(_) = &self {
            let proof = self.proof().map_err(std::io::Error::other)?;
            signer(proof.0.expose()).ok_or_else(|| std::io::Error::other(NO_KEY))?;
        }
        let credentials = Arc::new(self);
        Ok(ConnectOptions::with_auth_callback(move |nonce| {
            let (credentials, shown) = (credentials.clone(), shown.clone());
            async move {
                let proof = shown.lock().choose(credentials.proof());
                let proof = proof.map_err(AuthError::new)?;
                credentials.auth(&proof, &nonce).ok_or_else(|| AuthError::new(NO_KEY))
            }
        }))
    }

    /// Tells whether what is shown may be another later.
    pub(super) fn may_change(&self) -> bool {
        match self {
            Self::Password { password: source, .. } | Self::Token(source) => {
                matches!(source, SecretSource::File(_))
            }
            Self::File(_) => true,
            Self::None => false,
        }
    }

    /// Reads what there is to show now.
    pub(super) fn proof(&self) -> Result<Proof, SecretError> {
        match self {
            Self::Password { password: source, .. } | Self::Token(source) => source.read(),
            Self::File(path) => SecretSource::File(path.clone()).read(),
            Self::None => Ok(Secret::new("")),
        }
        .map(Proof)
    }

    /// Makes the client's form of a proof; nothing for a credentials file without a key.
    fn auth(&self, proof: &Proof, nonce: &[u8]) -> Option<Auth> {
        let (mut auth, secret) = (Auth::new(), proof.0.expose());
        match self {
            Self::Password { user, .. } => {
                auth.username = Some(user.clone());
                auth.password = Some(secret.to_owned());
            }
            Self::Token(_) => auth.token = Some(secret.to_owned()),
            Self::File(_) => {
                let (jwt, key) = signer(secret)?;
                auth.jwt = Some(jwt.to_owned());
                auth.signature = Some(key.sign(nonce).ok()?);
            }
            Self::None => {}
        }
        Some(auth)
    }
}

const NO_KEY: &str = "the credentials file holds no JWT or no key: write it as nsc does";

/// The JWT and the key of a credentials file: the text between its two pairs of lines of dashes.
fn signer(text: &str) -> Option<(&str, KeyPair)> {
    let between = |name: &str| {
        let (_, rest) = text.split_once(&format!("-----BEGIN {name}-----"))?;
        let value = rest.split_once("-----")?.0.trim_end_matches('-').trim();
        (!value.is_empty()).then_some(value)
    };
    let key = KeyPair::from_seed(between("USER NKEY SEED")?).ok()?;
    Some((between("NATS USER JWT")?, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let password = SecretSource::Value(Secret::new("hunter2"));
        let credentials = Credentials::Password { user: "weir".into(), password: password.clone() };
        let (proof, shown) = (credentials.proof().expect("a value"), Shown::default());
        shown.lock().choose(Ok(proof.clone())).expect("it is readable");
        let shown =
            format!("{credentials:?} {:?} {proof:?} {shown:?}", Credentials::Token(password));
        assert!(shown.contains("weir") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_secret_is_read_anew_and_a_missing_one_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        let credentials = Credentials::Token(SecretSource::File(path.clone()));
        let error = credentials.proof().expect_err("there is no file").to_string();
        assert!(error.contains("token cannot be read"), "{error}");
        for secret in ["one", "two"] {
            std::fs::write(&path, secret).expect("the file is written");
            let auth = credentials.auth(&credentials.proof().expect("it is there"), b"");
            assert_eq!(auth.expect("a token").token.as_deref(), Some(secret));
        }
    }

    #[test]
    fn a_new_secret_and_the_one_that_was_taken_are_shown_in_turns_until_one_is_taken() {
        let proof = |text: &str| Proof(Secret::new(text));
        let unreadable = || Err(SecretError::Empty("file".into()));
        let shown = Shown::default();
        let choose = |read: Result<Proof, SecretError>| shown.lock().choose(read).ok();
        assert_eq!(choose(unreadable()), None, "nothing was ever taken");
        for _ in 0..3 {
            assert_eq!(choose(Ok(proof("one"))), Some(proof("one")));
        }
        assert!(!shown.is_new(&proof("one")), "it may be on its way");
        shown.taken();
        assert!(shown.is_new(&proof("two")) && !shown.is_new(&proof("one")));
        assert_eq!(choose(Ok(proof("two"))), Some(proof("two")));
        assert_eq!(choose(Ok(proof("two"))), Some(proof("one")));
        assert_eq!(choose(Ok(proof("two"))), Some(proof("two")));
        assert_eq!(choose(unreadable()), Some(proof("one")));
        assert!(shown.fault().is_some());
        choose(Ok(proof("two")));
        shown.taken();
        assert!(!shown.is_new(&proof("two")));
    }

    #[test]
    fn a_credentials_file_is_a_jwt_and_a_key_that_signs() {
        let key = KeyPair::new_user();
        let seed = key.seed().expect("a seed");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.e30.c2ln\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let file = Credentials::File("/nowhere".into());
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let auth = file.auth(&Proof(Secret::new(text)), b"nonce").expect("it is whole");
            assert_eq!(auth.jwt.as_deref(), Some("eyJ0.e30.c2ln"));
            key.verify(b"nonce", &auth.signature.expect("one")).expect("it is of that key");
        }
    }

    #[test]
    fn a_file_without_a_key_is_refused_without_its_text() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("weir.creds");
        std::fs::write(&path, "SUAsecret").expect("the file is written");
        let refused = Credentials::File(path).options(Shown::default());
        let error = refused.expect_err("it holds no JWT").to_string();
        assert!(!error.contains("SUAsecret"), "{error}");
    }
}

//! Certificates and keys in PEM files, and the TLS that they make. Nothing of a key is shown or compared but its hash.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

pub(super) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Where a listener's certificate is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The listener's certificate, and those between it and an authority.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Authorities of the clients; if set, whoever shows no certificate of theirs is refused.
    pub client_ca: Option<PathBuf>,
}

/// Why a listener cannot speak TLS. A person has to change something.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("{path} cannot be read: {source}; check the path and who may read it")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} holds no certificate that can be read: write it in PEM, the listener's first")]
    NoCertificate { path: PathBuf },
    #[error("{path} holds no private key that can be read: write it in PEM, without a passphrase")]
    NoKey { path: PathBuf },
    #[error("{cert} and {key} do not make a server: {reason}; both must be of one pair")]
    NoPair { cert: PathBuf, key: PathBuf, reason: String },
    #[error("{path} names no authority for clients: {reason}")]
    NoAuthority { path: PathBuf, reason: String },
}

/// What the files hold.
pub(super) struct Pem {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Pem {
    pub fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
        };
        let client_ca = files.client_ca.as_deref().map(read).transpose()?;
        Ok(Self { cert: read(&files.cert)?, key: read(&files.key)?, client_ca })
    }

    /// Returns what tells these contents from others.
    pub fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.cert, &self.key, self.client_ca.as_ref().unwrap_or(&Vec::new())] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize()
    }
}

/// Makes the TLS of a listener: 1.2 and 1.3, HTTP/2 before HTTP/1.1.
pub(super) fn server_config(files: &TlsFiles, pem: &Pem) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&files.cert, &pem.cert)?;
    let key = PrivateKeyDer::from_pem_slice(&pem.key)
        .map_err(|_| TlsError::NoKey { path: files.key.clone() })?;
    let no_pair = |error: rustls::Error| TlsError::NoPair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        reason: error.to_string(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(no_pair)?;
    let builder = match (&files.client_ca, &pem.client_ca) {
        (Some(path), Some(pem)) => {
            let verifier = client_verifier(path, pem, provider)?;
            builder.with_client_cert_verifier(verifier)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(no_pair)?;
    config.alpn_protocols = [ALPN_HTTP2, ALPN_HTTP1].map(<[u8]>::to_vec).into();
    Ok(config)
}

fn client_verifier(
    path: &Path,
    pem: &[u8],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let failed = |reason: String| TlsError::NoAuthority { path: path.to_owned(), reason };
    let mut authorities = RootCertStore::empty();
    for authority in certificates(path, pem)? {
        authorities.add(authority).map_err(|error| failed(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(authorities.into(), provider)
        .build()
        .map_err(|error| failed(error.to_string()))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = read.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| TlsError::NoCertificate { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn files(&self) -> TlsFiles {
            let path = |name| self.0.path().join(name);
            TlsFiles { cert: path("cert"), key: path("key"), client_ca: None }
        }

        fn made(&self) -> Result<ServerConfig, TlsError> {
            let files = self.files();
            server_config(&files, &Pem::read(&files)?)
        }
    }

    #[test]
    fn a_pair_makes_a_server_and_whatever_is_wrong_is_told_without_the_key() {
        let folder = Folder::new();
        let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, other) = (pair(), pair());
        let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let write = |cert: &str, key: &str| {
            fs::write(folder.files().cert, cert).unwrap();
            fs::write(folder.files().key, key).unwrap();
        };
        assert!(matches!(folder.made(), Err(TlsError::Unreadable { .. })));
        write(&cert, &key);
        assert_eq!(folder.made().unwrap().alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        write(&cert, &other.signing_key.serialize_pem());
        let told = folder.made().unwrap_err();
        assert!(matches!(told, TlsError::NoPair { .. }), "{told}");
        write("nothing", &key);
        assert!(matches!(folder.made(), Err(TlsError::NoCertificate { .. })));
        write(&cert, &key[..key.len() / 2]);
        let told = folder.made().unwrap_err();
        assert!(matches!(told, TlsError::NoKey { .. }), "{told}");
        let shown = format!("{told} {told:?}");
        assert!(key.lines().all(|line| !shown.contains(line)), "{shown}");
    }

    #[test]
    fn contents_differ_by_where_they_stand() {
        let pem =
            |cert: &str, key: &str| Pem { cert: cert.into(), key: key.into(), client_ca: None };
        assert_ne!(pem("ab", "c").hash(), pem("a", "bc").hash());
        assert_eq!(pem("ab", "c").hash(), pem("ab", "c").hash());
    }
}

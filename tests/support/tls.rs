//! Certificates of a test's own, and TLS in front of what speaks none.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// An authority that nobody knows, and a folder with what it has issued.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, in files.
#[derive(Clone, Debug)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("it is written");
        Self { issuer, folder }
    }

    /// Where its own certificate lies.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate for 127.0.0.1 and localhost, of a server and of a client, in files of that name.
    pub fn issue(&self, name: &str) -> Pair {
        self.issue_for(name, &[Ipv4Addr::LOCALHOST])
    }

    /// The same for addresses and localhost.
    pub fn issue_for(&self, name: &str, addresses: &[Ipv4Addr]) -> Pair {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let addresses = addresses.iter().map(|address| SanType::IpAddress(IpAddr::V4(*address)));
        params.subject_alt_names.extend(addresses);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |kind: &str| self.folder.path().join(format!("{name}.{kind}.pem"));
        let pair = Pair { cert: path("cert"), key: path("key") };
        fs::write(&pair.cert, cert.pem()).expect("it is written");
        fs::write(&pair.key, key.serialize_pem()).expect("it is written");
        pair
    }

    /// How a client that trusts this authority alone connects, offering these protocols.
    pub fn client(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("known versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// Connects and shakes hands.
    pub async fn connect(&self, address: &str, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let connector = TlsConnector::from(self.client(protocols));
        connector.connect(name, stream).await.expect("the handshake succeeds")
    }
}

impl Pair {
    /// Takes the place of another pair's files, one after the other.
    pub fn replaces(&self, other: &Self) {
        self.cert_replaces(other);
        copy(&self.key, &other.key);
    }

    /// Takes the place of another pair's certificate alone.
    pub fn cert_replaces(&self, other: &Self) {
        copy(&self.cert, &other.cert);
    }

    /// Returns the certificate as it is sent.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.cert).expect("a certificate")
    }
}

/// Replaces a file in one step, as those who renew certificates do.
fn copy(from: &Path, to: &Path) {
    let beside = to.with_extension("new");
    fs::copy(from, &beside).expect("it is copied");
    fs::rename(beside, to).expect("it is renamed");
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Takes TLS off and passes on what is inside to a plain server.
pub struct Terminator {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Terminator {
    pub async fn before(plain: SocketAddr, pair: &Pair) -> Self {
        let key = PrivateKeyDer::from_pem_file(&pair.key).expect("a key");
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("known versions")
            .with_no_client_auth()
            .with_single_cert(vec![pair.der()], key)
            .expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut inside) = acceptor.accept(stream).await else { return };
                    let Ok(mut onward) = TcpStream::connect(plain).await else { return };
                    copy_bidirectional(&mut inside, &mut onward).await.ok();
                });
            }
        });
        Self { address, task }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

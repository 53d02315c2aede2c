//! How to reach a server, checked before anything is sent.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, Url, redirect};

use crate::limits::{ARANGO_CONNECT, ARANGO_IDLE};
use crate::secret::SecretSource;

/// How to reach ArangoDB.
#[derive(Debug, Clone)]
pub struct ArangoOptions {
    /// `http://host:port` or `https://host:port`; of a cluster, a balancer before its coordinators.
    pub url: String,
    pub user: String,
    /// Absent where the server asks for no authentication.
    pub password: Option<SecretSource>,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Deadline of a request that is no query, its wait for a place excluded.
    pub request_timeout: Duration,
    /// Deadline of a query from its beginning to its last row.
    pub query_timeout: Duration,
    /// Most writes in flight (inclusive), from 1. Half as many reads have places of their own.
    pub max_in_flight: usize,
}

/// What is wrong with the options. Never tells a secret.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("the address of ArangoDB is no URL: write http://host:port or https://host:port")]
    NoUrl,
    #[error("the address of ArangoDB begins with {0}://: only http and https are spoken")]
    Scheme(String),
    #[error(
        "the address of ArangoDB holds a user or password: name the user beside it, and keep the password in a file"
    )]
    UserInfo,
    #[error("the address of ArangoDB holds more than host and port: remove what follows the port")]
    Path,
    #[error("the certificates in {path} cannot be read: {problem}")]
    Certificates { path: PathBuf, problem: String },
    #[error("no connections to ArangoDB can be made here: {0}")]
    Client(String),
}

/// Checks an address. It holds no secret and nothing behind the port.
pub(super) fn parse_url(text: &str) -> Result<Url, OptionsError> {
    let url = Url::parse(text.trim()).map_err(|_| OptionsError::NoUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OptionsError::UserInfo);
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(OptionsError::Scheme(url.scheme().to_owned()));
    }
    if !url.has_host() {
        return Err(OptionsError::NoUrl);
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(OptionsError::Path);
    }
    Ok(url)
}

/// Makes the one HTTP client of a server. It follows no redirects and knows no proxies: the token goes to
/// the configured address alone.
pub(super) fn http_client(options: &ArangoOptions) -> Result<Client, OptionsError> {
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(ARANGO_CONNECT)
        .pool_idle_timeout(ARANGO_IDLE)
        .pool_max_idle_per_host(2 * options.max_in_flight)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &options.ca_file {
        let problem = |problem: String| OptionsError::Certificates { path: path.clone(), problem };
        let pem = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
        let certificates =
            Certificate::from_pem_bundle(&pem).map_err(|error| problem(error.to_string()))?;
        if certificates.is_empty() {
            return Err(problem("it holds no certificate in PEM form".to_owned()));
        }
        builder = builder.tls_built_in_root_certs(false);
        builder =
            certificates.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    builder.build().map_err(|error| OptionsError::Client(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port_alone() {
        for good in ["http://localhost:8529", "https://db.example/", " http://10.0.0.1:80 "] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        for (bad, told) in [
            ("localhost", "is no URL"),
            ("nats://localhost", "begins with nats://"),
            ("http://root:hunter2@localhost", "holds a user or password"),
            ("http://root@localhost", "holds a user or password"),
            ("http://localhost/_db/x", "more than host and port"),
            ("http://localhost?x=hunter2", "more than host and port"),
        ] {
            let error = parse_url(bad).expect_err(bad).to_string();
            assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn private_certificates_are_read_and_their_faults_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let ca_file = dir.path().join("ca.pem");
        let options = |ca_file: &std::path::Path| ArangoOptions {
            url: "https://localhost".to_owned(),
            user: "weir".to_owned(),
            password: None,
            ca_file: Some(ca_file.to_owned()),
            request_timeout: Duration::from_secs(1),
            query_timeout: Duration::from_secs(1),
            max_in_flight: 4,
        };
        let missing = http_client(&options(&ca_file)).expect_err("no such file").to_string();
        assert!(missing.contains("ca.pem") && missing.contains("cannot be read"), "{missing}");
        std::fs::write(&ca_file, "no certificate").expect("the file is written");
        let empty = http_client(&options(&ca_file)).expect_err("no certificate").to_string();
        assert!(empty.contains("holds no certificate"), "{empty}");
    }
}

//! Who may enter which listener: the keys of a process, and where it asks for none.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::options::Layout;
use super::roles::Roles;
use crate::access::{Access, JwksSource, JwtOptions, Keys, Tokens};
use crate::config::{AccessSettings, Settings};
use crate::stream::{KvStore, Nats};

/// The gates of both listeners, over the same keys.
#[derive(Clone)]
pub(super) struct Doors {
    pub public: Access,
    pub admin: Access,
    keys: Keys,
}

impl Doors {
    /// Builds the gates; nothing is read from NATS yet.
    pub async fn build(
        settings: &Settings,
        layout: &Layout,
        roles: Roles,
        nats: Nats,
    ) -> anyhow::Result<Self> {
        let tokens = jwt(&settings.access).map(Tokens::new).transpose()?;
        let access = Access::new(copy(layout, roles)?, tokens);
        let mode = settings.access.mode.as_str();
        let open = |listen: &str| is_open(mode, roles, listen);
        let public = access.opened(roles.listen(settings).is_none_or(open));
        // A token that is set is asked for, whatever the mode; a certificate that is asked for is as good.
        let certified = mode == "auto" && settings.admin.client_ca_file.is_some();
        let admin = settings.admin.token.is_none() && (certified || open(&settings.admin.listen));
        let admin = access.opened(admin);
        let keys = Keys::new(KvStore::keys_of_producers(nats, settings.nats.replicas).await);
        Ok(Self { public, admin, keys })
    }

    /// Follows the keys until told to stop, and says once if nobody can come in.
    pub async fn follow(self, stop: CancellationToken) {
        let following = self.public.clone().follow(self.keys.clone(), stop.clone());
        let tokens = self.public.clone().follow_tokens(stop.clone());
        let warning = stop.run_until_cancelled(self.warn_if_shut());
        tokio::join!(following, tokens, warning);
    }

    async fn warn_if_shut(&self) {
        if self.public.known().await
            && self.public.has_keys() == Some(false)
            && !self.public.is_open()
        {
            tracing::warn!(
                "there is no key yet, so nobody may send or read: make one with \
                 weir keys create --name NAME --scope write,read"
            );
        }
    }
}

/// Where the keys are copied to; nowhere for roles that keep no files.
fn copy(layout: &Layout, roles: Roles) -> anyhow::Result<Option<PathBuf>> {
    if roles.with_files().next().is_none() {
        return Ok(None);
    }
    std::fs::create_dir_all(layout.root())
        .with_context(|| format!("cannot make {}", layout.root().display()))?;
    Ok(Some(layout.keys()))
}

/// Open without being asked to is only what nobody from elsewhere can reach.
fn is_open(mode: &str, roles: Roles, listen: &str) -> bool {
    match mode {
        "open" => true,
        "keys" => false,
        _ => roles == Roles::DEV && is_loopback(listen),
    }
}

fn is_loopback(listen: &str) -> bool {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let address: Option<IpAddr> = match listen.parse::<SocketAddr>() {
        Ok(address) => Some(address.ip()),
        Err(_) => host.parse().ok(),
    };
    address.map_or(host == "localhost", |address| address.is_loopback())
}

fn jwt(settings: &AccessSettings) -> Option<JwtOptions> {
    let from = &settings.jwt;
    let source = match (&from.jwks_url, &from.jwks_file) {
        (Some(url), _) => JwksSource::Url(url.clone()),
        (None, Some(path)) => JwksSource::File(path.clone()),
        (None, None) => return None,
    };
    Some(JwtOptions {
        issuer: from.issuer.clone()?,
        audience: from.audience.clone()?,
        algorithms: from.algorithms.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dev_on_loopback_is_open_by_itself() {
        for listen in ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "127.8.8.8:0"] {
            assert!(is_open("auto", Roles::DEV, listen), "{listen}");
            assert!(!is_open("auto", Roles::GATEWAY, listen), "{listen}");
            assert!(!is_open("keys", Roles::DEV, listen), "{listen}");
            assert!(is_open("open", Roles::API, listen), "{listen}");
        }
        for listen in ["0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080", "weir.internal:8080"] {
            assert!(!is_open("auto", Roles::DEV, listen), "{listen}");
        }
    }
}

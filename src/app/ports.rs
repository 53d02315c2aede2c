//! The listeners of a process: those that systemd hands over, and those that it binds itself.

use std::net::SocketAddr;

use anyhow::{Context, bail};

use super::options;
use super::roles::{Role, Roles};
use crate::config::Settings;
use crate::http::{Bound, Tls, TlsFiles, adopt, bind};
use crate::systemd::Sockets;

/// Bound, and served by nobody yet.
pub(super) struct Ports {
    pub public: Option<Bound>,
    pub admin: Bound,
}

impl Ports {
    /// Takes what was handed over and binds the rest. Settings then name the addresses that are really in use: who
    /// may enter is decided by them.
    pub async fn bind(
        settings: &mut Settings,
        roles: Roles,
        sockets: Sockets,
    ) -> anyhow::Result<Self> {
        if sockets.public.is_some() && roles.listen(settings).is_none() {
            bail!(
                "systemd hands over a socket for the public listener, and weir {roles} has none: call it admin, \
                 with FileDescriptorName=admin in the socket unit"
            );
        }
        let public = sockets.public.map(adopt).transpose();
        let admin = sockets.admin.map(adopt).transpose();
        let public = public.context("cannot serve the public socket that systemd hands over")?;
        let admin = admin.context("cannot serve the admin socket that systemd hands over")?;
        let files = (options::public_tls(settings), options::admin_tls(settings));
        let public = match (public, public_listen(settings, roles)) {
            (Some(bound), Some((key, listen))) => {
                settle(key, listen, bound.address());
                Some(with_tls(bound, files.0)?)
            }
            (None, Some((_, listen))) => Some(with_tls(bind(listen).await?, files.0)?),
            (_, None) => None,
        };
        let admin = if let Some(bound) = admin {
            settle("admin.listen", &mut settings.admin.listen, bound.address());
            bound
        } else {
            bind(&settings.admin.listen).await?
        };
        Ok(Self { public, admin: with_tls(admin, files.1)? })
    }
}

fn with_tls(bound: Bound, files: Option<TlsFiles>) -> anyhow::Result<Bound> {
    Ok(bound.with_tls(files.map(Tls::load).transpose()?))
}

/// The key that says where the public is served, and what it says; as [`Roles::listen`].
fn public_listen(settings: &mut Settings, roles: Roles) -> Option<(&'static str, &mut String)> {
    if roles.has(Role::Gateway) {
        return Some(("gateway.listen", &mut settings.gateway.listen));
    }
    roles.has(Role::Api).then_some(("api.listen", &mut settings.api.listen))
}

/// Has a setting say what is in use, and tells so.
fn settle(key: &'static str, listen: &mut String, inherited: SocketAddr) {
    if agrees(listen, inherited) {
        tracing::info!(address = %inherited, "listens on the socket that systemd hands over");
    } else {
        tracing::warn!(
            address = %inherited,
            key,
            configured = *listen,
            "listens on the socket that systemd hands over, and not where it is configured to: the socket unit \
             decides; name the same address in both"
        );
    }
    *listen = inherited.to_string();
}

/// Whether a configured address means a socket. That of all of IPv6 takes IPv4 too. Pure.
fn agrees(configured: &str, inherited: SocketAddr) -> bool {
    match configured.parse::<SocketAddr>() {
        Ok(configured) => {
            let all = configured.ip().is_unspecified() && inherited.ip().is_unspecified();
            configured.port() == inherited.port() && (all || configured.ip() == inherited.ip())
        }
        Err(_) => configured.rsplit_once(':').is_some_and(|(host, port)| {
            host == "localhost"
                && inherited.ip().is_loopback()
                && port == inherited.port().to_string()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_where_it_is_configured_or_somewhere_else() {
        let agrees =
            |configured: &str, inherited: &str| agrees(configured, inherited.parse().unwrap());
        for (configured, inherited) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:8080", "[::]:8080"),
            ("[::]:8080", "0.0.0.0:8080"),
            ("localhost:8080", "[::1]:8080"),
        ] {
            assert!(agrees(configured, inherited), "{configured} {inherited}");
        }
        for (configured, inherited) in [
            ("127.0.0.1:8080", "0.0.0.0:8080"),
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("127.0.0.1:8080", "127.0.0.1:80"),
            ("weir.internal:8080", "10.0.0.1:8080"),
        ] {
            assert!(!agrees(configured, inherited), "{configured} {inherited}");
        }
    }
}

//! TLS of a listener: the handshake, and a certificate that is read again when its files change.

use std::sync::{Arc, PoisonError, RwLock};

use metrics::counter;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::{ALPN_HTTP2, Pem, TlsError, TlsFiles, server_config};
use super::connections::Admission;
use super::protocol::Protocols;
use super::session::{Session, service};
use crate::limits::{TLS_HANDSHAKE, TLS_LOOK};
use crate::telemetry::names;

/// The TLS of one listener; clones share the certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    files: Arc<TlsFiles>,
    /// What the files held when they were read first.
    first: blake3::Hash,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads the files, which must be there and fit each other.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let pem = Pem::read(&files)?;
        let config = server_config(&files, &pem)?;
        let current = Arc::new(RwLock::new(Arc::new(config)));
        Ok(Self { first: pem.hash(), files: Arc::new(files), current })
    }

    fn config(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves one connection from its handshake to its end, in the protocol that the client chose.
    pub(super) async fn serve(
        self,
        stream: TcpStream,
        session: Session,
        protocols: Protocols,
        admission: Admission,
    ) {
        let handshake = timeout(TLS_HANDSHAKE, TlsAcceptor::from(self.config()).accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = protocols.drain.token.cancelled() => return,
        };
        match shaken {
            Ok(Ok(stream)) => serve_in(stream, session, &protocols).await,
            Ok(Err(error)) => protocols.note_handshake(&error.to_string()),
            Err(late) => protocols.note_handshake(&late.to_string()),
        }
        drop(admission);
    }
}

async fn serve_in(stream: TlsStream<TcpStream>, session: Session, protocols: &Protocols) {
    let chosen = stream.get_ref().1.alpn_protocol();
    let seat = session.seat.clone();
    if chosen == Some(ALPN_HTTP2) {
        // Boxed, since it is much larger than the other, and made once a connection.
        Box::pin(protocols.serve_http2(stream, service(session), &seat)).await;
    } else {
        protocols.serve_http1(stream, service(session), &seat).await;
    }
}

impl Protocols {
    fn note_handshake(&self, error: &str) {
        counter!(names::HTTP_HANDSHAKES_FAILED, "listener" => self.listener).increment(1);
        tracing::debug!(error, listener = self.listener, "a TLS handshake failed");
    }
}

/// Looks at the files again and again. New connections get what fits; what does not is told once, and the old
/// certificate stays. Connections that are open keep theirs.
pub(super) async fn keep_fresh(tls: Option<Tls>) {
    let Some(tls) = tls else { return std::future::pending().await };
    let mut look = Look::new(tls.first);
    let mut clock = tokio::time::interval(TLS_LOOK);
    loop {
        clock.tick().await;
        let files = tls.files.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let pem = Pem::read(&files);
            pem.map(|pem| (pem.hash(), server_config(&files, &pem)))
        });
        let read = reading.await.expect("reading does not panic and is not cancelled");
        let (hash, made) = match read {
            Ok((hash, made)) => (hash, made.map_err(|error| error.to_string())),
            Err(error) => (blake3::hash(error.to_string().as_bytes()), Err(error.to_string())),
        };
        match look.judge(hash, made.is_ok()) {
            Seen::Nothing => {}
            Seen::Good => {
                let Ok(config) = made else { continue };
                *tls.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                let file = tls.files.cert.display().to_string();
                tracing::info!(file, "a new certificate is served from now on");
            }
            Seen::Bad => {
                let error = made.err().unwrap_or_default();
                tracing::warn!(error, "the new certificate cannot be used, the old one stays");
            }
        }
    }
}

/// What looking at the files has shown so far (pure).
#[derive(Debug)]
struct Look {
    served: blake3::Hash,
    bad: Option<blake3::Hash>,
    told: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Good,
    Bad,
}

impl Look {
    fn new(served: blake3::Hash) -> Self {
        Self { served, bad: None, told: false }
    }

    /// Judges one look. What does not fit is told at the second look alone: certificate and key may be replaced
    /// one after the other.
    fn judge(&mut self, hash: blake3::Hash, fits: bool) -> Seen {
        if hash == self.served {
            self.bad = None;
            return Seen::Nothing;
        }
        if fits {
            *self = Self::new(hash);
            return Seen::Good;
        }
        if self.bad != Some(hash) {
            self.bad = Some(hash);
            self.told = false;
            return Seen::Nothing;
        }
        if self.told {
            return Seen::Nothing;
        }
        self.told = true;
        Seen::Bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_served_at_once_and_what_does_not_is_told_once_if_it_stays() {
        let hash = |text: &str| blake3::hash(text.as_bytes());
        let mut look = Look::new(hash("first"));
        assert_eq!(look.judge(hash("first"), true), Seen::Nothing);
        assert_eq!(look.judge(hash("half"), false), Seen::Nothing);
        assert_eq!(look.judge(hash("second"), true), Seen::Good);
        assert_eq!(look.judge(hash("second"), true), Seen::Nothing);
        let bad: Vec<Seen> = (0..4).map(|_| look.judge(hash("bad"), false)).collect();
        assert_eq!(bad, [Seen::Nothing, Seen::Bad, Seen::Nothing, Seen::Nothing]);
        assert_eq!(look.judge(hash("worse"), false), Seen::Nothing);
        assert_eq!(look.judge(hash("worse"), false), Seen::Bad);
        assert_eq!(look.judge(hash("second"), true), Seen::Nothing, "it is served already");
        assert_eq!(look.judge(hash("worse"), false), Seen::Nothing);
        assert_eq!(look.judge(hash("worse"), false), Seen::Bad);
    }
}

//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns a token that the first signal cancels. A second signal ends the process with 130.
pub(super) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let mut next =
            async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
        next().await;
        token.cancel();
        next().await;
        tracing::warn!(
            "ended at once: what was accepted is in the write-ahead log, and published at the next start"
        );
        end_now();
    });
    Ok(stop)
}

#[expect(clippy::disallowed_methods, reason = "the person has asked twice")]
fn end_now() -> ! {
    std::process::exit(130)
}

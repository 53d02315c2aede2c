//! Looks at the NATS server whenever it is another one, and tells what does not keep the promises.

use tokio_util::sync::CancellationToken;

use crate::stream::EventLog;

/// Tells once a connection what of the server or the stream does not keep the promises.
pub(super) async fn examine(log: EventLog, stop: CancellationToken) {
    let mut link = log.nats().link();
    let mut examined = 0;
    loop {
        let times = tokio::select! {
            () = stop.cancelled() => return,
            link = link.wait_for(|link| link.connected && link.times != examined) => match link {
                Ok(link) => link.times,
                Err(_) => return,
            },
        };
        examined = times;
        if let Err(error) = log.nats().check_server() {
            tracing::error!(%error, "the NATS server is too old to keep the promises");
        }
        let findings = log.inspect().await.unwrap_or_default();
        for finding in findings {
            finding.log();
        }
    }
}

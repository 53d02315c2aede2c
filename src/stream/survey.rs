//! Questions about the log as a whole: where a moment lies in it, what stands next, and what is gone from it.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::response::Response;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;

use crate::limits;
use crate::stream::handle::GetError;
use crate::stream::log::EventLog;

/// How long the server keeps a consumer that was only made to learn where it would begin.
const INACTIVE: Duration = Duration::from_secs(5);

/// What is gone from within the log, as the server knows of it. Both lists rise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// Deleted, as erased events are.
    pub erased: Vec<u64>,
    /// The server had them, and could not read them again.
    pub lost: Vec<u64>,
    /// There are more than [`limits::GONE_LISTED`], and they were not asked for.
    pub cut: bool,
}

#[derive(Deserialize)]
struct Info {
    state: State,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    deleted: Option<Vec<u64>>,
    #[serde(default)]
    lost: Option<Lost>,
}

#[derive(Deserialize)]
struct Lost {
    #[serde(default)]
    msgs: Option<Vec<u64>>,
}

impl EventLog {
    /// Returns the sequence at which what was stored at a moment or later begins: one more than the last
    /// if nothing was. The moment is the stream's, in milliseconds since 1970.
    pub async fn sequence_at(&self, time_ms: i64) -> Result<u64, GetError> {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time_ms) * 1_000_000)
            .map_err(|_| GetError::Unavailable("the moment is out of range".to_owned()))?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartTime { start_time: moment },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..Default::default()
        };
        let handle = self.handle();
        // Nothing is delivered: where it stands before its first message is the answer.
        let made = handle.context().create_consumer_on_stream(config, handle.name());
        let made = handle.bounded(made, "no answer").await?;
        let made = made.map_err(|error| GetError::Unavailable(error.to_string()))?;
        let begins = made.cached_info().delivered.stream_sequence + 1;
        let name = made.cached_info().name.clone();
        handle.bounded(handle.stream().delete_consumer(&name), "no answer").await?.ok();
        Ok(begins)
    }

    /// Asks what is gone from between the log's first and last message.
    pub async fn gone(&self) -> Result<Gone, GetError> {
        let info = self.info().await?;
        let many = info.state.deleted_count.unwrap_or_default() > limits::GONE_LISTED;
        let asked = json!({ "deleted_details": !many });
        let handle = self.handle();
        let subject = format!("STREAM.INFO.{}", handle.name());
        let asking = handle.context().request(subject, &asked);
        let answer: Response<Info> = handle
            .bounded(asking, "no answer")
            .await?
            .map_err(|error| GetError::Unavailable(error.to_string()))?;
        match answer {
            Response::Ok(Info { state }) => Ok(gone(state, many)),
            Response::Err { error } => Err(GetError::Unavailable(error.to_string())),
        }
    }
}

fn gone(state: State, cut: bool) -> Gone {
    let mut erased = state.deleted.unwrap_or_default();
    let mut lost = state.lost.and_then(|lost| lost.msgs).unwrap_or_default();
    erased.sort_unstable();
    lost.sort_unstable();
    Gone { erased, lost, cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whatever_it_leaves_out() {
        let read = |json: &str| {
            let info: Response<Info> = serde_json::from_str(json).unwrap();
            match info {
                Response::Ok(info) => gone(info.state, false),
                Response::Err { .. } => panic!("no error"),
            }
        };
        assert_eq!(read(r#"{"state":{"messages":3}}"#), Gone::default());
        let lost = r#"{"state":{"deleted":[9,4],"lost":{"msgs":[7],"bytes":12}}}"#;
        assert_eq!(read(lost), Gone { erased: vec![4, 9], lost: vec![7], cut: false });
        assert_eq!(read(r#"{"state":{"deleted":null,"lost":{"msgs":null}}}"#), Gone::default());
    }
}

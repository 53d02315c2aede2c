//! Queries: a cursor from its first batch to its last, under one deadline.

use std::time::Duration;

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::database::{Database, read_answer};
use super::session::{Call, Kind};
use crate::limits::{ARANGO_CURSOR_FAREWELL, ARANGO_CURSOR_ROWS};
use crate::store::Failure;
use crate::store::arango::classify::{Evidence, Finding, Wire, classify};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query<'a> {
    query: &'a str,
    bind_vars: &'a Value,
    batch_size: usize,
    options: QueryOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueryOptions {
    fail_on_warning: bool,
    /// Seconds after which the server itself ends the query.
    max_runtime: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: DeserializeOwned"))]
struct Batch<T> {
    result: Vec<T>,
    has_more: bool,
    #[serde(default)]
    id: Option<String>,
}

impl Database {
    /// Runs a read to its end and returns all rows, under one deadline, the wait for a place included.
    ///
    /// A warning of the server is a failure. `binds` is an object; a collection binds as `"@name"`.
    pub async fn query<T: DeserializeOwned>(
        &self,
        aql: &'static str,
        binds: Value,
    ) -> Result<Vec<T>, Failure> {
        let timeout = self.arango().query_timeout();
        let end = Instant::now() + timeout;
        let waiting = tokio::time::timeout_at(end, self.arango().reads().acquire()).await;
        let Ok(place) = waiting else {
            return Err(crowded(timeout).into());
        };
        let _place = place.expect("the semaphore is never closed");
        Ok(self.rows(aql, &binds, timeout, end).await?)
    }

    async fn rows<T: DeserializeOwned>(
        &self,
        aql: &str,
        binds: &Value,
        timeout: Duration,
        end: Instant,
    ) -> Result<Vec<T>, Finding> {
        let query = Query {
            query: aql,
            bind_vars: binds,
            batch_size: ARANGO_CURSOR_ROWS,
            options: QueryOptions { fail_on_warning: true, max_runtime: timeout.as_secs_f64() },
        };
        let query = serde_json::to_string(&query).expect("texts and numbers are JSON");
        let mut batch: Batch<T> = self.batch(Method::POST, "_api/cursor", query, end).await?;
        let mut rows = batch.result;
        while batch.has_more {
            let Some(id) = batch.id.filter(|id| is_cursor_id(id)) else {
                let problem = "a cursor with more rows has no id of letters and digits";
                return Err(classify(Evidence::Shape { status: 201, problem }));
            };
            let path = format!("_api/cursor/{id}");
            match self.batch(Method::POST, &path, String::new(), end).await {
                Ok(next) => batch = next,
                Err(finding) => {
                    self.leave(&path).await;
                    return Err(finding);
                }
            }
            rows.append(&mut batch.result);
        }
        Ok(rows)
    }

    async fn batch<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
        end: Instant,
    ) -> Result<Batch<T>, Finding> {
        let mut request = self.request(method, path, body);
        let within = end.saturating_duration_since(Instant::now());
        request.extensions_mut().insert(Call { kind: Kind::Query, within });
        read_answer(self.arango().session().send(request).await)
    }

    /// Tells the server that a cursor is not read to its end. If that does not arrive, it expires by itself.
    async fn leave(&self, path: &str) {
        let mut request = self.request(Method::DELETE, path, String::new());
        let call = Call { kind: Kind::Query, within: ARANGO_CURSOR_FAREWELL };
        request.extensions_mut().insert(call);
        if let Err(trouble) = self.arango().session().send(request).await {
            tracing::debug!(%trouble, "a cursor was left to expire");
        }
    }
}

fn is_cursor_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn crowded(timeout: Duration) -> Finding {
    let text = format!("all places for queries to ArangoDB were taken for {timeout:?}");
    classify(Evidence::Wire { wire: Wire::Crowded, text: &text })
}

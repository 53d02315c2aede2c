//! One server, and how much is asked of it at once.

use std::sync::Arc;
use std::time::Duration;

use arangors::GenericConnection;
use arangors::connection::Version;
use http::{Request, Response};
use tokio::sync::Semaphore;

use super::database::{Database, read_answer};
use super::exchange::Trouble;
use super::gate::Gate;
use super::limiter::{Limiter, Load};
use super::login::Login;
use super::options::{ArangoOptions, OptionsError, http_client, parse_url};
use super::session::{Call, Kind, Session, Shared, connect, queue_time};
use crate::limits::{ARANGO_FIRST_WINDOW, ARANGO_QUEUE_TIME, ARANGO_READS};
use crate::store::arango::classify::Wire;
use crate::store::{Failure, Remedy};
use crate::telemetry::names;

/// The version from which on the merge rule (`versionAttribute`) exists.
const OLDEST: (u32, u32) = (3, 12);

/// One server or cluster. Clones share connections, token, places and metrics.
#[derive(Debug, Clone)]
pub struct Arango {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: GenericConnection<Session>,
    writes: Gate,
    /// Reads have places of their own, so that no flood of writes starves them.
    reads: Semaphore,
    request_timeout: Duration,
    query_timeout: Duration,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// As the server writes it: `3.12.7-2`.
    pub version: String,
    /// `community` or `enterprise`.
    pub license: String,
}

impl Arango {
    /// Checks the options and makes the client. Nothing is sent.
    pub fn new(options: ArangoOptions) -> Result<Self, OptionsError> {
        let url = parse_url(&options.url)?;
        let http = http_client(&options)?;
        let login = options.password.map(|password| Login::new(&url, options.user, password));
        let shared = Shared { http, url, login, request_timeout: options.request_timeout };
        let connection =
            connect(shared).map_err(|error| OptionsError::Client(error.to_string()))?;
        let writes = Limiter::new(ARANGO_FIRST_WINDOW, options.max_in_flight);
        let inner = Inner {
            connection,
            writes: Gate::new(writes),
            reads: Semaphore::new((options.max_in_flight / 2).max(ARANGO_READS)),
            request_timeout: options.request_timeout,
            query_timeout: options.query_timeout,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks the server for its version. One older than 3.12 is refused: it lacks the merge rule.
    pub async fn server(&self) -> Result<ServerFacts, Failure> {
        let url = format!("{}_api/version", self.url());
        let request = Request::get(url).body(String::new()).expect("the address is checked");
        check_version(&read_answer(self.session().send(request).await)?)
    }

    /// A database on this server, whether it exists or not. Nothing is sent.
    pub fn database(&self, name: &str) -> Database {
        Database::new(self.clone(), name)
    }

    /// The writes that may be in flight now.
    pub fn window(&self) -> usize {
        self.inner.writes.window()
    }

    /// The server's address, with a `/` at its end.
    pub(super) fn url(&self) -> &str {
        self.inner.connection.url().as_str()
    }

    pub(super) fn session(&self) -> Arc<Session> {
        self.inner.connection.session()
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.inner.request_timeout
    }

    pub(super) fn query_timeout(&self) -> Duration {
        self.inner.query_timeout
    }

    pub(super) fn reads(&self) -> &Semaphore {
        &self.inner.reads
    }

    /// Sends a write once there is a place for it, and learns from how it went.
    pub(super) async fn write(
        &self,
        mut request: Request<String>,
    ) -> Result<Response<String>, Trouble> {
        let place = self.inner.writes.enter().await;
        let call = Call { kind: Kind::Write, within: self.inner.request_timeout };
        request.extensions_mut().insert(call);
        let outcome = self.session().send(request).await;
        place.leave(load_of(&outcome));
        metrics::gauge!(names::ARANGO_WINDOW).set(self.window() as f64);
        outcome
    }
}

/// What an outcome tells of the server's load.
fn load_of(outcome: &Result<Response<String>, Trouble>) -> Load {
    match outcome {
        Ok(answer) if matches!(answer.status().as_u16(), 412 | 429 | 503 | 504) => Load::Heavy,
        Ok(answer) if queue_time(answer.headers()).is_some_and(|wait| wait > ARANGO_QUEUE_TIME) => {
            Load::Heavy
        }
        Ok(answer) if answer.status().is_success() => Load::Light,
        Err(Trouble::Wire { wire: Wire::TimedOut, .. }) => Load::Heavy,
        Ok(_) | Err(_) => Load::Unknown,
    }
}

pub(super) fn check_version(version: &Version) -> Result<ServerFacts, Failure> {
    let mut numbers = version.version.split('.').map(|part| {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        part[..digits].parse().unwrap_or(0)
    });
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let stop = |code: &str, text: String| {
        Err(Failure { remedy: Remedy::Stop, code: code.to_owned(), text })
    };
    if version.server != "arango" {
        return stop("not_arango", format!("this is no ArangoDB but {:?}", version.server));
    }
    if found < OLDEST {
        let text = format!(
            "ArangoDB {} is too old: 3.12 is the first that keeps the greater version of a document; upgrade the server",
            version.version
        );
        return stop("arango_too_old", text);
    }
    Ok(ServerFacts { version: version.version.clone(), license: version.license.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Secret, SecretSource};

    fn check(version: &str) -> Result<ServerFacts, Failure> {
        let (server, license) = ("arango".to_owned(), "community".to_owned());
        check_version(&Version { server, version: version.to_owned(), license })
    }

    #[test]
    fn servers_before_3_12_are_refused_with_advice() {
        for good in ["3.12.0", "3.12.7-2", "3.12", "3.13.0-devel", "4.0.0"] {
            assert_eq!(check(good).expect(good).version, good);
        }
        for bad in ["3.11.14", "3.9.0-rc.1", "2.8", "", "devel"] {
            let failure = check(bad).expect_err(bad);
            assert_eq!((failure.remedy, failure.code.as_str()), (Remedy::Stop, "arango_too_old"));
            assert!(failure.text.contains("upgrade"), "{}", failure.text);
        }
    }

    fn options(url: &str, password: &str) -> ArangoOptions {
        ArangoOptions {
            url: url.to_owned(),
            user: "weir".to_owned(),
            password: Some(SecretSource::Value(Secret::new(password))),
            ca_file: None,
            request_timeout: Duration::from_secs(5),
            query_timeout: Duration::from_secs(5),
            max_in_flight: 16,
        }
    }

    #[test]
    fn servers_live_side_by_side_and_none_shows_its_password() {
        let one = Arango::new(options("http://one:8529", "hunter1")).expect("valid");
        let two = Arango::new(options("https://two", "hunter2")).expect("valid");
        let database = one.database("recsys g1/ü");
        assert_eq!((one.url(), two.url()), ("http://one:8529/", "https://two/"));
        let request = database.request(http::Method::GET, "_api/version", String::new());
        assert_eq!(request.uri(), "http://one:8529/_db/recsys%20g1%2F%C3%BC/_api/version");
        assert_eq!(one.window(), ARANGO_FIRST_WINDOW);
        let shown = format!("{one:?} {two:?} {database:?}");
        assert!(shown.contains("http://one:8529/") && !shown.contains("hunter"), "{shown}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_as_such() {
        let arango = Arango::new(options("http://127.0.0.1:1", "hunter1")).expect("valid");
        let failure = arango.server().await.expect_err("nobody listens on port 1");
        assert_eq!((failure.remedy, failure.code.as_str()), (Remedy::BackOff, "unreachable"));
        assert!(failure.text.contains("cannot be reached"), "{}", failure.text);
        let query = arango.database("g1").query::<u64>("RETURN 1", serde_json::json!({})).await;
        assert_eq!(query.expect_err("nobody listens").remedy, Remedy::BackOff);
    }
}

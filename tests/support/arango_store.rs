//! A store of weir over a stand-in, with a password in a file.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use weir::event::{EventTypes, TypeIndex};
use weir::graph::{Edge, Put};
use weir::secret::SecretSource;
use weir::store::arango::schema::{self, Target};
use weir::store::arango::{Arango, ArangoOptions, ArangoStore, Database};

use super::arango::StandIn;

pub const DATABASE: &str = "recsys_g1";

/// A server, a client of it, and the file with the client's password.
pub struct Made {
    pub server: StandIn,
    pub arango: Arango,
    pub types: Arc<EventTypes>,
    password: TempDir,
}

impl Made {
    /// A server without a database.
    pub fn empty() -> Self {
        Self::with_timeout(Duration::from_secs(10))
    }

    pub fn with_timeout(timeout: Duration) -> Self {
        let server = StandIn::start();
        let password = tempfile::tempdir().unwrap();
        std::fs::write(password.path().join("password"), server.password()).unwrap();
        let types = Arc::new(EventTypes::builtin());
        let arango = client(&server.url(), &password, timeout);
        Self { server, arango, types, password }
    }

    /// A server with a generation's database as `weir migrate apply` makes it.
    pub async fn ready() -> Self {
        Self::ready_within(Duration::from_secs(10)).await
    }

    /// The same; only what is asked afterwards has so little time.
    pub async fn ready_within(timeout: Duration) -> Self {
        let mut made = Self::with_timeout(Duration::from_secs(20));
        schema::apply(&made.database(), &made.target(), &mut |_| {}).await.unwrap();
        made.arango = client(&made.server.url(), &made.password, timeout);
        made.server.forget_requests();
        made
    }

    pub fn database(&self) -> Database {
        self.arango.database(DATABASE)
    }

    pub fn target(&self) -> Target {
        Target {
            types: Arc::clone(&self.types),
            shards: 1,
            replication_factor: 1,
            write_concern: 1,
            one_shard: false,
        }
    }

    /// A store that knows of no vertices.
    pub fn store(&self) -> ArangoStore {
        ArangoStore::new(self.database(), Arc::clone(&self.types))
    }

    pub fn change_password_file(&self, password: &str) {
        std::fs::write(self.password.path().join("password"), password).unwrap();
    }

    pub fn type_of(&self, name: &str) -> TypeIndex {
        self.types.find(name).unwrap()
    }

    /// An edge of user and item `u` and `i`; its event's id names it.
    pub fn edge<'e>(&self, of: &'e str, event_id: &'e str) -> Put<'e> {
        let edge = Edge {
            user: "u",
            item: "i",
            at_ms: 1_717_200_000_000,
            event_id,
            source: "shop",
            value: None,
        };
        Put::edge(self.type_of(of), of, edge)
    }

    /// The collections that were written to, in the order of the answers.
    pub fn written(&self) -> Vec<String> {
        let requests = self.server.requests().into_iter();
        let writes = requests
            .filter_map(|seen| seen.path.strip_prefix("/_api/document/").map(str::to_owned));
        writes.collect()
    }
}

fn client(url: &str, password: &TempDir, timeout: Duration) -> Arango {
    Arango::new(ArangoOptions {
        url: url.to_owned(),
        user: StandIn::USER.to_owned(),
        password: Some(SecretSource::File(password.path().join("password"))),
        ca_file: None,
        request_timeout: timeout,
        query_timeout: timeout,
        max_in_flight: 16,
    })
    .unwrap()
}

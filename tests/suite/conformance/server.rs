//! ArangoDB for a test: the stand-in, or the server that the environment names, with a database of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use weir::event::EventTypes;
use weir::secret::{Secret, SecretSource};
use weir::store::arango::schema::{self, Target};
use weir::store::arango::{Arango, ArangoOptions, ArangoStore};

use crate::support::arango::StandIn;

/// Where requests go, and who sends them.
#[derive(Clone)]
pub struct Access {
    pub url: String,
    pub user: String,
    pub password: Secret,
}

/// The server that `WEIR_TEST_ARANGO_URL` names, if it does.
pub fn real() -> Option<Access> {
    let url = std::env::var("WEIR_TEST_ARANGO_URL").ok().filter(|url| !url.is_empty())?;
    let user = std::env::var("WEIR_TEST_ARANGO_USER").unwrap_or_else(|_| "root".to_owned());
    let file = std::env::var("WEIR_TEST_ARANGO_PASSWORD_FILE").ok().filter(|file| !file.is_empty());
    let password = file.map_or_else(
        || Secret::new(""),
        |file| SecretSource::File(file.into()).read().expect("the password's file can be read"),
    );
    Some(Access { url, user, password })
}

/// Keeps a database, and the stand-in if it is one; both are gone when it is dropped.
pub struct Kept {
    pub access: Access,
    pub stand_in: Option<StandIn>,
    name: String,
}

impl Kept {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("weir_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        if let Some(access) = real() {
            return Self { access, stand_in: None, name };
        }
        let stand_in = StandIn::start();
        let access = Access {
            url: stand_in.url(),
            user: StandIn::USER.to_owned(),
            password: Secret::new(stand_in.password()),
        };
        Self { access, stand_in: Some(stand_in), name }
    }

    pub async fn store(&self) -> ArangoStore {
        let types = Arc::new(EventTypes::builtin());
        let arango = Arango::new(self.access.options()).expect("the options are right");
        let database = arango.database(&self.name);
        let target = Target {
            types: types.clone(),
            shards: 1,
            replication_factor: 1,
            write_concern: 1,
            one_shard: false,
        };
        schema::apply(&database, &target, &mut |_| {}).await.expect("the database is made");
        ArangoStore::new(database, types).popular_for(Duration::ZERO)
    }
}

impl Access {
    fn options(&self) -> ArangoOptions {
        ArangoOptions {
            url: self.url.clone(),
            user: self.user.clone(),
            password: Some(SecretSource::Value(self.password.clone())),
            ca_file: None,
            request_timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(30),
            max_in_flight: 8,
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.stand_in.is_some() {
            return;
        }
        let Access { url, user, password } = self.access.clone();
        let url = format!("{url}/_api/database/{}", self.name);
        // Dropping cannot wait for the runtime it runs in, so a thread of its own does.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let request =
                reqwest::Client::new().delete(url).basic_auth(user, Some(password.expose()));
            runtime.expect("a runtime").block_on(request.send()).is_ok()
        });
        if !dropped.join().unwrap_or(false) {
            eprintln!("the database {} could not be dropped", self.name);
        }
    }
}

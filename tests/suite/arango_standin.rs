//! The stand-in for ArangoDB keeps what it promises, told by requests of its own and by a foreign client.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::arango::{Real, StandIn};
use crate::support::eventually;

const SHORT: Duration = Duration::from_secs(10);

/// Asks a stand-in, with the password unless a token is given.
struct Asker {
    http: reqwest::Client,
    url: String,
    password: String,
    token: Option<String>,
}

/// An answer, taken apart.
struct Told {
    status: u16,
    body: Value,
    codes: Option<String>,
}

impl Asker {
    fn of(stand_in: &StandIn) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url: stand_in.url(), password: stand_in.password(), token: None }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Response> {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request.basic_auth(StandIn::USER, Some(&self.password)),
        };
        match body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    }

    async fn told(&self, method: Method, path: &str, body: Option<&Value>) -> Told {
        let response = self.send(method, path, body).await.unwrap();
        assert_eq!(response.headers()["server"], "ArangoDB");
        assert!(response.headers().contains_key("x-arango-queue-time-seconds"));
        let codes = response.headers().get("x-arango-error-codes");
        let codes = codes.map(|codes| codes.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        Told { status, codes, body: response.json().await.unwrap_or(Value::Null) }
    }

    async fn get(&self, path: &str) -> Told {
        self.told(Method::GET, path, None).await
    }

    async fn delete(&self, path: &str) -> Told {
        self.told(Method::DELETE, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Told {
        self.told(Method::POST, path, Some(body)).await
    }

    /// Puts documents into the collection `c` (or edges into `e`) of the database `d`.
    async fn put(&self, collection: &str, params: &str, documents: &Value) -> Told {
        self.post(&format!("/_db/d/_api/document/{collection}?{params}"), documents).await
    }

    async fn log_in(&mut self) -> u16 {
        let body = json!({"username": StandIn::USER, "password": self.password});
        let told = self.post("/_open/auth", &body).await;
        self.token = told.body["jwt"].as_str().map(str::to_owned);
        told.status
    }
}

impl Told {
    fn error(&self) -> (u16, u64) {
        assert_eq!((&self.body["error"], &self.body["code"]), (&json!(true), &json!(self.status)));
        assert!(self.body["errorMessage"].is_string());
        (self.status, self.body["errorNum"].as_u64().unwrap())
    }
}

/// A stand-in with the database `d`, its collection `c` and its edge collection `e`.
async fn furnished() -> (StandIn, Asker) {
    let stand_in = StandIn::start();
    let asker = Asker::of(&stand_in);
    assert_eq!(asker.post("/_api/database", &json!({"name": "d"})).await.status, 201);
    for (name, kind) in [("c", 2), ("e", 3)] {
        let body = json!({"name": name, "type": kind});
        assert_eq!(asker.post("/_db/d/_api/collection", &body).await.status, 200);
    }
    stand_in.forget_requests();
    (stand_in, asker)
}

#[tokio::test]
async fn databases_are_made_once_listed_and_dropped() {
    let stand_in = StandIn::start();
    let asker = Asker::of(&stand_in);
    let body = json!({"name": "d", "options": {"sharding": "single", "replicationFactor": 1, "writeConcern": 1}});
    assert_eq!(asker.post("/_api/database", &body).await.status, 201);
    assert_eq!(asker.post("/_api/database", &body).await.error(), (409, 1207));
    assert_eq!(asker.post("/_api/database", &json!({"name": "1d"})).await.error(), (400, 1229));
    assert_eq!(
        asker.post("/_db/d/_api/database", &json!({"name": "x"})).await.error(),
        (403, 1230)
    );
    assert_eq!(asker.get("/_api/database").await.body["result"], json!(["_system", "d"]));
    let current = asker.get("/_db/d/_api/database/current").await.body;
    assert_eq!(
        (&current["result"]["name"], &current["result"]["sharding"]),
        (&json!("d"), &json!("single"))
    );
    assert_eq!(asker.delete("/_api/database/d").await.body["result"], true);
    assert_eq!(asker.delete("/_api/database/d").await.error(), (404, 1228));
    assert_eq!(asker.get("/_db/d/_api/collection").await.error(), (404, 1228));
    assert_eq!(stand_in.databases(), ["_system"]);
}

#[tokio::test]
async fn documents_are_taken_one_by_one_in_their_order() {
    let (stand_in, asker) = furnished().await;
    let mixed = json!([{"_key": "a"}, {"_key": "a"}, {"_key": "x/y"}, 7, {"_key": "b", "n": 1}]);
    let told = asker.put("c", "", &mixed).await;
    assert_eq!((told.status, told.codes.as_deref()), (202, Some("1210:1,1221:1,1227:1")));
    let elements = told.body.as_array().unwrap();
    assert_eq!(elements[0]["_id"], "c/a");
    let numbers: Vec<&Value> = elements.iter().map(|element| &element["errorNum"]).collect();
    assert_eq!(numbers, [&Value::Null, &json!(1210), &json!(1221), &json!(1227), &Value::Null]);
    assert!(elements[1].get("code").is_none() && elements[1]["error"] == true);
    assert_eq!(stand_in.count("d", "c"), 2);
    assert_eq!(stand_in.document("d", "c", "b").unwrap()["n"], 1);
}

#[tokio::test]
async fn collections_and_indexes_are_what_they_were_first_made_as() {
    let (stand_in, asker) = furnished().await;
    let again = asker.post("/_db/d/_api/collection", &json!({"name": "c", "type": 3})).await;
    assert_eq!(again.error(), (409, 1207));
    let bad = asker.post("/_db/d/_api/collection", &json!({"name": "9", "type": 2})).await;
    assert_eq!(bad.error(), (400, 1208));
    let body = json!({"name": "w", "type": 2, "numberOfShards": 3, "replicationFactor": 2, "writeConcern": 1, "waitForSync": true});
    let made = asker.post("/_db/d/_api/collection", &body).await.body;
    let told = asker.get("/_db/d/_api/collection/w/properties").await.body;
    for field in
        ["name", "type", "numberOfShards", "replicationFactor", "writeConcern", "waitForSync"]
    {
        assert_eq!((&made[field], &told[field]), (&body[field], &body[field]), "{field}");
    }
    assert_eq!(asker.get("/_db/d/_api/collection/none").await.error(), (404, 1203));
    let names = asker.get("/_db/d/_api/collection").await.body;
    let names: Vec<&Value> =
        names["result"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["c", "e", "w"]);

    let index = json!({"type": "persistent", "fields": ["_to", "ts"], "storedValues": ["_from"], "inBackground": true});
    let first = asker.post("/_db/d/_api/index?collection=e", &index).await;
    let other = json!({"type": "persistent", "fields": ["_to", "ts"], "storedValues": ["value"]});
    let second = asker.post("/_db/d/_api/index?collection=e", &other).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(
        (&first.body["id"], &second.body["storedValues"]),
        (&second.body["id"], &json!(["_from"]))
    );
    assert_eq!(stand_in.indexes("d", "e").len(), 3);
    let listed = asker.get("/_db/d/_api/index?collection=e").await.body;
    assert_eq!(listed["indexes"][2]["fields"], json!(["_to", "ts"]));

    assert_eq!(asker.delete("/_db/d/_api/collection/w").await.status, 200);
    assert_eq!(asker.delete("/_db/d/_api/collection/w").await.error(), (404, 1203));
}

#[tokio::test]
async fn a_graph_brings_its_collections_and_keeps_them() {
    let (stand_in, asker) = furnished().await;
    let graph = json!({"name": "g", "edgeDefinitions": [{"collection": "bought", "from": ["users"], "to": ["items"]}]});
    assert_eq!(asker.post("/_db/d/_api/gharial", &graph).await.status, 202);
    assert_eq!(asker.post("/_db/d/_api/gharial", &graph).await.error(), (409, 1925));
    assert_eq!(stand_in.collections("d"), ["bought", "c", "e", "items", "users"]);
    let told = asker.get("/_db/d/_api/gharial/g").await.body;
    assert_eq!(told["graph"]["edgeDefinitions"], graph["edgeDefinitions"]);
    assert_eq!(asker.get("/_db/d/_api/gharial").await.body["graphs"][0]["name"], "g");
    assert_eq!(asker.get("/_db/d/_api/gharial/none").await.error(), (404, 1924));
    assert_eq!(asker.delete("/_db/d/_api/collection/users").await.error(), (500, 1942));
    assert!(stand_in.graph("d", "g").is_some());
}

#[tokio::test]
async fn tokens_open_the_door_until_they_end() {
    let (stand_in, mut asker) = furnished().await;
    assert_eq!(asker.log_in().await, 200);
    assert_eq!(asker.get("/_api/version").await.status, 200);
    stand_in.expire_tokens();
    assert_eq!(asker.get("/_api/version").await.error(), (401, 11));
    stand_in.set_token_life(Duration::ZERO);
    asker.log_in().await;
    assert_eq!(asker.get("/_api/version").await.error(), (401, 11));
    assert_eq!(stand_in.tokens_given(), 2);
    asker.password = "wrong".to_owned();
    assert_eq!(asker.log_in().await, 401);
    assert_eq!(asker.get("/_api/version").await.error(), (401, 11));
}

#[tokio::test]
async fn the_version_and_the_queue_are_what_a_test_sets() {
    let (stand_in, asker) = furnished().await;
    let version = asker.get("/_api/version").await.body;
    assert_eq!((&version["server"], &version["license"]), (&json!("arango"), &json!("community")));
    stand_in.set_version("3.11.14-1");
    assert_eq!(asker.get("/_api/version").await.body["version"], "3.11.14-1");
    stand_in.set_queue_time(Duration::from_millis(1_500));
    let ask = |limit: &'static str| {
        let request = asker.http.get(format!("{}/_api/version", asker.url));
        let request = request.basic_auth(StandIn::USER, Some(&asker.password));
        request.header("x-arango-queue-time-seconds", limit).send()
    };
    let patient = ask("2").await.unwrap();
    assert_eq!(patient.headers()["x-arango-queue-time-seconds"], "1.500000");
    assert_eq!((patient.status().as_u16(), ask("1").await.unwrap().status().as_u16()), (200, 412));
}

#[tokio::test]
async fn a_write_is_told_to_be_on_disk_only_when_that_was_asked() {
    let (_stand_in, asker) = furnished().await;
    assert_eq!(asker.put("c", "waitForSync=true", &json!([{"_key": "a"}])).await.status, 201);
    assert_eq!(asker.put("c", "waitForSync=false", &json!([{"_key": "b"}])).await.status, 202);
    // Even if every element failed.
    let all = asker.put("c", "waitForSync=true", &json!([{"_key": "a"}])).await;
    assert_eq!((all.status, all.codes.as_deref()), (201, Some("1210:1")));
    assert_eq!(asker.put("none", "", &json!([{}])).await.error(), (404, 1203));
}

#[tokio::test]
async fn versions_decide_among_documents_of_one_key() {
    let (stand_in, asker) = furnished().await;
    let params = "overwriteMode=replace&versionAttribute=version&waitForSync=true&returnOld=true";
    let all = json!([
        {"_key": "k", "version": u64::MAX - 1, "n": 1},
        {"_key": "k", "version": u64::MAX, "n": 2},
        {"_key": "k", "version": u64::MAX - 1, "n": 3},
    ]);
    let told = asker.put("c", params, &all).await.body;
    assert_eq!((&told[1]["_oldRev"], &told[1]["old"]["n"]), (&told[0]["_rev"], &json!(1)));
    assert_eq!(told[2]["_rev"], told[2]["_oldRev"]);
    assert_eq!(stand_in.document("d", "c", "k").unwrap()["n"], 2);
}

#[tokio::test]
async fn results_come_in_batches() {
    let (stand_in, asker) = furnished().await;
    let all: Vec<Value> = (0..5).map(|n| json!({"_key": n.to_string()})).collect();
    asker.put("c", "", &Value::Array(all)).await;
    let body = json!({
        "query": "FOR d IN @@collection SORT d._key LIMIT @limit RETURN d",
        "bindVars": {"@collection": "c", "limit": 9},
        "batchSize": 2,
        "options": {"failOnWarning": true, "maxRuntime": 5},
    });
    let first = asker.post("/_db/d/_api/cursor", &body).await;
    assert_eq!((first.status, &first.body["hasMore"]), (201, &json!(true)));
    let path = format!("/_db/d/_api/cursor/{}", first.body["id"].as_str().unwrap());
    let second = asker.told(Method::POST, &path, None).await;
    let third = asker.told(Method::POST, &path, None).await;
    let lengths = [&first, &second, &third].map(|one| one.body["result"].as_array().unwrap().len());
    assert_eq!((lengths, &third.body["hasMore"], third.status), ([2, 2, 1], &json!(false), 200));
    assert!(third.body.get("id").is_none());
    assert_eq!(asker.told(Method::POST, &path, None).await.error(), (404, 1600));
    let early = asker.post("/_db/d/_api/cursor", &body).await;
    let path = format!("/_db/d/_api/cursor/{}", early.body["id"].as_str().unwrap());
    assert_eq!(
        (asker.delete(&path).await.status, asker.delete(&path).await.error()),
        (202, (404, 1600))
    );
    drop(stand_in);
}

#[tokio::test]
async fn what_weir_never_sends_is_refused_and_remembered() {
    let (stand_in, asker) = furnished().await;
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    let strange = [
        (get, "/_api/foxx", Value::Null),
        (post.clone(), "/_db/d/_api/document/c?overwriteMode=upsert", json!([{}])),
        (post.clone(), "/_db/d/_api/document/c?silent=true", json!([{}])),
        (post.clone(), "/_db/d/_api/document/c?returnOld=true&returnOld=true", json!([{}])),
        (post.clone(), "/_db/d/_api/document/c?overwriteMode=update", json!([{}])),
        (post.clone(), "/_db/d/_api/document/c", json!({})),
        (put, "/_db/d/_api/document/c/k", json!({})),
        (post.clone(), "/_db/d/_api/collection", json!({"name": "x", "schema": {}})),
        (post.clone(), "/_db/d/_api/cursor", json!({"query": "RETURN 1"})),
        (
            post.clone(),
            "/_db/d/_api/cursor",
            json!({"query": "RETURN 1", "options": {"cache": true}}),
        ),
        (post.clone(), "/_db/d/_api/query", json!({"query": "RETURN 1"})),
        (post, "/_db/d/_api/index?collection=c", json!({"type": "ttl", "fields": ["at"]})),
    ];
    let number = strange.len();
    for (method, path, body) in strange {
        let told = asker.told(method, path, (!body.is_null()).then_some(&body)).await;
        assert_eq!(told.error(), (501, 9), "{path} {body}");
    }
    let request = asker.http.get(format!("{}/_api/version", asker.url));
    let answer = request.header("x-arango-async", "store").send().await.unwrap();
    assert_eq!(answer.status(), 501);
    assert_eq!(stand_in.violations().len(), number + 1);
    let ended = std::thread::spawn(move || drop(stand_in)).join();
    assert!(ended.is_err(), "dropping it fails the test");
}

#[tokio::test]
async fn chunks_are_refused() {
    let (stand_in, _asker) = furnished().await;
    let address = stand_in.url().replace("http://", "");
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    let head = "POST /_db/d/_api/document/c HTTP/1.1\r\nhost: x\r\nconnection: close";
    write!(stream, "{head}\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 501"), "{answer}");
    assert!(stand_in.take_violations()[0].contains("Content-Length"));
}

#[tokio::test]
async fn chosen_elements_fail_with_the_number_that_is_wanted() {
    let (stand_in, asker) = furnished().await;
    stand_in
        .fault("a locked one")
        .collection("c")
        .elements_if(1200, |collection, document| collection == "c" && document["_key"] == "b");
    let three = json!([{"_key": "a"}, {"_key": "b"}, {"_key": "c"}]);
    let told = asker.put("c", "", &three).await;
    assert_eq!((told.codes.as_deref(), &told.body[1]["errorNum"]), (Some("1200:1"), &json!(1200)));
    assert_eq!((stand_in.count("d", "c"), stand_in.struck("a locked one")), (2, 1));
    stand_in.clear_fault("a locked one");
    assert_eq!(asker.put("c", "overwriteMode=replace", &three).await.codes, None);

    stand_in.fault("all of it").collection("c").writes().times(4).elements(1465);
    let replace = "overwriteMode=replace";
    assert_eq!(asker.put("c", replace, &three).await.codes.as_deref(), Some("1465:3"));
    assert_eq!(asker.put("c", replace, &three).await.codes.as_deref(), Some("1465:1"));

    stand_in.fault("a share").share_of_elements(1200, 0.25);
    let many: Vec<Value> = (0..400).map(|n| json!({"_key": format!("k{n}")})).collect();
    let told = asker.put("c", replace, &Value::Array(many.clone())).await;
    let again = asker.put("c", replace, &Value::Array(many)).await;
    assert_eq!(told.codes, again.codes);
    let failed: usize = told.codes.unwrap().trim_start_matches("1200:").parse().unwrap();
    assert!((60..140).contains(&failed), "{failed} of 400");
}

#[tokio::test]
async fn whole_requests_are_refused_as_servers_and_proxies_do() {
    let (stand_in, asker) = furnished().await;
    let one = json!([{"_key": "a"}]);
    stand_in.fault("starting").once().unavailable();
    assert_eq!(asker.put("c", "", &one).await.error(), (503, 38));
    stand_in.fault("full").writes().once().queue_full();
    assert_eq!(asker.get("/_api/version").await.status, 200);
    assert_eq!(asker.put("c", "", &one).await.error(), (503, 21003));
    stand_in.fault("slow queue").once().queue_too_slow();
    assert_eq!(asker.put("c", "", &one).await.error(), (412, 21004));
    stand_in.fault("expired").once().unauthorized();
    assert_eq!(asker.put("c", "", &one).await.error(), (401, 11));
    stand_in.fault("read only").once().error(403, 1004, "server is in read-only mode");
    assert_eq!(asker.put("c", "", &one).await.error(), (403, 1004));
    stand_in.fault("proxy").collection("c").unavailable_without_json();
    let bare = asker.put("c", "", &one).await;
    assert_eq!((bare.status, bare.body), (503, Value::Null));
    assert_eq!(stand_in.count("d", "c"), 0);
    assert_eq!(asker.put("e", "", &json!([])).await.status, 202);
    stand_in.clear_faults();
    assert_eq!(asker.put("c", "", &one).await.status, 202);
}

#[tokio::test]
async fn answers_are_spoiled_after_the_write() {
    let (stand_in, asker) = furnished().await;
    let two = |key: &str| json!([{"_key": format!("{key}1")}, {"_key": format!("{key}2")}]);
    stand_in.fault("short").once().too_short();
    assert_eq!(asker.put("c", "", &two("a")).await.body.as_array().unwrap().len(), 1);
    stand_in.fault("garbled").once().no_json();
    assert_eq!(asker.put("c", "", &two("b")).await.body, Value::Null);
    stand_in.fault("cut").once().cut_after_write();
    let post = |key: &str| {
        let (body, asker) = (two(key), &asker);
        async move { asker.send(Method::POST, "/_db/d/_api/document/c", Some(&body)).await }
    };
    assert!(post("c").await.is_err());
    assert_eq!(stand_in.count("d", "c"), 6);
    stand_in.fault("cut").once().cut_before();
    assert!(post("d").await.is_err());
    assert_eq!(stand_in.count("d", "c"), 6);
    let cut = stand_in.requests().iter().filter(|seen| seen.status == 0).count();
    assert_eq!(cut, 2);
}

#[tokio::test]
async fn slow_answers_come_late_and_are_done_at_once() {
    let (stand_in, asker) = furnished().await;
    stand_in.fault("slow").collection("c").slow(Duration::from_millis(300));
    let begun = Instant::now();
    let one = json!([{"_key": "a"}]);
    let put = asker.put("c", "", &one);
    let look = async {
        eventually("the write is done", SHORT, async || {
            (stand_in.count("d", "c") == 1).then_some(())
        })
        .await;
        let early = begun.elapsed();
        assert_eq!(stand_in.in_flight(), 1);
        assert_eq!(asker.put("e", "", &json!([])).await.status, 202);
        early
    };
    let (_, early) = tokio::join!(put, look);
    assert!(early < begun.elapsed() && begun.elapsed() >= Duration::from_millis(300));
    assert_eq!((stand_in.in_flight(), stand_in.most_in_flight()), (0, 2));
}

#[tokio::test]
async fn a_server_that_is_gone_comes_back_with_its_documents() {
    let (stand_in, asker) = furnished().await;
    asker.put("c", "", &json!([{"_key": "a"}])).await;
    stand_in.stop();
    let refused = asker.send(Method::GET, "/_api/version", None).await.unwrap_err();
    assert!(refused.is_connect() || refused.is_request(), "{refused:?}");
    stand_in.start_again();
    assert_eq!(asker.get("/_api/version").await.status, 200);
    assert_eq!(stand_in.count("d", "c"), 1);
}

#[tokio::test]
async fn requests_are_counted_and_remembered() {
    let (stand_in, asker) = furnished().await;
    let body = json!([{"_key": "a"}]);
    asker.put("c", "waitForSync=true", &body).await;
    let seen = stand_in.requests();
    assert_eq!((seen.len(), stand_in.request_count()), (1, 1));
    assert_eq!((seen[0].method.as_str(), seen[0].database.as_str()), ("POST", "d"));
    assert_eq!(seen[0].path, "/_api/document/c");
    assert_eq!(seen[0].params, [("waitForSync".to_owned(), "true".to_owned())]);
    assert_eq!((seen[0].bytes, seen[0].status), (body.to_string().len(), 201));
    assert!(stand_in.cpu_time() > Duration::ZERO);
}

/// Drives a server with python-arango, or says that it is skipped.
fn drive(url: &str, user: &str, password: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join(".tools/venv/bin/python");
    let there = Command::new(&python).args(["-c", "import arango"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "python-arango is missing: run scripts/setup");
        // Past the capture of what tests print.
        let _ = writeln!(std::io::stderr(), "SKIPPED: python-arango is missing, run scripts/setup");
        return;
    }
    let mut child = Command::new(&python)
        .arg(here.join("tests/support/arango/drive.py"))
        .args([url, user])
        .env("NO_PROXY", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    let wrong = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && told.contains("all of it"), "{told}\n{wrong}");
}

#[test]
fn a_foreign_client_finds_what_the_documentation_says() {
    let stand_in = StandIn::wide();
    drive(&stand_in.url(), StandIn::USER, &stand_in.password());
}

/// What holds of the stand-in holds of the real server: the same script against both.
#[test]
fn a_foreign_client_finds_the_same_on_a_real_server() {
    if let Some(real) = Real::from_environment() {
        drive(&real.url, &real.user, &real.password());
    }
}

//! The stand-in for ArangoDB keeps what it promises, told by requests of its own and by a foreign client.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::arango::StandIn;

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

    #[expect(dead_code, reason = "what it needs comes next")]
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

//! What a server, or whoever stands in its place, can do to the client on the wire.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weir::secret::{Secret, SecretSource};
use weir::store::arango::{Arango, ArangoOptions};
use weir::store::{Failure, Remedy};

const PASSWORD: &str = "hunter2-hunter2";
const TOKEN: &str = "t0ken.t0ken.t0ken";

/// Answers each request with what `answer` says to its first line, and keeps what was asked.
struct Impostor {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Impostor {
    async fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, heard) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 64 * 1024];
                let mut length = 0;
                while !is_whole(&request[..length]) {
                    match stream.read(&mut request[length..]).await {
                        Ok(more) if more > 0 => length += more,
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let told = answer(request.lines().next().unwrap_or_default());
                heard.lock().unwrap().push(request);
                let _ = stream.write_all(told.as_bytes()).await;
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn client(&self) -> Arango {
        Arango::new(ArangoOptions {
            url: self.url.clone(),
            user: "weir".to_owned(),
            password: Some(SecretSource::Value(Secret::new(PASSWORD))),
            ca_file: None,
            request_timeout: Duration::from_secs(5),
            query_timeout: Duration::from_secs(5),
            max_in_flight: 4,
        })
        .unwrap()
    }

    async fn failure(&self) -> Failure {
        let client = self.client();
        let failure = client.server().await.unwrap_err();
        let shown = format!("{failure} {failure:?} {client:?}");
        assert!(!shown.contains(PASSWORD) && !shown.contains(TOKEN), "{shown}");
        failure
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn granted() -> String {
    http("200 OK", "", &format!("{{\"jwt\":\"{TOKEN}\"}}"))
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_token_stays_at_home() {
    let elsewhere = Impostor::start(|_| http("200 OK", "", "{}")).await;
    let location = format!("location: {}/_api/version\r\n", elsewhere.url);
    let server = Impostor::start(move |line| {
        if line.contains("_open/auth") { granted() } else { http("302 Found", &location, "") }
    })
    .await;
    let failure = server.failure().await;
    assert_eq!((failure.remedy, failure.code.as_str()), (Remedy::Stop, "http_302"));
    assert!(failure.text.contains("redirects are not followed"), "{failure}");
    assert!(elsewhere.asked().is_empty());
    let asked = server.asked();
    assert!(asked[0].contains(PASSWORD) && !asked[0].contains("authorization"), "{asked:?}");
    assert!(asked[1].contains(&format!("Bearer {TOKEN}")), "{asked:?}");
    assert!(asked[1].contains("x-arango-queue-time-seconds: 2.500"), "{asked:?}");
}

#[tokio::test]
async fn a_token_that_is_refused_twice_is_a_matter_for_a_person() {
    let server = Impostor::start(|line| {
        if line.contains("_open/auth") { granted() } else { http("401 Unauthorized", "", "") }
    })
    .await;
    let failure = server.failure().await;
    assert_eq!((failure.remedy, failure.code.as_str()), (Remedy::Stop, "http_401"));
    let asked = server.asked();
    let logins = asked.iter().filter(|request| request.contains("_open/auth")).count();
    assert_eq!((logins, asked.len()), (2, 4), "one more token, one more request, and no more");
}

#[tokio::test]
async fn an_answer_to_the_login_is_never_shown() {
    let server = Impostor::start(|line| {
        if line.contains("_open/auth") {
            http("200 OK", "", &format!("{{\"token\":\"{TOKEN}\"}}"))
        } else {
            http("200 OK", "", "{}")
        }
    })
    .await;
    let failure = server.failure().await;
    assert_eq!(failure.remedy, Remedy::BackOff, "{failure}");
}

#[tokio::test]
async fn an_answer_without_measure_is_not_read() {
    let server = Impostor::start(|line| {
        if line.contains("_open/auth") {
            granted()
        } else {
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_owned()
        }
    })
    .await;
    assert_eq!(server.failure().await.code, "answer_too_large");
}

#[tokio::test]
async fn what_is_no_arangodb_is_told_as_such() {
    let server = Impostor::start(|line| {
        if line.contains("_open/auth") {
            granted()
        } else {
            http("200 OK", "", r#"{"server":"other","version":"9.9","license":"x"}"#)
        }
    })
    .await;
    let failure = server.failure().await;
    assert_eq!((failure.remedy, failure.code.as_str()), (Remedy::Stop, "not_arango"));
}

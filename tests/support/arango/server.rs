//! One request from the wire to its answer, and the thread that serves.

use std::net::TcpListener;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::oneshot;

use super::answer::{Answer, Trouble};
use super::auth::Auth;
use super::faults::{Fate, Faults};
use super::log::Log;
use super::request::Request;
use super::state::{State, locked};
use super::strict;

const VERSION: &str = "3.12.5";

pub struct Server {
    pub wide: bool,
    pub state: State,
    pub auth: Auth,
    pub faults: Faults,
    pub log: Log,
    pub version: Mutex<String>,
    pub queue_time: Mutex<Duration>,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut")]
pub struct Cut;

impl Server {
    pub fn new(wide: bool) -> Self {
        Self {
            wide,
            state: State::new(),
            auth: Auth::new(),
            faults: Faults::default(),
            log: Log::default(),
            version: Mutex::new(VERSION.to_owned()),
            queue_time: Mutex::default(),
        }
    }

    async fn serve(&self, wire: hyper::Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let _flight = self.log.take_off();
        let (parts, body) = wire.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let request = Request::new(parts, body);
        let mut fate = self.faults.of_request(&request);
        if fate.cut_before {
            self.log.remember(&request, 0);
            return Err(Cut);
        }
        let answer = match fate.instead.take() {
            Some(answer) => answer,
            None => self.answer(&request),
        };
        let status = if fate.cut_after { 0 } else { answer.status };
        self.log.remember(&request, status);
        if !fate.delay.is_zero() {
            tokio::time::sleep(fate.delay).await;
        }
        if fate.cut_after {
            return Err(Cut);
        }
        Ok(self.response(spoiled(answer, &fate)))
    }

    fn answer(&self, request: &Request) -> Answer {
        let answer = self.decide(request).unwrap_or_else(|trouble| trouble.answer());
        if answer.status == 501 {
            let why = String::from_utf8_lossy(&answer.body);
            self.log.complain(format!("{} {}: {why}", request.method, request.parts.uri));
        }
        answer
    }

    fn decide(&self, request: &Request) -> Result<Answer, Trouble> {
        if request.parts.headers.contains_key("transfer-encoding") {
            return Err(Trouble::with_status(501, 9, "chunks: Content-Length is mandatory"));
        }
        let route = strict::route_of(request, self.wide)
            .map_err(|what| Trouble::with_status(501, 9, format!("not known here: {what}")))?;
        self.check_queue(request)?;
        if !route.path.starts_with("/_open/") && route.path != "/" {
            self.auth.check(request)?;
        }
        self.state.database(&request.database)?;
        (route.handler)(self, request)
    }

    /// Refuses a request that would wait longer than it accepts.
    fn check_queue(&self, request: &Request) -> Result<(), Trouble> {
        let Some(text) = request.header("x-arango-queue-time-seconds") else { return Ok(()) };
        let limit: f64 = text.parse().map_err(|_| Trouble::new(400, "a queue time"))?;
        if limit > 0.0 && locked(&self.queue_time).as_secs_f64() > limit {
            return Err(Trouble::new(21004, "queue time violated"));
        }
        Ok(())
    }

    fn response(&self, answer: Answer) -> Response<Full<Bytes>> {
        let kind = if answer.json { "application/json; charset=utf-8" } else { "text/html" };
        let queue = format!("{:.6}", locked(&self.queue_time).as_secs_f64());
        let mut response = Response::builder()
            .status(StatusCode::from_u16(answer.status).expect("a status"))
            .header("server", "ArangoDB")
            .header("content-type", kind)
            .header("x-arango-queue-time-seconds", queue);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(Bytes::from(answer.body))).expect("headers are valid")
    }
}

fn spoiled(mut answer: Answer, fate: &Fate) -> Answer {
    if fate.too_short
        && let Ok(Value::Array(mut elements)) = serde_json::from_slice(&answer.body)
    {
        elements.pop();
        answer.body = serde_json::to_vec(&elements).expect("a value can be written");
    }
    if fate.no_json {
        answer.body = b"{\"this ends too so".to_vec();
    }
    answer
}

/// A server's thread; it and all its connections end when this is dropped.
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Where the kernel tells of the thread.
    pub task: String,
}

impl Running {
    pub fn start(server: Arc<Server>, listener: TcpListener) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = sync_channel(1);
        let serve = move || {
            let task = std::fs::read_link("/proc/thread-self").unwrap_or_default();
            tell.send(task.display().to_string()).expect("the starter waits");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                tokio::select! {
                    () = accept(server, listener) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("arango-stand-in".to_owned()).spawn(serve);
        let thread = thread.expect("a thread can be started");
        let task = told.recv().expect("the thread tells its task");
        Self { stop: Some(stop), thread: Some(thread), task }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the stand-in's thread panicked");
        }
    }
}

async fn accept(server: Arc<Server>, listener: TcpListener) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(|wire| server.serve(wire));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

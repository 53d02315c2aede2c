//! Bare hyper: two threads that read a body, parse its JSON, and answer 202.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::bench::Bench;

/// A running bare server; dropping it ends it.
pub struct BareHyper {
    runtime: Option<Runtime>,
    pub address: SocketAddr,
}

impl BareHyper {
    pub fn start() -> anyhow::Result<Self> {
        let runtime = Bench::runtime()?;
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .context("bare hyper cannot listen")?;
        let address = listener.local_addr()?;
        runtime.spawn(accept(listener));
        Ok(Self { runtime: Some(runtime), address })
    }
}

impl Drop for BareHyper {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).ok();
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(Collected::to_bytes);
    let parsed = body.ok().and_then(|body| serde_json::from_slice::<serde_json::Value>(&body).ok());
    let (status, text) = match parsed {
        Some(_) => (StatusCode::ACCEPTED, r#"{"status":"accepted"}"#),
        None => (StatusCode::BAD_REQUEST, r#"{"error":"not JSON"}"#),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(response)
}

//! Asks a running weir for its status.

use anyhow::{Context, Result};
use serde_json::Value;

use super::admin::AdminClient;
use super::status_text::status_text;

/// Returns the status of the weir whose admin listener is at `admin_url`: as JSON, or as text for people.
pub(super) async fn fetch(admin_url: &str, json: bool) -> Result<String> {
    let value = ask(admin_url).await?;
    Ok(if json { format!("{value:#}\n") } else { status_text(&value) })
}

/// Returns the URL of the NATS server that a running weir uses, and of its monitoring.
pub(super) async fn nats_of(admin_url: &str) -> Result<(String, Option<String>)> {
    let value = ask(admin_url)
        .await
        .context("no --nats-url is given, so the running weir is asked for its server")?;
    let text = |key: &str| value["nats"][key].as_str().map(str::to_owned);
    let url = text("url")
        .context("the running weir does not say which NATS server it uses: give --nats-url")?;
    Ok((url, text("monitorUrl")))
}

async fn ask(admin_url: &str) -> Result<Value> {
    Ok(AdminClient::from_environment(admin_url)?.get("/admin/status").await?)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::http::{App, ServeOptions, bind, serve};

    async fn site(answer: &'static str) -> String {
        let bound = bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", bound.address());
        let router = Router::new().route("/admin/status", get(async move || answer));
        let (app, options) = (App::new(router), ServeOptions::default());
        tokio::spawn(serve(bound, app, options, CancellationToken::new()));
        url
    }

    #[tokio::test]
    async fn the_answer_is_told_as_text_or_json() {
        let url = site(r#"{"version":"9.9"}"#).await;
        assert!(fetch(&url, false).await.unwrap().starts_with("weir 9.9\n"));
        let json = fetch(&format!("{url}/"), true).await.unwrap();
        assert_eq!(json, "{\n  \"version\": \"9.9\"\n}\n");
    }

    #[tokio::test]
    async fn what_is_no_weir_is_told_with_what_to_do() {
        let url = site("hello").await;
        let error = fetch(&url, false).await.unwrap_err();
        assert!(error.to_string().contains("does not answer as a weir"));
        let error = fetch(&format!("{url}/other"), false).await.unwrap_err();
        assert!(error.to_string().contains("404"), "{error}");
        let gone = bind("127.0.0.1:0").await.unwrap().address();
        let error = fetch(&format!("http://{gone}"), false).await.unwrap_err();
        assert!(error.to_string().contains("--admin-url"), "{error}");
    }
}

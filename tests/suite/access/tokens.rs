//! Tokens that others issue, with their keys fetched from a real server.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use tokio_util::sync::{CancellationToken, DropGuard};
use weir::http::{App, ServeOptions, bind, serve};

use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::weir::Weir;

/// Somebody who signs tokens, and tells with which key.
struct Issuer {
    keys: Arc<Mutex<Vec<Value>>>,
    url: String,
    _stop: DropGuard,
}

struct Signing {
    kid: &'static str,
    key: EncodingKey,
}

impl Issuer {
    async fn start() -> Self {
        let keys = Arc::new(Mutex::new(Vec::new()));
        let told = keys.clone();
        let answer =
            async move || axum::Json(json!({ "keys": *told.lock().expect("not poisoned") }));
        let router = Router::new().route("/keys", get(answer));
        let bound = bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", bound.address());
        let stop = CancellationToken::new();
        tokio::spawn(serve(bound, App::new(router), ServeOptions::default(), stop.clone()));
        Self { keys, url, _stop: stop.drop_guard() }
    }

    /// Begins to sign with another key.
    fn sign_with(&self, kid: &'static str) -> Signing {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "use": "sig", "x": x});
        self.keys.lock().expect("not poisoned").push(jwk);
        Signing { kid, key: EncodingKey::from_ed_der(&pair.serialize_der()) }
    }
}

impl Signing {
    fn token(&self, scope: &str) -> String {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let claims = json!({"iss": "https://id.example", "aud": "weir", "sub": "app", "exp": now + 600, "scope": scope, "weir_types": ["viewed"]});
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, &claims, &self.key).expect("it can be signed")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_issuer_opens_and_a_new_key_of_it_is_found() {
    let issuer = Issuer::start().await;
    let signing = issuer.sign_with("first");
    let weir = Weir::dev()
        .set("access.mode", "keys")
        .set("access.jwt.issuer", "https://id.example")
        .set("access.jwt.audience", "weir")
        .set("access.jwt.jwks_url", &issuer.url)
        .start()
        .await;
    let client = weir.client();
    let token = signing.token("openid weir:write");
    eventually("the token opens", PATIENCE, async || {
        let answer = client.showing(&token).post(&event("viewed", "u", "i")).await;
        (answer.status == 202).then_some(())
    })
    .await;
    let liked = client.showing(&token).post(&event("liked", "u", "i")).await;
    assert_eq!((liked.status, &liked.body["code"]), (403, &json!("type_not_permitted")));
    let reads = client.showing(&token).get("/history/user/u").await;
    assert_eq!((reads.status, &reads.body["code"]), (403, &json!("scope_missing")));
    let forged = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(client.showing(&forged).post(&event("viewed", "u", "i")).await.status, 401);
    // The issuer signs with another key, of which nobody has told the gateway.
    let second = issuer.sign_with("second").token("weir:write");
    eventually("the new key is found", PATIENCE, async || {
        let answer = client.showing(&second).post(&event("viewed", "u", "i")).await;
        (answer.status == 202).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_set_whole_or_not_asymmetric_is_told_at_the_start() {
    let (status, said) = Weir::dev().set("access.jwt.issuer", "https://id.example").run().await;
    assert!(!status.success() && said.contains("audience"), "{said}");
    let whole = [
        ("access.jwt.issuer", "https://id.example"),
        ("access.jwt.audience", "weir"),
        ("access.jwt.jwks_url", "http://127.0.0.1:9/keys"),
        ("access.jwt.algorithms", "HS256"),
    ];
    let builder = whole.into_iter().fold(Weir::dev(), |weir, (key, value)| weir.set(key, value));
    let (status, said) = builder.run().await;
    assert!(!status.success() && said.contains("HS256"), "{said}");
}

//! Tokens that attackers make, sent to a real gateway, and sets of keys as issuers have them.

use std::sync::{Arc, Mutex};

use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use weir::http::{App, ServeOptions, bind, serve};

use crate::support::client::{Client, PATIENCE, event};
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

/// A key of an issuer.
struct Signer {
    algorithm: Algorithm,
    kid: &'static str,
    private: EncodingKey,
    public: Value,
}

impl Signer {
    fn ed25519(kid: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        let private = EncodingKey::from_ed_der(&pair.serialize_der());
        let public = json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x });
        Self { algorithm: Algorithm::EdDSA, kid, private, public }
    }

    fn p256(kid: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let [x, y] = [1..33, 33..65].map(|at| URL_SAFE_NO_PAD.encode(&pair.public_key_raw()[at]));
        let private = EncodingKey::from_ec_der(&pair.serialize_der());
        let public = json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y });
        Self { algorithm: Algorithm::ES256, kid, private, public }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.private).expect("it can be signed")
    }
}

/// Tells its keys until it is dropped.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    _stop: DropGuard,
}

impl Issuer {
    async fn start(keys: &[&Value]) -> Self {
        let keys = Arc::new(Mutex::new(keys.iter().map(|&key| key.clone()).collect::<Vec<_>>()));
        let told = keys.clone();
        let answer = async move || Json(json!({ "keys": *told.lock().expect("not poisoned") }));
        let router = Router::new().route("/keys", get(answer));
        let bound = bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", bound.address());
        let stop = CancellationToken::new();
        tokio::spawn(serve(bound, App::new(router), ServeOptions::default(), stop.clone()));
        Self { url, keys, _stop: stop.drop_guard() }
    }

    fn tell(&self, keys: &[&Value]) {
        *self.keys.lock().expect("not poisoned") = keys.iter().map(|&key| key.clone()).collect();
    }
}

async fn gateway(server: &NatsServer, issuer: &Issuer) -> Weir {
    Weir::gateway()
        .nats(server)
        .set("access.mode", "keys")
        .set("access.jwt.issuer", "https://id.example")
        .set("access.jwt.audience", "weir")
        .set("access.jwt.jwks_url", &issuer.url)
        .start()
        .await
}

fn claims() -> Value {
    let now = weir::clock::now_ms() / 1000;
    json!({
        "iss": "https://id.example", "aud": "weir", "sub": "shop",
        "nbf": now - 5, "exp": now + 600, "scope": "weir:write",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

async fn status(client: &Client, token: &str) -> u16 {
    client.showing(token).post(&event("viewed", "u", "i")).await.status
}

async fn taken(client: &Client, token: &str) {
    eventually("the token is taken", PATIENCE, async || {
        (status(client, token).await == 202).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_of_the_issuer_for_us_and_for_now_is_refused() {
    let server = NatsServer::start();
    let (known, stranger) = (Signer::ed25519("a"), Signer::ed25519("a"));
    let issuer = Issuer::start(&[&known.public]).await;
    let gateway = gateway(&server, &issuer).await;
    let client = gateway.client();
    taken(&client, &known.sign(&claims())).await;

    let now = weir::clock::now_ms() / 1000;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |header: Value| format!("{}.{}.", part(&header), part(&claims()));
    let public = known.public["x"].as_str().expect("a key");
    let raw = URL_SAFE_NO_PAD.decode(public).expect("base64");
    let confused = |secret: &[u8]| {
        let header = Header { kid: Some("a".into()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims(), &EncodingKey::from_secret(secret)).expect("signed")
    };
    let brings_its_key = {
        let mut header = Header::new(Algorithm::EdDSA);
        header.jwk = serde_json::from_value(stranger.public.clone()).ok();
        encode(&header, &claims(), &stranger.private).expect("signed")
    };
    for (what, token) in [
        ("alg none", unsigned(json!({ "alg": "none", "typ": "JWT" }))),
        ("alg None", unsigned(json!({ "alg": "None", "kid": "a" }))),
        ("no signature", unsigned(json!({ "alg": "EdDSA", "kid": "a" }))),
        ("the public key as a secret", confused(public.as_bytes())),
        ("its bytes as a secret", confused(&raw)),
        ("another audience", known.sign(&with("aud", json!("others")))),
        ("no audience", known.sign(&with("aud", Value::Null))),
        ("another issuer", known.sign(&with("iss", json!("https://id.example.evil")))),
        ("at its end", known.sign(&with("exp", json!(now - 120)))),
        ("without an end", known.sign(&with("exp", Value::Null))),
        ("an end in words", known.sign(&with("exp", json!("never")))),
        ("not yet", known.sign(&with("nbf", json!(now + 120)))),
        ("a stranger's", stranger.sign(&claims())),
        ("an unknown key", Signer::ed25519("z").sign(&claims())),
        ("a key of its own", brings_its_key),
        ("another family under the same id", Signer::p256("a").sign(&claims())),
        ("huge", format!("{}.{}.{}", "a".repeat(3_000), "b".repeat(3_000), "c".repeat(3_000))),
        ("nothing", "..".to_owned()),
    ] {
        assert_eq!(status(&client, &token).await, 401, "{what}");
    }
    assert_eq!(status(&client, &known.sign(&claims())).await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_may_hold_what_nobody_has_heard_of_and_is_kept_while_the_issuer_is_away() {
    let server = NatsServer::start();
    let (old, new) = (Signer::ed25519("old"), Signer::p256("new"));
    let issuer = Issuer::start(&[&old.public]).await;
    let gateway = gateway(&server, &issuer).await;
    let client = gateway.client();
    taken(&client, &old.sign(&claims())).await;
    let later = json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "later", "pub": "AAAA" });
    let curve = json!({ "kty": "EC", "crv": "secp256k1", "kid": "curve", "x": "AA", "y": "AA" });
    issuer.tell(&[&later, &curve, &old.public, &new.public]);
    taken(&client, &new.sign(&claims())).await;
    drop(issuer);
    for signer in [&old, &new] {
        assert_eq!(status(&client, &signer.sign(&claims())).await, 202);
    }
    assert_eq!(status(&client, &Signer::p256("other").sign(&claims())).await, 401);
}

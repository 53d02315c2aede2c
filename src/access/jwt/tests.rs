//! Tokens as issuers make them, and as attackers do.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::access::key::Scope;

const NOW_MS: i64 = 0;

struct Issuer {
    key: EncodingKey,
    jwk: Value,
}

/// An issuer with a key of Ed25519.
fn issuer(kid: &str) -> Issuer {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let public = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "use": "sig", "x": public});
    Issuer { key: EncodingKey::from_ed_der(&pair.serialize_der()), jwk }
}

fn tokens(issuers: &[&Issuer]) -> Tokens {
    let options = JwtOptions {
        issuer: "https://id.example".to_owned(),
        audience: "weir".to_owned(),
        algorithms: vec!["EdDSA".to_owned(), "ES256".to_owned()],
        source: JwksSource::File("nowhere".into()),
    };
    let tokens = Tokens::new(options).expect("asymmetric algorithms");
    let keys: Vec<&Value> = issuers.iter().map(|issuer| &issuer.jwk).collect();
    tokens.know(serde_json::from_value(json!({ "keys": keys })).expect("a set of keys"));
    tokens
}

fn now_s() -> i64 {
    crate::clock::now_ms() / 1000
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "aud": ["weir", "other"], "sub": "app", "exp": now_s() + 600, "scope": "weir:write"})
}

fn signed(issuer: &Issuer, kid: &str, claims: &Value) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, &issuer.key).expect("it can be signed")
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_token_of_the_issuer_permits_its_scopes() {
    let issuer = issuer("a");
    let tokens = tokens(&[&issuer]);
    let token = signed(&issuer, "a", &claims());
    for _ in 0..2 {
        let holder = tokens.holder(&token, NOW_MS).expect("valid");
        assert_eq!((holder.id.as_str(), &holder.rules.scopes), ("jwt:app", &[Scope::Write].into()));
    }
}

#[test]
fn what_is_wrong_with_its_claims_makes_it_invalid() {
    let issuer = issuer("a");
    let tokens = tokens(&[&issuer]);
    let mut without_end = claims();
    without_end.as_object_mut().expect("an object").remove("exp");
    for wrong in [
        changed("aud", json!("another")),
        changed("iss", json!("https://evil.example")),
        changed("exp", json!(now_s() - 600)),
        changed("nbf", json!(now_s() + 600)),
        changed("aud", Value::Null),
        without_end,
    ] {
        assert!(tokens.holder(&signed(&issuer, "a", &wrong), NOW_MS).is_none(), "{wrong}");
    }
}

#[test]
fn a_token_that_nobody_signed_as_pinned_is_invalid() {
    let (issuer, stranger) = (issuer("a"), issuer("b"));
    let tokens = tokens(&[&issuer]);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&claims()));
    // The public key as a shared secret: the classic confusion of two families.
    let public = issuer.jwk["x"].as_str().expect("a text").as_bytes();
    let header = Header { kid: Some("a".into()), ..Header::new(Algorithm::HS256) };
    let shared = encode(&header, &claims(), &EncodingKey::from_secret(public)).expect("signed");
    let good = signed(&issuer, "a", &claims());
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let other_body = format!(
        "{}.{}.{}",
        head.split('.').next().expect("a part"),
        part(&changed("sub", json!("root"))),
        &good[head.len() + 1..]
    );
    for token in [
        none,
        shared,
        other_body,
        signed(&stranger, "a", &claims()),
        signed(&stranger, "b", &claims()),
        format!("{head}."),
        "..".to_owned(),
        "x".repeat(100_000),
    ] {
        assert!(tokens.holder(&token, NOW_MS).is_none(), "{}", &token[..token.len().min(60)]);
    }
    assert!(tokens.holder(&good, NOW_MS).is_some());
}

#[test]
fn algorithms_with_a_shared_secret_cannot_be_chosen() {
    for name in ["HS256", "none", "es256", ""] {
        let options = JwtOptions {
            issuer: String::new(),
            audience: String::new(),
            algorithms: vec![name.to_owned()],
            source: JwksSource::File("nowhere".into()),
        };
        assert!(Tokens::new(options).is_err(), "{name}");
    }
}

//! A signed question to STS of who we are, which is not sent but handed over as a proof.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::identity::Identity;
use super::keys::Keys;
use super::signature::{Scope, Signed, amz_date, authorization};
use crate::secrets::contract::Fault;

const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Returns the fields of a login at Vault by AWS IAM. With `server_id` the proof counts for that server alone.
pub async fn caller_identity(
    identity: &Identity,
    role: &str,
    server_id: Option<&str>,
) -> Result<Value, Fault> {
    let keys = identity.keys().await?;
    let (url, region) = identity.sts();
    Ok(proof(role, server_id, url, region, &keys, identity.now()))
}

fn proof(
    role: &str,
    server_id: Option<&str>,
    url: &str,
    region: &str,
    keys: &Keys,
    at: i64,
) -> Value {
    let date = amz_date(at);
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut headers = vec![("Content-Type", FORM), ("Host", host), ("X-Amz-Date", date.as_str())];
    if let Some(token) = &keys.token {
        headers.push(("X-Amz-Security-Token", token.expose()));
    }
    if let Some(id) = server_id {
        headers.push(("X-Vault-AWS-IAM-Server-ID", id));
    }
    let signed =
        Signed { method: "POST", path: "/", query: "", headers: &headers, body: BODY.as_bytes() };
    let signature = authorization(&signed, &Scope { region, service: "sts", at }, keys);
    headers.push(("Authorization", &signature));
    let headers: Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    json!({
        "role": role,
        "iam_http_request_method": "POST",
        "iam_request_url": STANDARD.encode(format!("{url}/")),
        "iam_request_body": STANDARD.encode(BODY),
        "iam_request_headers": STANDARD.encode(Value::from(headers).to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_proof_names_the_server_within_its_signature() {
        let keys = Keys {
            id: "AKIDEXAMPLE".into(),
            secret: Secret::new("hunter2"),
            token: Some(Secret::new("session")),
            ends: None,
        };
        let proof = proof(
            "weir",
            Some("vault.internal"),
            "https://sts.amazonaws.com",
            "us-east-1",
            &keys,
            0,
        );
        let text = |key: &str| {
            let decoded = STANDARD.decode(proof[key].as_str().unwrap()).unwrap();
            String::from_utf8(decoded).unwrap()
        };
        assert_eq!(text("iam_request_url"), "https://sts.amazonaws.com/");
        assert_eq!(text("iam_request_body"), BODY);
        let headers: Value = serde_json::from_str(&text("iam_request_headers")).unwrap();
        assert_eq!(headers["X-Vault-AWS-IAM-Server-ID"][0], "vault.internal");
        let signed = headers["Authorization"][0].as_str().unwrap();
        let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id,";
        assert!(signed.contains(names), "{signed}");
        assert!(!headers.to_string().contains("hunter2"));
    }
}

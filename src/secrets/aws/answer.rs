//! What Secrets Manager answers. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::secrets::contract::{Fault, Fetched, Remedy, checked};
use crate::secrets::http::Answer;

/// What an answer asks for.
pub enum Verdict {
    Got(Box<Fetched>),
    /// The keys have expired: newer ones may do.
    NewKeys(Fault),
    /// The clocks differ: AWS's own time may do.
    ItsTime(Fault),
    Fault(Fault),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_id: Option<String>,
}

/// Judges an answer. Its own words are not shown, but for the name of an error.
pub fn judge(answer: &Answer, field: Option<&str>) -> Verdict {
    if answer.status == 200 {
        return match value_of(&answer.body, field) {
            Ok(fetched) => Verdict::Got(Box::new(fetched)),
            Err(fault) => Verdict::Fault(fault),
        };
    }
    let body = answer.json().unwrap_or(Value::Null);
    let kind = kind_of(&body, answer.header("x-amzn-errortype"));
    let message = body["message"].as_str().or_else(|| body["Message"].as_str()).unwrap_or_default();
    let mut fault = fault_of(answer.status, &kind, message);
    if let Remedy::Retry { after } = &mut fault.remedy {
        *after = answer.retry_after();
    }
    match kind.as_str() {
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId" => Verdict::NewKeys(fault),
        "RequestExpired" | "RequestTimeTooSkewed" => Verdict::ItsTime(fault),
        "InvalidSignatureException" if is_of_time(message) => Verdict::ItsTime(fault),
        _ => Verdict::Fault(fault),
    }
}

/// The name of an error: `com.amazonaws.secretsmanager#Name`, `Name:http://…`.
fn kind_of(body: &Value, header: Option<&str>) -> String {
    let told = body["__type"].as_str().or(header).unwrap_or_default();
    let name = told.rsplit_once('#').map_or(told, |(_, name)| name);
    name.chars().take_while(char::is_ascii_alphanumeric).take(80).collect()
}

fn is_of_time(message: &str) -> bool {
    message.contains("Signature expired") || message.contains("Signature not yet current")
}

fn fault_of(status: u16, kind: &str, message: &str) -> Fault {
    match (kind, status) {
        ("ResourceNotFoundException", _) => Fault::person(
            "AWS has no such secret, or no version of that stage: check its id, its stage and aws.region",
        ),
        ("AccessDeniedException", _) => Fault::person(
            "AWS does not allow it: the role needs secretsmanager:GetSecretValue on it, and kms:Decrypt on a \
             key of its own",
        ),
        ("DecryptionFailure", _) => {
            Fault::person("AWS cannot decrypt it: is its KMS key enabled, and may the role use it?")
        }
        ("InvalidRequestException", _) => {
            Fault::person("AWS does not give it as it is now: is it scheduled for deletion?")
        }
        ("ExpiredTokenException" | "ExpiredToken", _) => {
            Fault::retry("the keys for AWS have expired, and there are no newer ones yet")
        }
        ("UnrecognizedClientException" | "InvalidClientTokenId", _) => Fault::person(
            "AWS does not know the keys: were they deleted, or are they of another account?",
        ),
        ("RequestExpired" | "RequestTimeTooSkewed", _) => {
            Fault::person("AWS takes the request for too old: set the machine's clock")
        }
        ("InvalidSignatureException", _) if is_of_time(message) => Fault::person(
            "AWS takes the signature for one of another time: set the machine's clock",
        ),
        ("InvalidSignatureException", _) if message.contains("scoped to a valid region") => {
            Fault::person("the address is of another region than aws.region: make them the same")
        }
        ("InvalidSignatureException" | "SignatureDoesNotMatch", _) => Fault::person(
            "AWS refuses the signature: the secret key is not the one of the key's id",
        ),
        ("ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded", _)
        | (_, 429) => Fault::retry("AWS asks for fewer requests"),
        ("InternalServiceError" | "InternalFailure" | "ServiceUnavailable", _) | (_, 500..) => {
            Fault::retry(format!("AWS Secrets Manager cannot answer now (HTTP {status})"))
        }
        ("", _) => Fault::person(format!(
            "what answers with HTTP {status} is no Secrets Manager: check aws.endpoint"
        )),
        _ => Fault::person(format!("AWS Secrets Manager refuses it: {kind}")),
    }
}

fn value_of(body: &[u8], field: Option<&str>) -> Result<Fetched, Fault> {
    let strange = || Fault::retry("the answer of AWS Secrets Manager is of no known form");
    let found: Found = serde_json::from_slice(body).map_err(|_| strange())?;
    let text = match (found.secret_string, found.secret_binary) {
        (Some(text), _) => text,
        (None, Some(binary)) => {
            let bytes = STANDARD.decode(binary).map_err(|_| strange())?;
            let told = || Fault::person("it is binary and no text: keep it as a text");
            String::from_utf8(bytes).map_err(|_| told())?
        }
        (None, None) => return Err(strange()),
    };
    let text = match field {
        None => text,
        Some(field) => {
            let told = || Fault::person("it is no JSON, so it has no fields: leave field out");
            let value: Value = serde_json::from_str(&text).map_err(|_| told())?;
            field_of(&value, field)?
        }
    };
    let version = found.version_id.unwrap_or_default();
    Ok(Fetched { value: checked(&text)?, version, holds: None })
}

/// Returns one field of an entry as text. Names of other fields are not shown.
pub fn field_of(entry: &Value, field: &str) -> Result<String, Fault> {
    match &entry[field] {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null => Err(Fault::person(format!("it has no field {field}: check its name"))),
        _ => Err(Fault::person(format!("its field {field} is no text"))),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    fn told(status: u16, body: &str) -> (&'static str, Fault) {
        match judge(&answer(status, body), Some("password")) {
            Verdict::Got(_) => panic!("it is no value"),
            Verdict::NewKeys(fault) => ("new keys", fault),
            Verdict::ItsTime(fault) => ("its time", fault),
            Verdict::Fault(fault) => ("fault", fault),
        }
    }

    #[test]
    fn a_value_is_a_text_or_a_field_of_it() {
        let body = r#"{"ARN":"arn","Name":"n","VersionId":"v1","SecretString":"{\"password\":\"hunter2\",\"port\":9}"}"#;
        let got = |field: Option<&str>, body: &str| match judge(&answer(200, body), field) {
            Verdict::Got(fetched) => Ok((fetched.value.expose().to_owned(), fetched.version)),
            Verdict::Fault(fault) => Err(fault.text),
            _ => panic!("it is 200"),
        };
        assert_eq!(got(Some("password"), body), Ok(("hunter2".into(), "v1".into())));
        assert_eq!(got(Some("port"), body).unwrap().0, "9");
        assert!(got(None, body).unwrap().0.starts_with('{'));
        assert!(got(Some("passwort"), body).unwrap_err().contains("no field passwort"));
        let binary = r#"{"VersionId":"v1","SecretBinary":"aHVudGVyMg=="}"#;
        assert_eq!(got(None, binary).unwrap().0, "hunter2");
        let binary = r#"{"VersionId":"v1","SecretBinary":"//8="}"#;
        assert!(got(None, binary).unwrap_err().contains("binary"));
        assert!(got(None, r#"{"SecretString":""}"#).unwrap_err().contains("empty"));
        assert!(
            got(Some("password"), r#"{"SecretString":"hunter2"}"#).unwrap_err().contains("no JSON")
        );
    }

    #[test]
    fn each_error_says_what_to_do_and_whether_it_passes() {
        let retry = Remedy::Retry { after: None };
        for (status, body, way, remedy, text) in [
            (
                400,
                r#"{"__type":"ResourceNotFoundException","Message":"x"}"#,
                "fault",
                Remedy::Person,
                "no such secret",
            ),
            (
                400,
                r#"{"__type":"com.amazonaws.secretsmanager#AccessDeniedException"}"#,
                "fault",
                Remedy::Person,
                "GetSecretValue",
            ),
            (
                400,
                r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
                "fault",
                retry,
                "fewer",
            ),
            (400, r#"{"__type":"ExpiredTokenException"}"#, "new keys", retry, "expired"),
            (
                403,
                r#"{"__type":"UnrecognizedClientException"}"#,
                "new keys",
                Remedy::Person,
                "does not know",
            ),
            (
                400,
                r#"{"__type":"InvalidSignatureException","message":"Signature expired: 20150830T1 is now earlier than"}"#,
                "its time",
                Remedy::Person,
                "clock",
            ),
            (
                400,
                r#"{"__type":"InvalidSignatureException","message":"Credential should be scoped to a valid region."}"#,
                "fault",
                Remedy::Person,
                "another region",
            ),
            (
                403,
                r#"{"__type":"InvalidSignatureException","message":"The request signature we calculated"}"#,
                "fault",
                Remedy::Person,
                "secret key",
            ),
            (500, r#"{"__type":"InternalServiceError"}"#, "fault", retry, "HTTP 500"),
            (503, "<html>", "fault", retry, "HTTP 503"),
            (404, "<html>", "fault", Remedy::Person, "aws.endpoint"),
            (400, r#"{"__type":"InvalidRequestException"}"#, "fault", Remedy::Person, "deletion"),
        ] {
            let (told_way, fault) = told(status, body);
            assert_eq!((told_way, fault.remedy), (way, remedy), "{body}");
            assert!(fault.text.contains(text), "{}", fault.text);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_answered_nothing_panics_and_no_word_of_it_is_told(
            status in 100_u16..600,
            secret in "[0-9]{12}",
            kind in "[A-Za-z#]{0,20}",
        ) {
            let body = serde_json::json!({"__type": kind, "Message": secret, "SecretString": secret}).to_string();
            if let Verdict::Fault(fault) | Verdict::NewKeys(fault) | Verdict::ItsTime(fault) =
                judge(&answer(status, &body), Some("f"))
            {
                prop_assert!(!fault.text.contains(&secret), "{}", fault.text);
            }
        }

        #[test]
        fn bytes_that_are_no_answer_are_a_fault(status in 100_u16..600, body in ".*") {
            let _ = judge(&answer(status, &body), None);
        }
    }
}

//! What Vault answers. Pure.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::lease::Grant;
use crate::secret::Secret;
use crate::secrets::aws::field_of;
use crate::secrets::contract::{Fault, Fetched, Remedy, checked};
use crate::secrets::http::Answer;

/// Reads what a login or a renewal grants.
pub fn granted(answer: &Answer) -> Result<Grant, Fault> {
    if answer.status != 200 {
        return Err(refused_login(answer));
    }
    let strange = || Fault::retry("what Vault answers to a login is of no known form");
    let body = answer.json().ok_or_else(strange)?;
    let auth = &body["auth"];
    let token = auth["client_token"].as_str().filter(|token| !token.is_empty());
    let token = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
    Ok(Grant {
        token: Secret::new(token.ok_or_else(strange)?),
        ttl: Duration::from_secs(auth["lease_duration"].as_u64().unwrap_or(0)),
        renewable: auth["renewable"].as_bool().unwrap_or(false),
    })
}

fn refused_login(answer: &Answer) -> Fault {
    match answer.status {
        400 | 401 | 403 => Fault::person(
            "Vault refuses the login: check the role, its secret id (it may have expired or be used up) or its \
             AWS principal, and the mount of the auth method",
        ),
        404 => {
            Fault::person("Vault has no such auth method: check vault.mount and vault.namespace")
        }
        _ => odd(answer),
    }
}

/// Reads an entry's field. `None` means that the token may not, or is none any more.
pub fn entry(answer: &Answer, field: &str, now_ms: i64) -> Option<Result<Fetched, Fault>> {
    match answer.status {
        200 => Some(value_of(answer, field, now_ms)),
        403 => None,
        404 => Some(Err(missing(answer))),
        400 | 405 => Some(Err(Fault::person(
            "Vault does not read that: check the mount, which must be KV version 2, and the path",
        ))),
        _ => Some(Err(odd(answer))),
    }
}

pub fn denied() -> Fault {
    Fault::person(
        "Vault does not allow it: the role's policy needs read on that path (mount/data/path)",
    )
}

/// A deleted version is told with the entry's metadata, what was never there without.
fn missing(answer: &Answer) -> Fault {
    let metadata = &answer.json().unwrap_or(Value::Null)["data"]["metadata"];
    if metadata["destroyed"] == true {
        Fault::person("that version was destroyed: write a new one")
    } else if metadata.is_object() {
        Fault::person("that version was deleted: undelete it, or write a new one")
    } else {
        Fault::person(
            "Vault has no such entry: check the mount (KV version 2), the path and the version",
        )
    }
}

fn value_of(answer: &Answer, field: &str, now_ms: i64) -> Result<Fetched, Fault> {
    let strange = || Fault::retry("what Vault answers is of no known form");
    let body = answer.json().ok_or_else(strange)?;
    let (entry, metadata) = (&body["data"]["data"], &body["data"]["metadata"]);
    if !entry.is_object() || !metadata.is_object() {
        let text =
            "what Vault answers is no entry of KV version 2: check the mount and its version";
        return Err(Fault::person(text));
    }
    let value = checked(&field_of(entry, field)?)?;
    let version =
        metadata["version"].as_u64().map_or_else(String::new, |number| number.to_string());
    Ok(Fetched { value, version, holds: holds(&body, metadata, now_ms) })
}

/// A version may be set to delete itself, and some engines lease what they give.
fn holds(body: &Value, metadata: &Value, now_ms: i64) -> Option<Duration> {
    let deletion = metadata["deletion_time"].as_str().unwrap_or_default();
    let until = OffsetDateTime::parse(deletion, &Rfc3339).ok().map(|end| {
        let left = i128::from(end.unix_timestamp()) * 1000 - i128::from(now_ms);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    });
    let leased = body["lease_duration"].as_u64().filter(|seconds| *seconds > 0);
    let leased = leased.map(Duration::from_secs);
    until.into_iter().chain(leased).min()
}

/// Whatever may answer any request.
fn odd(answer: &Answer) -> Fault {
    let status = answer.status;
    let text = String::from_utf8_lossy(&answer.body);
    let mut fault = match status {
        301..=308 => Fault::retry(
            "this Vault is a standby that sends elsewhere: name the active one, or a balancer before them",
        ),
        412 => Fault::retry("this Vault has not caught up with the others yet"),
        429 => Fault::retry("Vault asks for fewer requests"),
        472 | 473 => Fault::retry("this Vault is a standby: name the active one, or a balancer"),
        501 => Fault::retry("Vault is not initialized"),
        503 if text.contains("sealed") => Fault::retry("Vault is sealed: unseal it"),
        500.. => Fault::retry(format!("Vault cannot answer now (HTTP {status})")),
        _ => {
            Fault::person(format!("what answers with HTTP {status} is no Vault: check its address"))
        }
    };
    if let Remedy::Retry { after } = &mut fault.remedy {
        *after = answer.retry_after();
    }
    fault
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    const ENTRY: &str = r#"{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":{
        "data":{"password":"hunter2"},
        "metadata":{"created_time":"2026-01-01T00:00:00Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":3}},
        "wrap_info":null,"warnings":null,"auth":null}"#;

    fn read(status: u16, body: &str) -> Result<Fetched, Fault> {
        entry(&answer(status, body), "password", 0).expect("it is allowed")
    }

    #[test]
    fn an_entry_has_its_value_its_version_and_the_time_for_which_it_holds() {
        let fetched = read(200, ENTRY).expect("a value");
        assert_eq!((fetched.value.expose(), fetched.version.as_str()), ("hunter2", "3"));
        assert_eq!(fetched.holds, None);
        let ending =
            ENTRY.replace(r#""deletion_time":"""#, r#""deletion_time":"1970-01-01T01:00:00.5Z""#);
        assert_eq!(read(200, &ending).unwrap().holds, Some(Duration::from_hours(1)));
        let leased = ending.replace(r#""lease_duration":0"#, r#""lease_duration":60"#);
        assert_eq!(read(200, &leased).unwrap().holds, Some(Duration::from_mins(1)));
        assert!(entry(&answer(403, "{}"), "password", 0).is_none());
    }

    #[test]
    fn what_is_gone_was_deleted_destroyed_or_never_there() {
        let deleted = r#"{"data":{"data":null,"metadata":{"deletion_time":"2026-01-01T00:00:00Z","destroyed":false,"version":1}}}"#;
        let destroyed = deleted.replace(r#""destroyed":false"#, r#""destroyed":true"#);
        for (body, told) in [
            (deleted, "was deleted"),
            (&destroyed, "was destroyed"),
            (r#"{"errors":[]}"#, "no such entry"),
        ] {
            let fault = read(404, body).expect_err(told);
            assert_eq!(fault.remedy, Remedy::Person);
            assert!(fault.text.contains(told), "{}", fault.text);
        }
    }

    #[test]
    fn each_status_says_whether_it_passes() {
        let retry = Remedy::Retry { after: None };
        for (status, body, remedy, told) in [
            (503, r#"{"errors":["Vault is sealed"]}"#, retry, "unseal"),
            (
                429,
                r#"{"errors":["request path \"x\": rate limit quota exceeded"]}"#,
                retry,
                "fewer",
            ),
            (412, "{}", retry, "caught up"),
            (473, "", retry, "standby"),
            (307, "", retry, "standby"),
            (500, r#"{"errors":["1 error occurred"]}"#, retry, "HTTP 500"),
            (502, "<html>", retry, "HTTP 502"),
            (418, "", Remedy::Person, "no Vault"),
            (405, r#"{"errors":["1 error"]}"#, Remedy::Person, "KV version 2"),
            (200, r#"{"data":{"password":"hunter2"}}"#, Remedy::Person, "KV version 2"),
            (200, "<html>", retry, "no known form"),
        ] {
            let fault = read(status, body).expect_err(told);
            assert_eq!(fault.remedy, remedy, "{body}");
            assert!(fault.text.contains(told) && !fault.text.contains("hunter2"), "{}", fault.text);
        }
    }

    #[test]
    fn a_login_grants_a_token_or_is_refused_for_a_person_to_see() {
        let grant = granted(&answer(
            200,
            r#"{"auth":{"client_token":"hvs.x","accessor":"a","policies":["weir"],"lease_duration":1200,"renewable":true}}"#,
        ));
        let grant = grant.expect("a token");
        assert_eq!(
            (grant.token.expose(), grant.ttl.as_secs(), grant.renewable),
            ("hvs.x", 1200, true)
        );
        for (status, body, remedy) in [
            (400, r#"{"errors":["invalid role or secret ID"]}"#, Remedy::Person),
            (403, r#"{"errors":["permission denied"]}"#, Remedy::Person),
            (404, r#"{"errors":["no handler for route"]}"#, Remedy::Person),
            (503, r#"{"errors":["Vault is sealed"]}"#, Remedy::Retry { after: None }),
            (200, r#"{"auth":{"client_token":"a\nb"}}"#, Remedy::Retry { after: None }),
        ] {
            assert_eq!(granted(&answer(status, body)).err().expect(body).remedy, remedy, "{body}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_answered_nothing_panics(status in 100_u16..600, body in ".*", now in any::<i64>()) {
            let _ = granted(&answer(status, &body));
            let _ = entry(&answer(status, &body), "password", now);
        }

        #[test]
        fn no_value_is_ever_told(status in 100_u16..600, secret in "[0-9]{12}", field in "[a-z]{1,8}") {
            let body = ENTRY.replace("hunter2", &secret);
            if let Some(Err(fault)) = entry(&answer(status, &body), &field, 0) {
                prop_assert!(!fault.text.contains(&secret), "{}", fault.text);
            }
        }
    }
}

//! The keys that sign, and the forms in which they are told. Pure.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::limits::SECRETS_KEYS_EARLY;
use crate::secret::Secret;
use crate::secrets::contract::Fault;
use crate::secrets::sources::Surroundings;

/// One set of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub id: String,
    pub secret: Secret,
    /// Of keys that end, and sent with every request.
    pub token: Option<Secret>,
    /// Seconds since 1970; absent for keys of a user, which do not end.
    pub ends: Option<i64>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({}, hidden)", self.id)
    }
}

/// As the metadata of machines and containers tell them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

impl Keys {
    /// Takes those of the environment, if there are any.
    pub fn of_environment(around: &Surroundings) -> Option<Self> {
        let id = around.get("AWS_ACCESS_KEY_ID")?.to_owned();
        let secret = Secret::new(around.get("AWS_SECRET_ACCESS_KEY")?);
        let token = around.get("AWS_SESSION_TOKEN").map(Secret::new);
        Some(Self { id, secret, token, ends: None })
    }

    /// Reads what the metadata of a machine or a container answers.
    pub fn of_json(body: &[u8]) -> Result<Self, Fault> {
        let strange = || Fault::retry("the answer with the keys of AWS is of no known form");
        let told: Told = serde_json::from_slice(body).map_err(|_| strange())?;
        if let Some(code) = told.code.filter(|code| code != "Success") {
            let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
            let text = format!("the machine's role gives no keys ({code}): check its trust policy");
            return Err(Fault::person(text));
        }
        let whole = |text: Option<String>| text.filter(|text| !text.is_empty()).ok_or_else(strange);
        Ok(Self {
            id: whole(told.access_key_id)?,
            secret: Secret::new(whole(told.secret_access_key)?),
            token: told.token.map(Secret::new),
            ends: told.expiration.as_deref().and_then(seconds),
        })
    }

    /// Reads what STS answers: XML of which each name stands once.
    pub fn of_xml(body: &str) -> Option<Self> {
        Some(Self {
            id: element(body, "AccessKeyId")?.to_owned(),
            secret: Secret::new(element(body, "SecretAccessKey")?),
            token: Some(Secret::new(element(body, "SessionToken")?)),
            ends: Some(seconds(element(body, "Expiration")?)?),
        })
    }

    /// Tells whether they last beyond the next minutes.
    pub fn are_fresh(&self, now: i64) -> bool {
        self.last_beyond(now, SECRETS_KEYS_EARLY)
    }

    /// Tells whether they still count.
    pub fn count(&self, now: i64) -> bool {
        self.last_beyond(now, Duration::ZERO)
    }

    fn last_beyond(&self, now: i64, margin: Duration) -> bool {
        let margin = i64::try_from(margin.as_secs()).unwrap_or(i64::MAX);
        self.ends.is_none_or(|ends| ends > now.saturating_add(margin))
    }
}

fn seconds(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

/// Returns the text of an element of XML that has no others within.
pub fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let text = rest.split_once(&format!("</{name}>"))?.0.trim();
    (!text.is_empty() && !text.contains(['<', '&'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_a_machine_are_read_and_are_fresh_until_five_minutes_before_their_end() {
        let body = br#"{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z","Type":"AWS-HMAC",
            "AccessKeyId":"ASIA1","SecretAccessKey":"hunter2","Token":"hunter3","Expiration":"1970-01-01T01:00:00Z"}"#;
        let keys = Keys::of_json(body).expect("keys");
        assert_eq!((keys.id.as_str(), keys.ends), ("ASIA1", Some(3600)));
        assert!(keys.are_fresh(3299) && !keys.are_fresh(3300));
        assert!(keys.count(3599) && !keys.count(3600));
        assert_eq!(format!("{keys:?}"), "Keys(ASIA1, hidden)");
    }

    #[test]
    fn a_role_that_gives_none_says_why() {
        let body =
            br#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role x."}"#;
        let told = Keys::of_json(body).expect_err("no keys").text;
        assert!(told.contains("AssumeRoleUnauthorizedAccess") && told.contains("trust"), "{told}");
    }

    #[test]
    fn keys_of_sts_are_read_from_its_xml() {
        let xml = "<R><C><AccessKeyId>ASIA2</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>\n\
            <SessionToken>t</SessionToken><Expiration>1970-01-01T00:00:09Z</Expiration></C></R>";
        let keys = Keys::of_xml(xml).expect("keys");
        assert_eq!((keys.id.as_str(), keys.secret.expose(), keys.ends), ("ASIA2", "s/+=", Some(9)));
        assert_eq!(Keys::of_xml("<AccessKeyId>ASIA2</AccessKeyId>"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_answered_nothing_panics(body in ".*", name in "[A-Za-z]{0,5}") {
            let _ = Keys::of_json(body.as_bytes());
            let _ = Keys::of_xml(&body);
            let _ = element(&body, &name);
        }
    }
}

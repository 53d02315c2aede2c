//! Signature Version 4 of a request. Pure.
//!
//! The algorithm is AWS's "Signature Version 4 signing process"; the tests hold it against the published vectors.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::keys::Keys;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed. Path and query are percent-encoded and normalised already.
pub struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Without the `?`; in any order.
    pub query: &'a str,
    /// All headers that are part of the signature, `host` among them, in any order.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// For whom it counts.
pub struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
    /// Seconds since 1970.
    pub at: i64,
}

/// A time as `x-amz-date` has it: `20150830T123600Z`.
pub fn amz_date(at: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = time.to_hms();
    let day = (time.year(), u8::from(time.month()), time.day());
    format!("{:04}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", day.0, day.1, day.2)
}

/// Returns the value of `Authorization`. The headers must hold `host` and `x-amz-date` of the same time.
pub fn authorization(request: &Signed<'_>, scope: &Scope<'_>, keys: &Keys) -> String {
    let date = amz_date(scope.at);
    let within = format!("{}/{}/{}/aws4_request", &date[..8], scope.region, scope.service);
    let (canonical, names) = canonical(request);
    let text = format!("{ALGORITHM}\n{date}\n{within}\n{}", hex(&Sha256::digest(canonical)));
    let signature = hex(&mac(&signing_key(scope, &date[..8], keys.secret.expose()), &text));
    format!(
        "{ALGORITHM} Credential={}/{within}, SignedHeaders={names}, Signature={signature}",
        keys.id
    )
}

/// The canonical request, and the names of its headers.
fn canonical(request: &Signed<'_>) -> (String, String) {
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), one_spaced(value)))
        .collect();
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let mut query: Vec<&str> = request.query.split('&').filter(|part| !part.is_empty()).collect();
    query.sort_by_key(|part| part.split_once('=').unwrap_or((part, "")));
    let text = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        request.method,
        request.path,
        query.join("&"),
        hex(&Sha256::digest(request.body))
    );
    (text, names)
}

fn one_spaced(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn signing_key(scope: &Scope<'_>, day: &str, secret: &str) -> [u8; 32] {
    let first = mac(format!("AWS4{secret}").as_bytes(), day);
    [scope.region, scope.service, "aws4_request"].iter().fold(first, |key, part| mac(&key, part))
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    const DATE: (&str, &str) = ("X-Amz-Date", "20150830T123600Z");
    const HOST: (&str, &str) = ("Host", "example.amazonaws.com");

    /// The keys and the moment of the published vectors.
    fn keys() -> Keys {
        Keys {
            id: "AKIDEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            token: None,
            ends: None,
        }
    }

    fn scope(service: &str) -> Scope<'_> {
        Scope { region: "us-east-1", service, at: 1_440_938_160 }
    }

    fn signature(
        (method, query): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
        service: &str,
    ) -> String {
        let body = body.as_bytes();
        let request = Signed { method, path: "/", query, headers, body };
        let header = authorization(&request, &scope(service), &keys());
        header.rsplit_once("Signature=").expect("it has one").1.to_owned()
    }

    #[test]
    fn the_published_vectors_are_signed_to_the_byte() {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let token = (
            "X-Amz-Security-Token",
            "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
        );
        for (name, request, headers, body, wanted) in [
            (
                "get-vanilla",
                ("GET", ""),
                &[HOST, DATE][..],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                ("GET", "Param2=value2&Param1=value1"),
                &[HOST, DATE],
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                ("POST", ""),
                &[DATE, HOST],
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                ("POST", ""),
                &[form, HOST, DATE],
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "post-sts-header-before",
                ("POST", ""),
                &[HOST, DATE, token],
                "",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            assert_eq!(signature(request, headers, body, "service"), wanted, "{name}");
        }
    }

    #[test]
    fn the_example_of_the_manual_is_signed_to_the_byte() {
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("Host", "iam.amazonaws.com"),
            DATE,
        ];
        let query = "Action=ListUsers&Version=2010-05-08";
        let wanted = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signature(("GET", query), &headers, "", "iam"), wanted);
        let key = signing_key(&scope("iam"), "20150830", keys().secret.expose());
        let derived = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        assert_eq!(hex(&key), derived);
        let all = Signed { method: "GET", path: "/", query, headers: &headers, body: b"" };
        let header = authorization(&all, &scope("iam"), &keys());
        let begin = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, Signature=";
        assert_eq!(header, format!("{begin}{wanted}"));
    }

    proptest! {
        #[test]
        fn the_order_of_headers_and_spaces_around_values_do_not_matter(
            mut headers in proptest::collection::btree_map("[a-z]{1,8}", "[a-z]{1,5}( [a-z]{1,5}){0,2}", 1..6),
            body in ".*",
        ) {
            headers.insert("host".into(), "h".into());
            let plain: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let spaced: Vec<(String, String)> = headers
                .iter()
                .rev()
                .map(|(name, value)| (name.to_uppercase(), format!("  {} ", value.replace(' ', "   "))))
                .collect();
            let spaced: Vec<(&str, &str)> =
                spaced.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let one = signature(("POST", ""), &plain, &body, "service");
            prop_assert_eq!(&one, &signature(("POST", ""), &spaced, &body, "service"));
            prop_assert_ne!(&one, &signature(("GET", ""), &plain, &body, "service"));
            prop_assert_ne!(&one, &signature(("POST", ""), &plain, &format!("{body} "), "service"));
        }
    }
}

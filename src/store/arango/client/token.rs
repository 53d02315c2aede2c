//! The token of a server: fetched once, kept until shortly before its end, and never shown.

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use crate::limits::{ARANGO_LOGIN_AGAIN, ARANGO_TOKEN_LIFE};

/// What is sent as `Authorization`, and until when. Marked sensitive, so that no log shows it.
#[derive(Clone)]
pub struct Token {
    header: HeaderValue,
    /// From when on a new one is fetched; a fifth of its life before its end.
    stale_at: Instant,
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

impl Token {
    /// Takes a token as the server sent it now; nothing for what cannot be a header.
    pub fn new(jwt: &str, now: Instant) -> Option<Self> {
        let mut header = HeaderValue::try_from(format!("Bearer {jwt}")).ok()?;
        header.set_sensitive(true);
        Some(Self { header, stale_at: now + life_of(jwt) * 4 / 5 })
    }

    pub fn header(&self) -> &HeaderValue {
        &self.header
    }

    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.stale_at
    }

    /// Takes the token for fresh a little longer.
    pub fn postpone(&mut self, now: Instant) {
        self.stale_at = now + ARANGO_LOGIN_AGAIN;
    }

    pub fn is_same(&self, other: &Self) -> bool {
        self.header == other.header
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: f64,
    iat: f64,
}

/// From the token's own times, so that it does not matter what the two clocks say.
fn life_of(jwt: &str) -> Duration {
    let claims = jwt.split('.').nth(1).and_then(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Claims>(&bytes).ok()
    });
    claims
        .and_then(|claims| Duration::try_from_secs_f64(claims.exp - claims.iat).ok())
        .filter(|life| !life.is_zero())
        .map_or(ARANGO_TOKEN_LIFE, |life| life.min(ARANGO_TOKEN_LIFE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_stale_before_its_end_whatever_the_clocks_say() {
        let now = Instant::now();
        for (claims, seconds) in [
            (r#"{"exp":1100.5,"iat":1000.5,"preferred_username":"weir"}"#, 80),
            (r#"{"exp":99999999,"iat":0}"#, 2880),
            (r#"{"exp":5,"iat":10}"#, 2880),
            (r#"{"iat":10}"#, 2880),
            ("no claims", 2880),
        ] {
            let token = Token::new(&jwt(claims), now).expect("a token");
            assert!(token.is_fresh(now + Duration::from_secs(seconds - 1)), "{claims}");
            assert!(!token.is_fresh(now + Duration::from_secs(seconds)), "{claims}");
        }
        assert!(Token::new("a\nb", now).is_none());
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new("secret.secret.secret", Instant::now()).expect("a token");
        assert!(!format!("{token:?} {:?}", token.header()).contains("secret"));
    }
}

//! Who may ask: one user, by password or by a token that expires.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::answer::{Answer, Trouble};
use super::request::Request;
use super::server::Server;
use super::state::locked;

pub const USER: &str = "root";
pub const PASSWORD: &str = "only-for-the-stand-in";

pub struct Auth {
    /// When each token ends.
    tokens: Mutex<HashMap<String, SystemTime>>,
    life: Mutex<Duration>,
    password: Mutex<String>,
    given: AtomicU64,
}

impl Auth {
    pub fn new() -> Self {
        Self {
            tokens: Mutex::default(),
            life: Mutex::new(Duration::from_hours(1)),
            password: Mutex::new(PASSWORD.to_owned()),
            given: AtomicU64::new(0),
        }
    }

    pub fn set_life(&self, life: Duration) {
        *locked(&self.life) = life;
    }

    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut locked(&self.password));
    }

    pub fn password(&self) -> String {
        locked(&self.password).clone()
    }

    pub fn expire_all(&self) {
        locked(&self.tokens).clear();
    }

    pub fn tokens_given(&self) -> u64 {
        self.given.load(Ordering::SeqCst)
    }

    fn token(&self) -> String {
        let now = SystemTime::now();
        let end = now + *locked(&self.life);
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        let seconds = |at: SystemTime| {
            at.duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_secs()
        };
        let claims = json!({"preferred_username": USER, "iss": "arangodb", "iat": seconds(now), "exp": seconds(end)});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(&json!({"alg": "HS256", "typ": "JWT"}));
        let signature = URL_SAFE_NO_PAD.encode(format!("the stand-in's signature {number:07}"));
        let token = format!("{head}.{}.{signature}", part(&claims));
        locked(&self.tokens).insert(token.clone(), end);
        token
    }

    fn knows(&self, authorization: &str) -> bool {
        if let Some(token) =
            authorization.strip_prefix("Bearer ").or_else(|| authorization.strip_prefix("bearer "))
        {
            return locked(&self.tokens).get(token).is_some_and(|end| *end > SystemTime::now());
        }
        let basic =
            authorization.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
        let expected = format!("{USER}:{}", locked(&self.password));
        basic.is_some_and(|given| given == expected.as_bytes())
    }

    /// Refuses a request whose credentials are none, wrong or expired.
    pub fn check(&self, request: &Request) -> Result<(), Trouble> {
        if request.header("authorization").is_some_and(|given| self.knows(given)) {
            return Ok(());
        }
        Err(Trouble::with_status(401, 11, "not authorized to execute this request"))
    }
}

/// `POST /_open/auth`
pub fn login(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let body = request.json()?;
    let (Some(user), Some(password)) = (body["username"].as_str(), body["password"].as_str())
    else {
        return Err(Trouble::new(400, "invalid JSON"));
    };
    if user != USER || password != *locked(&server.auth.password) {
        return Err(Trouble::new(401, "Wrong credentials"));
    }
    Ok(Answer::json(200, &json!({"jwt": server.auth.token()})))
}

//! The gate: decides who may do what on a copy of the keys in memory, and keeps that copy fresh.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::denied::Denied;
use super::grant::{Grant, Holder};
use super::jwt::Tokens;
use super::key::{Key, Scope};
use super::keyring::Keyring;
use super::keys::{Keys, read_copy, read_entries, write_copy};
use super::secret_text::parts;
use super::shown::Shown;
use crate::clock;
use crate::limits::LOG_RETRY;

/// Decides who may do what. Clones share the keys; each may be open or not for itself.
#[derive(Clone)]
pub struct Access {
    open: bool,
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` until the keys were read once, from the bucket or from the copy on disk.
    ring: watch::Sender<Option<Arc<Keyring>>>,
    copy: Option<PathBuf>,
    tokens: Option<Tokens>,
}

impl Access {
    /// Asks nobody for a key.
    pub fn open() -> Self {
        Self::new(None, None).opened(true)
    }

    /// Asks for keys; begins with the copy on disk, if there is one.
    pub fn new(copy: Option<PathBuf>, tokens: Option<Tokens>) -> Self {
        let keys = copy.as_deref().and_then(read_copy);
        let ring = keys.map(|keys| Arc::new(Keyring::new(keys, &Keyring::default())));
        let shared = Shared { ring: watch::channel(ring).0, copy, tokens };
        Self { open: false, shared: Arc::new(shared) }
    }

    /// The same keys, where whoever shows none may do everything, or not.
    #[must_use]
    pub fn opened(&self, open: bool) -> Self {
        Self { open, shared: Arc::clone(&self.shared) }
    }

    /// Tells whether whoever shows no key may do everything.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Tells whether there is any key that is valid now; `None` while that is not known.
    pub fn has_keys(&self) -> Option<bool> {
        let now_ms = clock::now_ms();
        let valid = |ring: &Arc<Keyring>| ring.keys().any(|key| key.is_valid(now_ms));
        self.shared.ring.borrow().as_ref().map(valid)
    }

    /// Waits until the keys were read once; false if that cannot be any more.
    pub async fn known(&self) -> bool {
        self.shared.ring.subscribe().wait_for(Option::is_some).await.is_ok()
    }

    /// Decides on a request by its head. Waits for nothing and nobody.
    pub fn admit(&self, scope: Scope, shown: &Shown<'_>, now_ms: i64) -> Result<Grant, Denied> {
        let key = shown.key();
        let holder = match key.as_deref() {
            // Open, it is for those who have not heard of keys; what others call a key is not looked at.
            None => return if self.open { Ok(Grant::open()) } else { Err(Denied::Missing) },
            Some(other) if self.open && parts(other).is_none() => return Ok(Grant::open()),
            Some(ours) if parts(ours).is_some() => self.holder_of_key(ours, now_ms)?,
            Some(token) => {
                let tokens = self.shared.tokens.as_ref().ok_or(Denied::Wrong)?;
                tokens.holder(token, now_ms).ok_or(Denied::Wrong)?
            }
        };
        check(&holder, scope, shown)?;
        Ok(Grant::of(holder))
    }

    fn holder_of_key(&self, shown: &str, now_ms: i64) -> Result<Arc<Holder>, Denied> {
        let ring = self.shared.ring.borrow();
        let ring = ring.as_ref().ok_or(Denied::Unknown)?;
        ring.find(shown, now_ms).cloned().ok_or(Denied::Wrong)
    }

    /// Tells whether a key is for pages of this origin: what a preflight asks, which shows no key.
    pub fn allowed_origin(&self, origin: &str) -> bool {
        let ring = self.shared.ring.borrow();
        ring.as_ref().is_some_and(|ring| ring.allows_origin(origin, clock::now_ms()))
    }

    /// Follows the bucket until told to stop: what changes there counts here a moment later. The last copy serves
    /// while NATS is away.
    pub async fn follow(self, keys: Keys, stop: CancellationToken) {
        let ensure = || Box::pin(keys.ensure());
        while let Some(Err(error)) = stop.run_until_cancelled(ensure()).await {
            if !error.may_pass() {
                // It may be there all the same, and this process may read it.
                tracing::warn!(%error, "the bucket of keys cannot be made, or given its bounds");
                break;
            }
            tracing::debug!(%error, "the bucket of keys cannot be made yet");
            if stop.run_until_cancelled(tokio::time::sleep(LOG_RETRY)).await.is_none() {
                return;
            }
        }
        let watch = keys.kv().watch();
        let mut entries = watch.receiver();
        loop {
            let view = entries.borrow_and_update().clone();
            if view.loaded {
                self.take(read_entries(&view.entries));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = entries.changed() => if changed.is_err() { return },
            }
        }
    }

    fn take(&self, keys: Vec<Key>) {
        let before = self.shared.ring.borrow().clone().unwrap_or_default();
        let ring = Arc::new(Keyring::new(keys, &before));
        if let Some(path) = &self.shared.copy {
            let keys: Vec<&Key> = ring.keys().collect();
            if let Err(error) = write_copy(path, &keys) {
                tracing::warn!(%error, path = %path.display(), "the copy of the keys cannot be written");
            }
        }
        self.shared.ring.send_replace(Some(ring));
    }

    /// Fetches the keys that tokens of others are signed with, until told to stop.
    pub async fn follow_tokens(self, stop: CancellationToken) {
        match &self.shared.tokens {
            Some(tokens) => tokens.follow(stop).await,
            None => stop.cancelled().await,
        }
    }
}

fn check(holder: &Holder, scope: Scope, shown: &Shown<'_>) -> Result<(), Denied> {
    let rules = &holder.rules;
    if !rules.scopes.contains(&scope) {
        return Err(Denied::Scope(scope));
    }
    if let Some(origins) = &rules.origins
        && !shown.comes_from(|origin| origins.contains(origin))
    {
        return Err(Denied::Origin);
    }
    match holder.buckets.wait() {
        Some(wait) if scope == Scope::Write => {
            Err(Denied::Rate { wait, quota: holder.buckets.quota() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::access::key::{NewKey, Rate, Rules};

    fn access(change: impl Fn(&mut Rules)) -> (Access, String) {
        let mut rules = Rules { scopes: [Scope::Write].into(), ..Rules::default() };
        change(&mut rules);
        let (key, text) = Key::new(NewKey { name: "n".into(), rules, ..NewKey::default() }, 0);
        let access = Access::new(None, None);
        access.take(vec![key]);
        (access, text.expose())
    }

    fn ask(access: &Access, scope: Scope, pairs: &[(&'static str, &str)]) -> Result<Grant, Denied> {
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect();
        access.admit(scope, &Shown { headers: &headers, query: None }, 5)
    }

    #[test]
    fn only_a_key_of_the_scope_and_the_origin_is_admitted() {
        let (access, key) = access(|rules| {
            rules.origins = Some(["https://shop.example".to_owned()].into());
        });
        let page = ("origin", "https://shop.example");
        let shown = ("x-api-key", key.as_str());
        let grant = ask(&access, Scope::Write, &[shown, page]).expect("all is right");
        assert!(grant.key_id().is_some());
        assert_eq!(ask(&access, Scope::Write, &[page]).unwrap_err(), Denied::Missing);
        assert_eq!(
            ask(&access, Scope::Write, &[("x-api-key", "k"), page]).unwrap_err(),
            Denied::Wrong
        );
        assert_eq!(
            ask(&access, Scope::Read, &[shown, page]).unwrap_err(),
            Denied::Scope(Scope::Read)
        );
        assert_eq!(ask(&access, Scope::Write, &[shown]).unwrap_err(), Denied::Origin);
        assert!(access.allowed_origin("https://shop.example"));
        assert!(!access.allowed_origin("https://evil.example"));
    }

    #[test]
    fn open_it_asks_nobody_and_still_knows_its_own_keys() {
        let (access, key) = access(|_| ());
        let open = access.opened(true);
        assert!(ask(&open, Scope::Admin, &[]).expect("open").key_id().is_none());
        assert!(ask(&open, Scope::Write, &[("x-api-key", "another's key")]).is_ok());
        assert!(ask(&open, Scope::Write, &[("x-api-key", &key)]).expect("ours").key_id().is_some());
        let wrong = ask(&open, Scope::Write, &[("x-api-key", "weir_nobody_secret")]);
        assert_eq!(wrong.unwrap_err(), Denied::Wrong);
    }

    #[test]
    fn who_has_sent_too_much_waits() {
        let rate = Rate { events_per_second: Some(10), bytes_per_second: None };
        let (access, key) = access(|rules| rules.rate = rate);
        let shown = [("x-api-key", key.as_str())];
        ask(&access, Scope::Write, &shown).expect("nothing was sent").charge(1_000, 1);
        let denied = ask(&access, Scope::Write, &shown).unwrap_err();
        assert!(matches!(denied, Denied::Rate { wait, .. } if wait.as_secs() >= 90), "{denied:?}");
    }

    #[test]
    fn before_the_keys_are_read_nobody_is_told_that_theirs_is_wrong() {
        let nothing = Access::new(None, None);
        let shown = [("x-api-key", "weir_a_b")];
        assert_eq!(ask(&nothing, Scope::Write, &shown).unwrap_err(), Denied::Unknown);
    }

    #[test]
    fn the_copy_on_disk_serves_a_start_without_nats() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys.json");
        let rules = Rules { scopes: [Scope::Write].into(), ..Rules::default() };
        let (key, text) = Key::new(NewKey { name: "n".into(), rules, ..NewKey::default() }, 0);
        Access::new(Some(path.clone()), None).take(vec![key]);
        let again = Access::new(Some(path.clone()), None);
        let shown = text.expose();
        assert!(ask(&again, Scope::Write, &[("x-api-key", &shown)]).is_ok());
        let written = std::fs::read_to_string(&path).expect("it is there");
        assert!(!written.contains(parts(&shown).expect("of our form").1));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).expect("it is there").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }
}

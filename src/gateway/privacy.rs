//! What of an event may be kept: addresses, fields that are dropped or hashed, bots that are marked. Pure.
//!
//! All of it happens before the write-ahead log, so what a rule takes away was never stored. A hash is keyed
//! and 128 bits long: equal values stay equal, and nobody without the key can try out a phone book.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use crate::access::{IpMode, Privacy};
use crate::event::{Draft, Id, ReceivedFrom};

/// Names under which producers send addresses of people, in `properties` and in `context`.
const ADDRESSES: [&str; 6] = ["ip", "$ip", "ipAddress", "ip_address", "clientIp", "client_ip"];

/// The key of all hashes; gateways that share it hash alike.
#[derive(Clone, Copy)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// Derives the key from a secret of any length.
    pub fn new(secret: &str) -> Self {
        Self(blake3::derive_key("weir 2026 fields of events hashed for privacy", secret.as_bytes()))
    }

    fn hash(&self, text: &str) -> String {
        let hash = blake3::keyed_hash(&self.0, text.as_bytes());
        hash.to_hex()[..32].to_owned()
    }
}

/// Who sent a request, as far as it matters to what is kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender<'a> {
    pub address: Option<IpAddr>,
    pub is_bot: bool,
    pub key: Option<&'a str>,
}

/// A rule wants a hash, and no secret is configured to make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoHashKey;

/// Cleans a draft as the rules say and writes down who sent it.
pub(super) fn clean(
    draft: &mut Draft<'_>,
    rules: &Privacy,
    hash_key: Option<&HashKey>,
    sender: &Sender<'_>,
) -> Result<(), NoHashKey> {
    if rules.ip != IpMode::Keep {
        for object in [&mut draft.properties, &mut draft.context] {
            hide_addresses(object, rules.ip);
        }
    }
    for pointer in &rules.drop {
        change(draft, pointer, &|_| None);
    }
    if !rules.hash.is_empty() {
        let key = hash_key.ok_or(NoHashKey)?;
        for pointer in &rules.hash {
            change(draft, pointer, &|text| Some(key.hash(text)));
        }
    }
    draft.received_from = received_from(rules, sender);
    Ok(())
}

fn received_from(rules: &Privacy, sender: &Sender<'_>) -> Option<ReceivedFrom> {
    let ip = sender.address.and_then(|address| shown(address, rules.ip));
    let from = ReceivedFrom { ip, bot: sender.is_bot, key: sender.key.map(str::to_owned) };
    (from != ReceivedFrom::default()).then_some(from)
}

/// An address as far as the mode shows it: whole, its network (/24, /48), or not at all.
fn shown(address: IpAddr, mode: IpMode) -> Option<String> {
    let kept = match (mode, address.to_canonical()) {
        (IpMode::Drop, _) => return None,
        (IpMode::Keep, whole) => whole,
        (IpMode::Truncate, IpAddr::V4(whole)) => {
            Ipv4Addr::from_bits(whole.to_bits() & (u32::MAX << 8)).into()
        }
        (IpMode::Truncate, IpAddr::V6(whole)) => {
            Ipv6Addr::from_bits(whole.to_bits() & (u128::MAX << 80)).into()
        }
    };
    Some(kept.to_string())
}

/// What does not read as an address under such a name goes too: it may be two of them.
fn hide_addresses(object: &mut Map<String, Value>, mode: IpMode) {
    for name in ADDRESSES {
        let Some(value) = object.get_mut(name) else { continue };
        let address = value.as_str().and_then(|text| text.trim().parse().ok());
        match address.and_then(|address| shown(address, mode)) {
            Some(text) => *value = Value::String(text),
            None => {
                object.remove(name);
            }
        }
    }
}

/// Puts something else in the place that a pointer (RFC 6901) names, or takes it away.
fn change(draft: &mut Draft<'_>, pointer: &str, new: &dyn Fn(&str) -> Option<String>) {
    let mut steps =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let Some(first) = steps.next() else { return };
    let rest: Vec<String> = steps.collect();
    let object = match first.as_str() {
        "userId" => {
            draft.user = draft.user.take().and_then(|user| Id::new(new(user.as_str())?).ok());
            return;
        }
        "value" => {
            draft.value = None;
            return;
        }
        "properties" => &mut draft.properties,
        "context" => &mut draft.context,
        _ => return,
    };
    match rest.split_last() {
        None => object.clear(),
        Some((last, path)) => change_in(object, path, last, new),
    }
}

fn change_in(
    object: &mut Map<String, Value>,
    path: &[String],
    last: &str,
    new: &dyn Fn(&str) -> Option<String>,
) {
    let mut place = object;
    for step in path {
        match place.get_mut(step) {
            Some(Value::Object(inner)) => place = inner,
            _ => return,
        }
    }
    let Some(value) = place.get_mut(last) else { return };
    let text = match &*value {
        Value::String(text) => new(text),
        other => new(&other.to_string()),
    };
    match text {
        Some(text) => *value = Value::String(text),
        None => {
            place.remove(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{EventTypes, Parser, Upcasters};

    fn cleaned(rules: &Privacy, sender: &Sender<'_>) -> Result<Draft<'static>, NoHashKey> {
        let parser = Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped());
        let mut draft = parser
            .parse(
                br#"{"userId":"ann","itemId":"tea","eventType":"viewed","value":3,"properties":
                {"email":"ann@example.org","ip":"203.0.113.77","form":{"phone":"+1 555","n":7}}}"#,
                None,
            )
            .expect("valid");
        let key = HashKey::new("a secret of some length");
        clean(&mut draft, rules, Some(&key), sender)?;
        Ok(draft)
    }

    fn from(address: &str) -> Sender<'static> {
        Sender { address: address.parse().ok(), ..Sender::default() }
    }

    fn rules(ip: IpMode) -> Privacy {
        Privacy { ip, ..Privacy::default() }
    }

    #[test]
    fn addresses_are_kept_cut_or_left_out() {
        let told = |mode, address: &str| {
            let draft = cleaned(&rules(mode), &from(address)).expect("no hash is asked for");
            (draft.received_from.and_then(|from| from.ip), draft.properties.get("ip").cloned())
        };
        let text = |text: &str| Some(Value::String(text.to_owned()));
        assert_eq!(told(IpMode::Drop, "198.51.100.7"), (None, None));
        assert_eq!(
            told(IpMode::Truncate, "198.51.100.7"),
            (Some("198.51.100.0".to_owned()), text("203.0.113.0"))
        );
        assert_eq!(
            told(IpMode::Keep, "::ffff:198.51.100.7"),
            (Some("198.51.100.7".to_owned()), text("203.0.113.77"))
        );
        let (ip, _) = told(IpMode::Truncate, "2001:db8:1:2:3::4");
        assert_eq!(ip.as_deref(), Some("2001:db8:1::"));
    }

    #[test]
    fn fields_are_dropped_or_hashed_wherever_they_are() {
        let rules = Privacy {
            drop: ["/properties/email", "/properties/form/nothing", "/value", "/other/x"]
                .map(str::to_owned)
                .to_vec(),
            hash: ["/userId", "/properties/form/phone", "/properties/form/n"]
                .map(str::to_owned)
                .to_vec(),
            ..rules(IpMode::Keep)
        };
        let draft = cleaned(&rules, &Sender::default()).expect("there is a key");
        assert_eq!((draft.value, draft.properties.get("email")), (None, None));
        let user = draft.user.expect("hashed, not dropped");
        assert!(user.as_str().len() == 32 && user.as_str() != "ann");
        let form = draft.properties["form"].as_object().expect("an object");
        assert!(form.values().all(|value| value.as_str().is_some_and(|text| text.len() == 32)));
        let again = cleaned(&rules, &Sender::default()).expect("there is a key");
        assert_eq!(again.properties["form"], draft.properties["form"]);
        assert_ne!(HashKey::new("another").hash("ann"), user.as_str());
    }

    #[test]
    fn a_hash_without_a_secret_is_refused_and_not_left_out() {
        let parser = Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped());
        let json = br#"{"userId":"ann","itemId":"tea","eventType":"viewed"}"#;
        let mut draft = parser.parse(json, None).expect("valid");
        let rules = Privacy { hash: vec!["/userId".to_owned()], ..Privacy::default() };
        assert_eq!(clean(&mut draft, &rules, None, &Sender::default()), Err(NoHashKey));
    }

    #[test]
    fn who_sent_it_is_written_down() {
        let sender = Sender { address: None, is_bot: true, key: Some("shop") };
        let draft = cleaned(&rules(IpMode::Drop), &sender).expect("no hash is asked for");
        let expected = ReceivedFrom { ip: None, bot: true, key: Some("shop".to_owned()) };
        assert_eq!(draft.received_from, Some(expected));
        let nobody = cleaned(&rules(IpMode::Drop), &Sender::default()).expect("no hash");
        assert_eq!(nobody.received_from, None);
    }
}

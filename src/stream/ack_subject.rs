//! The reply subject of a delivered message, which carries its place: `$JS.ACK.…` in both of its forms.
//!
//! Nine tokens: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<time>.<pending>`.
//! Eleven or more put the domain and the account in front of the stream. Parsed without an allocation.

/// Where a delivered message stands in its stream and in its consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// How often it was delivered, from 1.
    pub delivered: u64,
    /// The stream's sequence.
    pub sequence: u64,
    /// The consumer's sequence: contiguous unless a message was lost on the way.
    pub consumer_sequence: u64,
    /// The stream's time in milliseconds since 1970.
    pub time_ms: i64,
    /// Messages the consumer has still to deliver after this one.
    pub pending: u64,
}

const PREFIX: &str = "$JS.ACK.";

/// Reads a delivery from a reply subject; `None` for any other subject.
pub fn parse(subject: &str) -> Option<Delivery> {
    let rest = subject.strip_prefix(PREFIX)?;
    let leading = match rest.bytes().filter(|byte| *byte == b'.').count() + 1 {
        7 => 2,
        9.. => 4,
        _ => return None,
    };
    let mut tokens = rest.split('.').skip(leading);
    let delivered = tokens.next()?.parse().ok()?;
    let sequence = tokens.next()?.parse().ok()?;
    let consumer_sequence = tokens.next()?.parse().ok()?;
    let nanos: i64 = tokens.next()?.parse().ok()?;
    let pending = tokens.next()?.parse().ok()?;
    Some(Delivery {
        delivered,
        sequence,
        consumer_sequence,
        time_ms: nanos.div_euclid(1_000_000),
        pending,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Delivery = Delivery {
        delivered: 3,
        sequence: 42,
        consumer_sequence: 7,
        time_ms: 1_700_000_000_123,
        pending: 9,
    };

    #[test]
    fn both_forms_give_the_same_delivery() {
        let short = "$JS.ACK.EVENTS.c.3.42.7.1700000000123999999.9";
        let long = "$JS.ACK._.HASH.EVENTS.c.3.42.7.1700000000123999999.9";
        let longer = "$JS.ACK.hub.HASH.EVENTS.c.3.42.7.1700000000123999999.9.token.more";
        for subject in [short, long, longer] {
            assert_eq!(parse(subject), Some(EXPECTED), "{subject}");
        }
    }

    #[test]
    fn other_subjects_are_refused() {
        for subject in [
            "",
            "$JS.ACK.",
            "events.viewed",
            "$JS.ACK.EVENTS.c.1.42.7.1700000000123999999",
            "$JS.ACK.EVENTS.c.1.x.7.1700000000123999999.9",
            "$JS.ACK.a.EVENTS.c.1.42.7.1700000000123999999.9",
            "$JS.ACK.EVENTS.c.1.42.7.1700000000123999999.-9",
        ] {
            assert_eq!(parse(subject), None, "{subject}");
        }
    }
}

//! What the metrics of a version's instances say, and what came between two readings. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One reading of all instances of a version, by the addresses of their admin listeners.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub instances: BTreeMap<String, Instance>,
}

/// What one process has counted since it began, and how it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// When it began, in seconds since the epoch.
    pub started_s: f64,
    pub version: String,
    /// The fingerprint of the projection that it makes.
    pub projection: String,
    pub requests: u64,
    pub errors: u64,
    pub refused: u64,
    /// Requests answered within so many seconds, by rising bounds.
    pub within: Vec<(f64, u64)>,
    pub lag: u64,
    pub connected: bool,
}

/// What all instances of a version counted between two readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counted {
    pub requests: u64,
    pub errors: u64,
    pub refused: u64,
    within: BTreeMap<u64, u64>,
}

impl Instance {
    /// Reads the text of `/metrics`; what a process has not is 0.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut within: BTreeMap<u64, u64> = BTreeMap::new();
        for (name, labels, value) in text.lines().filter_map(sample) {
            let is_public = labels.get("listener").is_some_and(|listener| listener == "public");
            let count = value as u64;
            match name {
                "weir_http_request_seconds_count" if is_public => {
                    found.count(labels.get("status").map_or("", String::as_str), count);
                }
                "weir_http_request_seconds_bucket" if is_public => {
                    let bound = labels.get("le").and_then(|bound| bound.parse::<f64>().ok());
                    if let Some(bound) = bound.filter(|bound| bound.is_finite()) {
                        *within.entry(bound.to_bits()).or_default() += count;
                    }
                }
                "weir_start_time_seconds" => found.started_s = value,
                "weir_relay_lag_events" => found.lag = count,
                "weir_nats_connected" => found.connected = value > 0.0,
                "weir_build_info" => {
                    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
                    (found.version, found.projection) = (label("version"), label("projection"));
                }
                _ => {}
            }
        }
        found.within =
            within.into_iter().map(|(bound, count)| (f64::from_bits(bound), count)).collect();
        found
    }

    fn count(&mut self, status: &str, count: u64) {
        self.requests += count;
        match status {
            "5xx" => self.errors += count,
            "4xx" => self.refused += count,
            _ => {}
        }
    }

    /// Whether this is the process that the other reading is of, at a later time.
    fn continues(&self, earlier: &Self) -> bool {
        self.started_s.to_bits() == earlier.started_s.to_bits() && self.requests >= earlier.requests
    }
}

impl Reading {
    /// What was counted since an earlier reading. Of a process that began meanwhile, all counts.
    pub(super) fn since(&self, earlier: &Self) -> Counted {
        let mut counted = Counted::default();
        for (address, now) in &self.instances {
            let before = earlier.instances.get(address).filter(|before| now.continues(before));
            counted.add(now, before.unwrap_or(&Instance::default()));
        }
        counted
    }

    /// What was counted since the processes began.
    pub(super) fn all(&self) -> Counted {
        self.since(&Self::default())
    }

    /// An instance that was there before and is another process now.
    pub(super) fn restarted(&self, earlier: &Self) -> Option<String> {
        let again = |(address, now): (&String, &Instance)| {
            let before = earlier.instances.get(address)?;
            (!now.continues(before)).then(|| address.clone())
        };
        self.instances.iter().find_map(again)
    }

    pub(super) fn lag(&self) -> u64 {
        self.instances.values().map(|instance| instance.lag).sum()
    }

    pub(super) fn connected(&self) -> bool {
        self.instances.values().all(|instance| instance.connected)
    }

    /// The projection that all instances make; none if they differ, or there are none.
    pub(super) fn projection(&self) -> Option<&str> {
        let mut all = self.instances.values().map(|instance| &*instance.projection);
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }
}

impl Counted {
    fn add(&mut self, now: &Instance, before: &Instance) {
        self.requests += now.requests.saturating_sub(before.requests);
        self.errors += now.errors.saturating_sub(before.errors);
        self.refused += now.refused.saturating_sub(before.refused);
        for (bound, count) in &now.within {
            let earlier =
                before.within.iter().find(|(other, _)| other.to_bits() == bound.to_bits());
            let earlier = earlier.map_or(0, |(_, count)| *count);
            *self.within.entry(bound.to_bits()).or_default() += count.saturating_sub(earlier);
        }
    }

    /// The bound of the histogram that nearly all answers (99 of 100) keep; none if there is none or nothing.
    fn p99_s(&self) -> Option<f64> {
        let wanted = (self.requests as f64 * 0.99).ceil() as u64;
        let found = self.within.iter().find(|(_, count)| **count >= wanted)?;
        (self.requests > 0).then(|| f64::from_bits(*found.0))
    }

    /// From when on an answer is slow: the first bound of the histogram that is so far past the p99.
    pub(super) fn slow_after_s(&self, ratio: f64, by_s: f64) -> Option<f64> {
        let p99 = self.p99_s()?;
        let wanted = (p99 * ratio).max(p99 + by_s);
        self.within.keys().map(|bound| f64::from_bits(*bound)).find(|bound| *bound >= wanted)
    }

    /// Answers that took longer than a bound; of a histogram without it, than its next greater one.
    pub(super) fn slower_than(&self, bound_s: f64) -> u64 {
        let next = self.within.range(bound_s.to_bits()..).next();
        next.map_or(0, |(_, count)| self.requests.saturating_sub(*count))
    }
}

/// One line of the text: name, labels and value.
fn sample(line: &str) -> Option<(&str, BTreeMap<String, String>, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = series.split_once('{') else {
        return Some((series, BTreeMap::new(), value));
    };
    Some((name, labels(rest.strip_suffix('}')?)?, value))
}

/// The labels between braces; `\\`, `\"` and `\n` stand for what they say.
fn labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let (mut value, mut end, mut escaped) = (String::new(), None, false);
        for (at, c) in after.char_indices() {
            match (escaped, c) {
                (false, '\\') => escaped = true,
                (false, '"') => {
                    end = Some(at);
                    break;
                }
                (was_escaped, c) => {
                    value.push(if was_escaped && c == 'n' { '\n' } else { c });
                    escaped = false;
                }
            }
        }
        found.insert(name.trim_start_matches(',').to_owned(), value);
        rest = &after[end? + 1..];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# HELP weir_build_info What runs
# TYPE weir_build_info gauge
weir_build_info{version="0.2.0",projection="ab\"12"} 1
weir_start_time_seconds 1790000000.25
weir_nats_connected 1
weir_relay_lag_events 7
weir_http_request_seconds_bucket{listener="public",status="2xx",le="0.001"} 90
weir_http_request_seconds_bucket{listener="public",status="2xx",le="0.01"} 96
weir_http_request_seconds_bucket{listener="public",status="2xx",le="+Inf"} 97
weir_http_request_seconds_count{listener="public",status="2xx"} 97
weir_http_request_seconds_bucket{listener="public",status="5xx",le="0.001"} 2
weir_http_request_seconds_bucket{listener="public",status="5xx",le="0.01"} 2
weir_http_request_seconds_bucket{listener="public",status="5xx",le="0.1"} 3
weir_http_request_seconds_count{listener="public",status="5xx"} 3
weir_http_request_seconds_count{listener="admin",status="5xx"} 40
nonsense
"#;

    fn reading(instance: &Instance) -> Reading {
        Reading { instances: [("a".to_owned(), instance.clone())].into() }
    }

    #[test]
    fn the_metrics_of_a_process_are_read() {
        let read = Instance::parse(TEXT);
        assert_eq!((read.requests, read.errors, read.refused), (100, 3, 0));
        assert_eq!((&*read.version, &*read.projection), ("0.2.0", "ab\"12"));
        assert_eq!((read.lag, read.connected), (7, true));
        assert_eq!(read.within, [(0.001, 92), (0.01, 98), (0.1, 3)]);
        assert_eq!(Instance::parse(""), Instance::default());
    }

    #[test]
    fn what_is_slow_follows_from_the_histogram() {
        let within = vec![(0.001, 90), (0.002, 99), (0.005, 100), (0.01, 100), (0.02, 100)];
        let instance = Instance { requests: 100, within, ..Instance::default() };
        let counted = reading(&instance).all();
        assert_eq!(counted.slow_after_s(1.25, 0.0), Some(0.005));
        assert_eq!(counted.slow_after_s(1.25, 0.005), Some(0.01));
        assert_eq!(counted.slow_after_s(100.0, 0.0), None);
        assert_eq!((counted.slower_than(0.002), counted.slower_than(0.0015)), (1, 1));
        assert_eq!(Counted::default().slow_after_s(1.0, 0.0), None);
    }

    #[test]
    fn between_two_readings_counts_what_came_and_all_of_a_new_process() {
        let earlier = Instance { requests: 10, errors: 2, started_s: 5.0, ..Instance::default() };
        let later = Instance { requests: 25, errors: 3, ..earlier.clone() };
        let counted = reading(&later).since(&reading(&earlier));
        assert_eq!((counted.requests, counted.errors), (15, 1));
        assert_eq!(reading(&later).restarted(&reading(&earlier)), None);
        let other = Instance { started_s: 6.0, ..later };
        assert_eq!(reading(&other).since(&reading(&earlier)).requests, 25);
        assert_eq!(reading(&other).restarted(&reading(&earlier)), Some("a".to_owned()));
        assert_eq!(reading(&other).restarted(&Reading::default()), None);
    }

    #[test]
    fn a_projection_is_one_that_all_make() {
        let of = |name: &str| Instance { projection: name.into(), ..Instance::default() };
        let mut both = reading(&of("x"));
        assert_eq!(both.projection(), Some("x"));
        both.instances.insert("b".into(), of("y"));
        assert_eq!((both.projection(), Reading::default().projection()), (None, None));
    }
}

//! Who we are at AWS: keys that are kept until shortly before their end, a region, and AWS's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::sync::{Mutex, OnceCell};

use super::keys::Keys;
use super::origin::Origin;
use crate::clock;
use crate::secrets::contract::Fault;
use crate::secrets::plan::AwsOptions;
use crate::secrets::sources::Surroundings;

/// Shared by everything that signs.
pub struct Identity {
    origin: Origin,
    keys: Mutex<Option<Keys>>,
    region: OnceCell<String>,
    /// By how many seconds AWS's clock is ahead of ours.
    ahead: AtomicI64,
    sts: (String, String),
}

impl Identity {
    pub fn new(options: &AwsOptions, around: Surroundings) -> Arc<Self> {
        let sts = sts_of(options);
        Arc::new(Self {
            origin: Origin::new(options, around, sts.0.clone()),
            keys: Mutex::new(None),
            region: OnceCell::new_with(options.region.clone()),
            ahead: AtomicI64::new(0),
            sts,
        })
    }

    /// Returns keys that count. Those that cannot be replaced yet are used to their end.
    pub async fn keys(&self) -> Result<Keys, Fault> {
        let mut kept = self.keys.lock().await;
        let now = self.now();
        if let Some(keys) = kept.as_ref().filter(|keys| keys.are_fresh(now)) {
            return Ok(keys.clone());
        }
        match self.origin.keys().await {
            Ok(fresh) => Ok(kept.insert(fresh).clone()),
            Err(fault) => match kept.as_ref().filter(|keys| keys.count(now)) {
                Some(old) => Ok(old.clone()),
                None => Err(fault.about("no keys for AWS")),
            },
        }
    }

    /// Gives up keys that AWS takes for expired; those that another has fetched meanwhile stay.
    pub async fn forget(&self, refused: &Keys) {
        let mut kept = self.keys.lock().await;
        if kept.as_ref() == Some(refused) {
            *kept = None;
        }
    }

    pub async fn region(&self) -> Result<&str, Fault> {
        self.region.get_or_try_init(|| self.origin.region()).await.map(String::as_str)
    }

    /// Returns the address of STS, and the region that signatures for it name.
    pub fn sts(&self) -> (&str, &str) {
        (&self.sts.0, &self.sts.1)
    }

    /// Seconds since 1970 by AWS's clock, as far as it is known.
    pub fn now(&self) -> i64 {
        clock::now_ms() / 1000 + self.ahead.load(Ordering::Relaxed)
    }

    /// Learns AWS's time from the `Date` of an answer; tells whether it was another than was thought.
    pub fn learn_time(&self, date: Option<&str>) -> bool {
        let Some(told) = date.and_then(seconds_of) else { return false };
        let ahead = told - clock::now_ms() / 1000;
        let before = self.ahead.swap(ahead, Ordering::Relaxed);
        let changed = (before - ahead).abs() > 60;
        if changed {
            tracing::warn!(
                seconds = ahead,
                "AWS's clock is ahead of this machine's by so much: signatures follow it; set the machine's clock"
            );
        }
        changed
    }
}

/// The address of STS and its region: the one that is set, else that of the region, else the global one.
fn sts_of(options: &AwsOptions) -> (String, String) {
    match (&options.region, &options.sts_url) {
        (region, Some(url)) => {
            (url.clone(), region.clone().unwrap_or_else(|| "us-east-1".to_owned()))
        }
        (Some(region), None) => (address("sts", region), region.clone()),
        (None, None) => ("https://sts.amazonaws.com".to_owned(), "us-east-1".to_owned()),
    }
}

/// The address of a service in a region.
pub fn address(service: &str, region: &str) -> String {
    let end = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{end}")
}

fn seconds_of(date: &str) -> Option<i64> {
    OffsetDateTime::parse(date, &Rfc2822).ok().map(OffsetDateTime::unix_timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        assert_eq!(seconds_of("Sun, 30 Aug 2015 12:36:00 GMT"), Some(1_440_938_160));
        assert_eq!(seconds_of("yesterday"), None);
    }

    #[test]
    fn services_are_where_their_region_is() {
        assert_eq!(
            address("secretsmanager", "eu-west-1"),
            "https://secretsmanager.eu-west-1.amazonaws.com"
        );
        assert_eq!(address("sts", "cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
        let region =
            |region: &str| AwsOptions { region: Some(region.into()), ..AwsOptions::default() };
        assert_eq!(sts_of(&region("eu-west-1")).0, "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(sts_of(&AwsOptions::default()).1, "us-east-1");
    }
}

//! The file that describes rollouts, and what it comes to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Deserializer};

use super::arguments::ProviderName;
use crate::config::parse_duration;
use crate::rollout::aws::{AwsOptions, Group, Route};
use crate::rollout::local::{LocalOptions, NginxOptions, Place};
use crate::rollout::{Judgement, LagLimits, Plan, SlowLimits, Tolerance};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Where journals are kept.
    pub dir: PathBuf,
    /// Who runs jobs, if the new version itself does not.
    pub jobs_url: Option<String>,
    #[serde(default)]
    plan: PlanPart,
    #[serde(default)]
    judge: JudgePart,
    local: Option<LocalPart>,
    aws: Option<AwsPart>,
}

/// A duration with its unit.
#[derive(Debug, Clone, Copy)]
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("write a duration with its unit, as 10s or 5min");
        parse_duration(&text).map(Self).ok_or_else(wrong)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PlanPart {
    steps: Option<Vec<u8>>,
    least_duration: Option<Time>,
    least_requests: Option<u64>,
    step_deadline: Option<Time>,
    look_every: Option<Time>,
    ready_within: Option<Time>,
    drain_within: Option<Time>,
    rebuild_within: Option<Time>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JudgePart {
    alpha: Option<f64>,
    errors_odds: Option<f64>,
    errors_excess: Option<f64>,
    errors_alone: Option<f64>,
    refusals_odds: Option<f64>,
    refusals_excess: Option<f64>,
    slow_ratio: Option<f64>,
    slow_by: Option<Time>,
    slow_odds: Option<f64>,
    slow_share: Option<f64>,
    slow_alone: Option<f64>,
    lag_events: Option<u64>,
    lag_ratio: Option<f64>,
    lag_looks: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LocalPart {
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    nginx: NginxPart,
    #[serde(default)]
    place: Vec<PlacePart>,
    stop_within: Option<Time>,
    recover_within: Option<Time>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NginxPart {
    file: PathBuf,
    test: Option<Vec<String>>,
    reload: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlacePart {
    name: String,
    listen: String,
    admin: String,
    data_dir: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AwsPart {
    region: Option<String>,
    listener_arn: Option<String>,
    rule_arn: Option<String>,
    launch_template_id: String,
    admin_port: u16,
    tries: Option<u32>,
    first_wait: Option<Time>,
    #[serde(default)]
    group: Vec<GroupPart>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupPart {
    name: String,
    target_group_arn: String,
    auto_scaling_group: String,
}

/// The provider with what it needs to know.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Chosen {
    Local(LocalOptions),
    Aws(AwsOptions),
}

fn time(time: Option<Time>, default: Duration) -> Duration {
    time.map_or(default, |time| time.0)
}

fn command(command: Option<Vec<String>>, default: &[&str]) -> Vec<String> {
    command.unwrap_or_else(|| default.iter().map(|word| (*word).to_owned()).collect())
}

impl File {
    /// The plan, which can be gone through.
    pub fn plan(&self) -> Result<Plan> {
        let (part, usual) = (self.plan.clone(), Plan::default());
        let plan = Plan {
            percents: part.steps.unwrap_or(usual.percents),
            least_duration: time(part.least_duration, usual.least_duration),
            least_requests: part.least_requests.unwrap_or(usual.least_requests),
            step_deadline: time(part.step_deadline, usual.step_deadline),
            look_every: time(part.look_every, usual.look_every),
            ready_within: time(part.ready_within, usual.ready_within),
            drain_within: time(part.drain_within, usual.drain_within),
            rebuild_within: time(part.rebuild_within, usual.rebuild_within),
        };
        plan.check()?;
        Ok(plan)
    }

    /// What makes a version a worse one.
    pub fn judgement(&self) -> Result<Judgement> {
        let (part, usual) = (self.judge.clone(), Judgement::default());
        let slow_by_s = part.slow_by.map_or(usual.slow.by_s, |time| time.0.as_secs_f64());
        let tolerance = |odds: Option<f64>, excess: Option<f64>, usual: Tolerance| Tolerance {
            odds: odds.unwrap_or(usual.odds),
            excess: excess.unwrap_or(usual.excess),
        };
        let judgement = Judgement {
            alpha: part.alpha.unwrap_or(usual.alpha),
            errors: tolerance(part.errors_odds, part.errors_excess, usual.errors),
            refusals: tolerance(part.refusals_odds, part.refusals_excess, usual.refusals),
            slow: SlowLimits {
                ratio: part.slow_ratio.unwrap_or(usual.slow.ratio),
                by_s: slow_by_s,
                odds: part.slow_odds.unwrap_or(usual.slow.odds),
                share: part.slow_share.unwrap_or(usual.slow.share),
                alone: part.slow_alone.unwrap_or(usual.slow.alone),
            },
            lag: LagLimits {
                events: part.lag_events.unwrap_or(usual.lag.events),
                ratio: part.lag_ratio.unwrap_or(usual.lag.ratio),
                looks: part.lag_looks.unwrap_or(usual.lag.looks),
            },
            errors_alone: part.errors_alone.unwrap_or(usual.errors_alone),
        };
        if !(judgement.alpha > 0.0 && judgement.alpha < 0.5) {
            bail!(
                "judge.alpha is the probability of a false alarm: write one between 0 and 0.5, as 0.01"
            );
        }
        let odds = [judgement.errors.odds, judgement.refusals.odds, judgement.slow.odds];
        if odds.iter().any(|odds| !(*odds >= 1.0 && odds.is_finite())) {
            bail!(
                "judge.errors_odds, refusals_odds and slow_odds are at least 1, which is no worse at all"
            );
        }
        Ok(judgement)
    }

    /// The provider that was asked for, or the only one there is.
    pub fn provider(&self, asked: Option<ProviderName>) -> Result<(ProviderName, Chosen)> {
        let name = match (asked, &self.local, &self.aws) {
            (Some(name), ..) => name,
            (None, Some(_), None) => ProviderName::Local,
            (None, None, Some(_)) => ProviderName::Aws,
            (None, Some(_), Some(_)) => {
                bail!("the file has [local] and [aws]: say which with --provider")
            }
            (None, None, None) => {
                bail!("the file has neither [local] nor [aws], so nothing can run versions")
            }
        };
        let missing = || anyhow!("the file has no [{}]", name.name());
        let chosen = match name {
            ProviderName::Local => {
                Chosen::Local(self.local(self.local.clone().ok_or_else(missing)?)?)
            }
            ProviderName::Aws => Chosen::Aws(aws(self.aws.clone().ok_or_else(missing)?)?),
        };
        Ok((name, chosen))
    }

    fn local(&self, part: LocalPart) -> Result<LocalOptions> {
        let place = |place: PlacePart| Place {
            name: place.name,
            listen: place.listen,
            admin: place.admin,
            data_dir: place.data_dir,
        };
        let options = LocalOptions {
            dir: self.dir.clone(),
            command: part.command,
            env: part.env,
            places: part.place.into_iter().map(place).collect(),
            nginx: NginxOptions {
                file: part.nginx.file,
                test: command(part.nginx.test, &["nginx", "-t", "-q"]),
                reload: command(part.nginx.reload, &["nginx", "-s", "reload"]),
            },
            stop_within: time(part.stop_within, Duration::from_mins(1)),
            recover_within: time(part.recover_within, Duration::from_mins(5)),
        };
        options.check().map_err(|wrong| anyhow!(wrong))?;
        Ok(options)
    }
}

fn aws(part: AwsPart) -> Result<AwsOptions> {
    let route = match (part.listener_arn, part.rule_arn) {
        (Some(arn), None) => Route::Listener(arn),
        (None, Some(arn)) => Route::Rule(arn),
        _ => {
            bail!("[aws] has either listener_arn or rule_arn: what forwards to both target groups")
        }
    };
    let group = |group: GroupPart| Group {
        name: group.name,
        target_group_arn: group.target_group_arn,
        auto_scaling_group: group.auto_scaling_group,
    };
    let options = AwsOptions {
        region: part.region,
        route,
        launch_template_id: part.launch_template_id,
        groups: part.group.into_iter().map(group).collect(),
        admin_port: part.admin_port,
        tries: part.tries.unwrap_or(8),
        first_wait: time(part.first_wait, Duration::from_secs(1)),
    };
    options.check().map_err(|wrong| anyhow!(wrong))?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_other;

    const LOCAL: &str = r#"
dir = "/var/lib/weir/rollout"
[plan]
steps = [5, 100]
least_duration = "2min"
[judge]
alpha = 0.05
slow_by = "10ms"
[local]
command = ["gateway", "--config", "/etc/weir/weir.toml"]
nginx = { file = "/etc/nginx/conf.d/weir.conf" }
place = [
  { name = "blue", listen = "127.0.0.1:8180", admin = "127.0.0.1:8181", data_dir = "/var/lib/weir/blue" },
  { name = "green", listen = "127.0.0.1:8280", admin = "127.0.0.1:8281", data_dir = "/var/lib/weir/green" },
]
"#;

    const AWS: &str = r#"
[aws]
rule_arn = "arn:rule"
launch_template_id = "lt-1"
admin_port = 8081
[[aws.group]]
name = "blue"
target_group_arn = "arn:blue"
auto_scaling_group = "weir-blue"
[[aws.group]]
name = "green"
target_group_arn = "arn:green"
auto_scaling_group = "weir-green"
"#;

    fn read(text: &str) -> Result<File> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("rollout.toml");
        std::fs::write(&path, text)?;
        Ok(read_other(&path)?)
    }

    #[test]
    fn what_is_written_counts_and_the_rest_is_as_usual() {
        let file = read(LOCAL).unwrap();
        let plan = file.plan().unwrap();
        assert_eq!((plan.percents, plan.least_duration), (vec![5, 100], Duration::from_mins(2)));
        assert_eq!(plan.least_requests, Plan::default().least_requests);
        let judgement = file.judgement().unwrap();
        assert!(
            (judgement.alpha - 0.05).abs() < 1e-12 && (judgement.slow.by_s - 0.01).abs() < 1e-12
        );
        let (name, chosen) = file.provider(None).unwrap();
        let Chosen::Local(local) = chosen else { panic!("{chosen:?}") };
        assert_eq!((name, local.places.len()), (ProviderName::Local, 2));
        assert_eq!(local.nginx.reload, ["nginx", "-s", "reload"]);
    }

    #[test]
    fn either_provider_may_be_described_and_both_need_a_choice() {
        let aws = read(&format!("dir = \"d\"\n{AWS}")).unwrap();
        assert!(matches!(aws.provider(None).unwrap().1, Chosen::Aws(_)));
        assert!(aws.provider(Some(ProviderName::Local)).is_err());
        let both = read(&format!("{LOCAL}{AWS}")).unwrap();
        assert!(both.provider(None).unwrap_err().to_string().contains("--provider"));
        assert!(both.provider(Some(ProviderName::Aws)).is_ok());
        assert!(read("dir = \"d\"").unwrap().provider(None).is_err());
    }

    #[test]
    fn mistakes_are_told_with_their_key() {
        let told = |text: &str| match read(text) {
            Err(error) => error.to_string(),
            Ok(file) => {
                let error = file.plan().err().or_else(|| file.judgement().err());
                error.or_else(|| file.provider(None).err()).expect("a mistake").to_string()
            }
        };
        let long = told(&LOCAL.replace("\"2min\"", "2"));
        assert!(long.contains("plan.least_duration"), "{long}");
        assert!(told(&LOCAL.replace("[5, 100]", "[5, 50]")).contains("plan.steps"));
        assert!(told(&LOCAL.replace("alpha = 0.05", "alpha = 5")).contains("judge.alpha"));
        assert!(told(&LOCAL.replace("alpha", "alhpa")).contains("alhpa"));
        assert!(told(&LOCAL.replace("8280", "8180")).contains("addresses"));
    }
}

//! The provider for AWS: a target group and an Auto Scaling group a version, weights of a forward action between.
//!
//! Nothing is remembered here: which group is live is told by the weights, what runs in it by its launch template.
//! It was tested against a recorded stand-in for the command line, and never met a real account.

use async_trait::async_trait;
use serde_json::json;

use super::answers::{Refreshes, Reservations, Routes, ScalingGroup, ScalingGroups, TargetsHealth};
use super::cli::Cli;
use super::options::{AwsOptions, Group, Route};
use crate::rollout::provider::{Provider, ProviderError, Sides, Up};

/// Runs versions as instances of two Auto Scaling groups.
pub struct Aws {
    options: AwsOptions,
    cli: Cli,
}

impl Aws {
    pub fn new(options: AwsOptions, cli: Cli) -> Self {
        Self { options, cli }
    }

    fn group(&self, name: &str) -> Result<&Group, ProviderError> {
        let unknown = || {
            ProviderError::last(format!("there is no group {name} in [aws]: has the file changed?"))
        };
        self.options.group(name).ok_or_else(unknown)
    }

    /// The weights of both groups, in their order.
    async fn weights(&self) -> Result<Vec<u32>, ProviderError> {
        let routes: Routes = match &self.options.route {
            Route::Listener(arn) => {
                self.cli.call(&["elbv2", "describe-listeners", "--listener-arns", arn]).await?
            }
            Route::Rule(arn) => {
                self.cli.call(&["elbv2", "describe-rules", "--rule-arns", arn]).await?
            }
        };
        let actions = routes.rules.iter().flat_map(|rule| &rule.actions);
        let forward = actions
            .filter(|action| action.r#type == "forward")
            .find_map(|action| action.forward_config.as_ref())
            .ok_or_else(|| {
                ProviderError::last(
                    "the listener or rule of [aws] has no forward action with target groups: make one \
                     that names both, with weights",
                )
            })?;
        let weight = |group: &Group| {
            let same = |arn: &str| arn == group.target_group_arn;
            let found = forward.target_groups.iter().find(|weight| same(&weight.target_group_arn));
            found.map_or(0, |weight| weight.weight)
        };
        Ok(self.options.groups.iter().map(weight).collect())
    }

    async fn scaling(&self, group: &Group) -> Result<ScalingGroup, ProviderError> {
        let name = &*group.auto_scaling_group;
        let call =
            ["autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names", name];
        let groups: ScalingGroups = self.cli.call(&call).await?;
        let unknown = || ProviderError::last(format!("there is no Auto Scaling group {name}"));
        groups.auto_scaling_groups.into_iter().next().ok_or_else(unknown)
    }

    /// What the newest instance refresh of a group waits for; none if none is under way.
    async fn refreshing(&self, group: &Group) -> Result<Option<String>, ProviderError> {
        let name = &*group.auto_scaling_group;
        let call = [
            "autoscaling",
            "describe-instance-refreshes",
            "--auto-scaling-group-name",
            name,
            "--max-records",
            "1",
        ];
        let refreshes: Refreshes = self.cli.call(&call).await?;
        let newest = refreshes.instance_refreshes.into_iter().next();
        Ok(newest.filter(super::answers::Refresh::is_active).map(|refresh| {
            let reason = refresh.status_reason.unwrap_or_default();
            format!("the instance refresh of {name} is {} {reason}", refresh.status)
        }))
    }

    /// Has a group be as large as wanted, of a version of the template.
    async fn resize(
        &self,
        group: &Group,
        template: Option<&str>,
        (min, max, desired): (u32, u32, u32),
    ) -> Result<(), ProviderError> {
        let (min, max, desired) = (min.to_string(), max.to_string(), desired.to_string());
        let mut call = vec![
            "autoscaling",
            "update-auto-scaling-group",
            "--auto-scaling-group-name",
            &group.auto_scaling_group,
        ];
        let template = template.map(|version| {
            format!("LaunchTemplateId={},Version={version}", self.options.launch_template_id)
        });
        if let Some(template) = &template {
            call.extend(["--launch-template", template]);
        }
        call.extend(["--min-size", &min, "--max-size", &max, "--desired-capacity", &desired]);
        self.cli.tell(&call).await
    }

    /// What of a group is not as a version that takes requests is; none if all is.
    async fn lacks(
        &self,
        group: &Group,
        scaling: &ScalingGroup,
    ) -> Result<Option<String>, ProviderError> {
        let name = &group.auto_scaling_group;
        let version = scaling.launch_template.as_ref().map_or("", |template| &template.version);
        if scaling.has_others_than(version)
            && let Some(refreshing) = self.refreshing(group).await?
        {
            return Ok(Some(refreshing));
        }
        let serves = |state: &str| state == "InService";
        let in_service =
            scaling.instances.iter().filter(|instance| serves(&instance.lifecycle_state)).count();
        if in_service < scaling.desired_capacity as usize || scaling.has_others_than(version) {
            let wanted = scaling.desired_capacity;
            return Ok(Some(format!(
                "{in_service} of {wanted} instances of {name} are in service"
            )));
        }
        let arn = &*group.target_group_arn;
        let health: TargetsHealth =
            self.cli.call(&["elbv2", "describe-target-health", "--target-group-arn", arn]).await?;
        let targets = health.target_health_descriptions;
        let ill = targets.iter().find(|target| target.target_health.state != "healthy");
        if let Some(ill) = ill {
            let why = ill.target_health.description.as_deref().unwrap_or_default();
            let state = &ill.target_health.state;
            return Ok(Some(format!("the target {} is {state} {why}", ill.target.id)));
        }
        if targets.len() < in_service {
            return Ok(Some(format!("{} of {in_service} instances are targets", targets.len())));
        }
        Ok(None)
    }

    async fn addresses(&self, scaling: &ScalingGroup) -> Result<Vec<String>, ProviderError> {
        let mut call = vec!["ec2", "describe-instances", "--instance-ids"];
        call.extend(scaling.instances.iter().map(|instance| &*instance.instance_id));
        let found: Reservations = self.cli.call(&call).await?;
        let instances = found.reservations.into_iter().flat_map(|found| found.instances);
        let port = self.options.admin_port;
        let addresses = instances
            .filter_map(|instance| instance.private_ip_address)
            .map(|address| format!("http://{address}:{port}"));
        Ok(addresses.collect())
    }

    /// The group that is not of this name.
    fn other(&self, name: &str) -> Result<&Group, ProviderError> {
        let other = self.options.groups.iter().find(|group| group.name != name);
        other.ok_or_else(|| ProviderError::last("[aws] has one group alone"))
    }
}

#[async_trait]
impl Provider for Aws {
    async fn sides(&self) -> Result<Sides, ProviderError> {
        let weights = self.weights().await?;
        let [first, second] = &*weights else {
            return Err(ProviderError::last("[aws] must have two groups"));
        };
        let live = match first.cmp(second) {
            std::cmp::Ordering::Greater => &self.options.groups[0],
            std::cmp::Ordering::Less => &self.options.groups[1],
            std::cmp::Ordering::Equal => {
                return Err(ProviderError::last(
                    "both target groups have the same weight, so none is live: give the live one 100 and the other 0",
                ));
            }
        };
        let next = self.other(&live.name)?;
        Ok(Sides { live: Some(live.name.clone()), next: next.name.clone() })
    }

    async fn start(&self, sides: &Sides, to: &str) -> Result<(), ProviderError> {
        let group = self.group(&sides.next)?;
        let scaling = self.scaling(group).await?;
        let wanted = match &sides.live {
            Some(live) => {
                let live = self.scaling(self.group(live)?).await?;
                (live.min_size, live.max_size, live.desired_capacity.max(1))
            }
            None => (scaling.min_size, scaling.max_size, scaling.desired_capacity.max(1)),
        };
        if !scaling.is_of(to) || scaling.desired_capacity != wanted.2 {
            self.resize(group, Some(to), wanted).await?;
        }
        // What is left there of an earlier rollout is replaced; nobody sends it requests.
        if scaling.has_others_than(to) && self.refreshing(group).await?.is_none() {
            let call = [
                "autoscaling",
                "start-instance-refresh",
                "--auto-scaling-group-name",
                &group.auto_scaling_group,
                "--strategy",
                "Rolling",
                "--preferences",
                "MinHealthyPercentage=0",
            ];
            self.cli.tell(&call).await?;
        }
        Ok(())
    }

    async fn up(&self, place: &str) -> Result<Up, ProviderError> {
        let group = self.group(place)?;
        let scaling = self.scaling(group).await?;
        if scaling.desired_capacity == 0 {
            return Ok(Up::Gone(format!("{} has no instances", group.auto_scaling_group)));
        }
        Ok(match self.lacks(group, &scaling).await? {
            Some(lacks) => Up::NotYet(lacks),
            None => Up::Answers(self.addresses(&scaling).await?),
        })
    }

    async fn split(&self, sides: &Sides, percent: u8) -> Result<(), ProviderError> {
        let to = self.group(&sides.next)?;
        let rest = self.other(&to.name)?;
        let weight = |group: &Group, weight: u8| json!({"TargetGroupArn": group.target_group_arn, "Weight": weight});
        let groups = [weight(to, percent), weight(rest, 100 - percent)];
        let actions = json!([{
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": groups,
                // One client's requests are split too, so that both versions get the same mixture.
                "TargetGroupStickinessConfig": {"Enabled": false},
            },
        }])
        .to_string();
        match &self.options.route {
            Route::Listener(arn) => {
                let call = [
                    "elbv2",
                    "modify-listener",
                    "--listener-arn",
                    arn,
                    "--default-actions",
                    &actions,
                ];
                self.cli.tell(&call).await
            }
            Route::Rule(arn) => {
                let call = ["elbv2", "modify-rule", "--rule-arn", arn, "--actions", &actions];
                self.cli.tell(&call).await
            }
        }
    }

    async fn settle(&self, _: &Sides, _: &str) -> Result<(), ProviderError> {
        // The weights tell it.
        Ok(())
    }

    async fn stop(&self, place: &str, _: Option<&str>, drained: bool) -> Result<(), ProviderError> {
        let group = self.group(place)?;
        let scaling = self.scaling(group).await?;
        if scaling.desired_capacity == 0 && scaling.min_size == 0 {
            return Ok(());
        }
        if !drained {
            return Err(ProviderError::passing(format!(
                "{} may have events on its disks that are not in the stream, so it keeps its instances: look at \
                 weir_relay_lag_events of each, and at their way to NATS",
                group.auto_scaling_group
            )));
        }
        self.resize(group, None, (0, scaling.max_size, 0)).await
    }
}

//! What is read of the answers of the AWS command line; everything else in them is passed over. Pure.

use serde::Deserialize;

/// Of `elbv2 describe-rules` and `describe-listeners`: the actions of the one that was asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Routes {
    #[serde(default, alias = "Listeners")]
    pub rules: Vec<RouteActions>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RouteActions {
    #[serde(default, alias = "DefaultActions")]
    pub actions: Vec<Action>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Action {
    #[serde(default)]
    pub r#type: String,
    pub forward_config: Option<ForwardConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForwardConfig {
    #[serde(default)]
    pub target_groups: Vec<Weight>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Weight {
    pub target_group_arn: String,
    /// Absent where there is one target group alone.
    #[serde(default = "whole")]
    pub weight: u32,
}

fn whole() -> u32 {
    1
}

/// Of `elbv2 describe-target-health`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetsHealth {
    #[serde(default)]
    pub target_health_descriptions: Vec<TargetHealthDescription>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetHealthDescription {
    pub target: Target,
    pub target_health: TargetHealth,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Target {
    pub id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetHealth {
    pub state: String,
    #[serde(default)]
    pub description: Option<String>,
}

/// Of `autoscaling describe-auto-scaling-groups`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ScalingGroups {
    #[serde(default)]
    pub auto_scaling_groups: Vec<ScalingGroup>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ScalingGroup {
    pub min_size: u32,
    pub max_size: u32,
    pub desired_capacity: u32,
    pub launch_template: Option<TemplateVersion>,
    #[serde(default)]
    pub instances: Vec<GroupInstance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemplateVersion {
    pub version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupInstance {
    pub instance_id: String,
    pub lifecycle_state: String,
    pub launch_template: Option<TemplateVersion>,
}

impl ScalingGroup {
    /// Whether its instances are made from this version of the template.
    pub fn is_of(&self, version: &str) -> bool {
        self.launch_template.as_ref().is_some_and(|template| template.version == version)
    }

    /// Whether an instance is left that another version made.
    pub fn has_others_than(&self, version: &str) -> bool {
        let of = |instance: &GroupInstance| {
            instance.launch_template.as_ref().is_some_and(|template| template.version == version)
        };
        self.instances.iter().any(|instance| !of(instance))
    }
}

/// Of `autoscaling describe-instance-refreshes`, the newest first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Refreshes {
    #[serde(default)]
    pub instance_refreshes: Vec<Refresh>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Refresh {
    pub status: String,
    #[serde(default)]
    pub status_reason: Option<String>,
}

impl Refresh {
    /// Whether it has still something to do.
    pub fn is_active(&self) -> bool {
        let over = ["Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"];
        !over.contains(&&*self.status)
    }
}

/// Of `ec2 describe-instances`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Reservations {
    #[serde(default)]
    pub reservations: Vec<Reservation>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Reservation {
    #[serde(default)]
    pub instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Instance {
    pub private_ip_address: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_and_a_listener_tell_their_weights_alike() {
        let forward = r#"[{"Type":"forward","ForwardConfig":{"TargetGroups":[
            {"TargetGroupArn":"tg-1","Weight":90},{"TargetGroupArn":"tg-2","Weight":10}],
            "TargetGroupStickinessConfig":{"Enabled":false}}}]"#;
        let rule = format!(r#"{{"Rules":[{{"RuleArn":"r","Actions":{forward}}}]}}"#);
        let listener =
            format!(r#"{{"Listeners":[{{"ListenerArn":"l","DefaultActions":{forward}}}]}}"#);
        for text in [rule, listener] {
            let routes: Routes = serde_json::from_str(&text).unwrap();
            let forward = routes.rules[0].actions[0].forward_config.as_ref().unwrap();
            let weights: Vec<u32> =
                forward.target_groups.iter().map(|group| group.weight).collect();
            assert_eq!(weights, [90, 10]);
        }
    }

    #[test]
    fn a_refresh_is_over_or_goes_on() {
        let of = |status: &str| Refresh { status: status.into(), status_reason: None }.is_active();
        assert!(["Pending", "InProgress", "Cancelling", "Baking"].into_iter().all(of));
        assert!(!["Successful", "Failed", "Cancelled"].into_iter().any(of));
    }
}

//! What the AWS provider needs to know. Pure.

use std::time::Duration;

/// Where versions run, and what splits the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsOptions {
    /// The command line's own choice if it is absent.
    pub region: Option<String>,
    /// What forwards to both target groups by weights.
    pub route: Route,
    pub launch_template_id: String,
    pub groups: Vec<Group>,
    /// Where instances serve operators, over their private addresses.
    pub admin_port: u16,
    /// Tries of a call that is throttled, and the wait after the first, which doubles.
    pub tries: u32,
    pub first_wait: Duration,
}

/// What forwards to both target groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The default actions of a listener.
    Listener(String),
    /// The actions of a rule.
    Rule(String),
}

/// One of two groups of instances that versions take turns in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub target_group_arn: String,
    pub auto_scaling_group: String,
}

impl AwsOptions {
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let [one, other] = &*self.groups else {
            return Err(
                "[[aws.group]] must be there twice: versions take turns in two groups".into()
            );
        };
        if one.name == other.name
            || one.target_group_arn == other.target_group_arn
            || one.auto_scaling_group == other.auto_scaling_group
        {
            return Err("both groups of [aws] must have names, target groups and Auto Scaling groups of their own".into());
        }
        if self.tries == 0 { Err("aws.tries is 0: no call would be made".into()) } else { Ok(()) }
    }

    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }
}

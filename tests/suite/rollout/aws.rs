//! Groups behind a load balancer of AWS, as a strict stand-in for its command line has them. No real account was met.

use serde_json::json;

use crate::support::aws_cli::{AwsAccount, Behaviour};

const WELL: Behaviour = Behaviour { failing: 0, behind: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_of_the_launch_template_gets_all_of_the_weight() {
    let account = AwsAccount::start(WELL).await;
    account.change(|state| state["throttled"] = 3.into());
    let (status, told) = account.run(&["start", "--to", "2"]).await;
    assert_eq!(status.code(), Some(0), "{told}");
    let state = account.state();
    assert_eq!(state["weights"], json!({"arn:tg/blue": 0, "arn:tg/green": 100}));
    let [blue, green] = ["weir-blue", "weir-green"].map(|name| &state["groups"][name]);
    assert_eq!((&blue["desired"], &green["desired"]), (&json!(0), &json!(1)));
    assert_eq!((&green["version"], &green["min"]), (&json!("2"), &json!(1)));
    insta::assert_snapshot!(account.changes().join("\n"), @r#"
    autoscaling update-auto-scaling-group --auto-scaling-group-name weir-green --launch-template LaunchTemplateId=lt-0123,Version=2 --min-size 1 --max-size 4 --desired-capacity 1
    elbv2 modify-rule --rule-arn arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/weir/1/2/3 --actions [{"ForwardConfig":{"TargetGroupStickinessConfig":{"Enabled":false},"TargetGroups":[{"TargetGroupArn":"arn:tg/green","Weight":10},{"TargetGroupArn":"arn:tg/blue","Weight":90}]},"Type":"forward"}]
    elbv2 modify-rule --rule-arn arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/weir/1/2/3 --actions [{"ForwardConfig":{"TargetGroupStickinessConfig":{"Enabled":false},"TargetGroups":[{"TargetGroupArn":"arn:tg/green","Weight":50},{"TargetGroupArn":"arn:tg/blue","Weight":50}]},"Type":"forward"}]
    elbv2 modify-rule --rule-arn arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/weir/1/2/3 --actions [{"ForwardConfig":{"TargetGroupStickinessConfig":{"Enabled":false},"TargetGroups":[{"TargetGroupArn":"arn:tg/green","Weight":100},{"TargetGroupArn":"arn:tg/blue","Weight":0}]},"Type":"forward"}]
    autoscaling update-auto-scaling-group --auto-scaling-group-name weir-blue --min-size 0 --max-size 4 --desired-capacity 0
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_version_goes_back_and_its_group_is_emptied() {
    let account = AwsAccount::start(Behaviour { failing: 20, ..WELL }).await;
    let (status, told) = account.run(&["start", "--to", "2"]).await;
    assert_eq!(status.code(), Some(3), "{told}");
    assert!(told.contains("20.00 % of its answers are errors"), "{told}");
    let state = account.state();
    assert_eq!(state["weights"], json!({"arn:tg/blue": 100, "arn:tg/green": 0}));
    let desired = ["weir-blue", "weir-green"].map(|name| &state["groups"][name]["desired"]);
    assert_eq!(desired, [&json!(1), &json!(0)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn instances_that_have_not_published_everything_are_kept() {
    let account = AwsAccount::start(Behaviour { behind: 500, ..WELL }).await;
    let (status, told) = account.run(&["start", "--to", "2"]).await;
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("keeps its instances") && told.contains("weir rollout resume"), "{told}");
    let state = account.state();
    // They have no traffic, and what is on their disks is not thrown away.
    assert_eq!(state["weights"], json!({"arn:tg/blue": 100, "arn:tg/green": 0}));
    assert_eq!(state["groups"]["weir-green"]["desired"], 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn after_a_crash_nothing_is_done_twice_and_leftovers_are_refreshed() {
    let account = AwsAccount::start(WELL).await;
    // An earlier rollout left an instance of another version there.
    account.change(|state| {
        let green = &mut state["groups"]["weir-green"];
        (green["desired"], green["min"]) = (1.into(), 1.into());
        green["instances"] = json!([{"id": "i-9999", "version": "1", "age": 9}]);
    });
    let started = |state: &serde_json::Value| state["groups"]["weir-green"]["version"] == "2";
    account.run_until(&["start", "--to", "2"], started).await;
    let halfway = |state: &serde_json::Value| state["weights"]["arn:tg/green"] == 50;
    account.run_until(&["resume"], halfway).await;
    let (status, told) = account.run(&["resume"]).await;
    assert_eq!(status.code(), Some(0), "{told}");
    let changes = account.changes();
    let count = |part: &str| changes.iter().filter(|change| change.contains(part)).count();
    assert_eq!(count("start-instance-refresh"), 1, "{changes:#?}");
    assert_eq!(count("update-auto-scaling-group --auto-scaling-group-name weir-green"), 1);
    let green = account.state()["groups"]["weir-green"].clone();
    assert_eq!((&green["version"], &green["instances"][0]["version"]), (&json!("2"), &json!("2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_line_refuses_is_told_in_its_words() {
    let account = AwsAccount::start(WELL).await;
    account.change(|state| state["weights"] = json!({"arn:tg/blue": 50, "arn:tg/green": 50}));
    let (status, told) = account.run(&["plan"]).await;
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("none is live: give the live one 100"), "{told}");
    account.change(|state| state["throttled"] = 99.into());
    let (status, told) = account.run(&["plan"]).await;
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("elbv2 describe-rules") && told.contains("Rate exceeded"), "{told}");
}

//! From AWS Secrets Manager: where keys come from, signatures to the byte, and its errors.

use serde_json::json;

use super::keeper::{Ended, Site, keeps_silent, times};
use crate::support::aws::{Aws, key};

const SECRET: &str = "4rango-of-aws";

fn aws() -> Aws {
    let aws = Aws::start();
    aws.keep("weir/arango", &json!({ "username": "weir", "password": SECRET }).to_string());
    aws
}

fn site(aws: &Aws, more: &str) -> Site {
    let url = aws.url();
    Site::new(&format!(
        "[aws]\nendpoint = \"{url}\"\nimds_url = \"{url}\"\nsts_url = \"{url}\"\n{more}\n\
         [secrets.\"arango.password\"]\nfrom = \"aws\"\nid = \"weir/arango\"\nfield = \"password\"\n"
    ))
}

#[track_caller]
fn is_fetched(site: &Site, ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(site.value("arango.password").as_deref(), Some(SECRET));
    keeps_silent(&ended.said, &[SECRET, "secret-key-of", "session-token", "imds-token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_fetches_by_its_role_and_in_its_region() {
    let aws = aws();
    let site = site(&aws, "");
    is_fetched(&site, &site.fetch("20s").await);
    let state = aws.set();
    assert_eq!((state.asked, state.given), (1, 1));
    drop(state);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_the_environment_a_container_or_a_web_identity() {
    let aws = aws();
    let (url, known) = (aws.url(), key("first"));
    let region = "region = \"eu-central-1\"";
    let of_environment = site(&aws, region)
        .variable("AWS_ACCESS_KEY_ID", &known.id)
        .variable("AWS_SECRET_ACCESS_KEY", &known.secret)
        .variable("AWS_SESSION_TOKEN", known.token.as_deref().expect("one"));
    is_fetched(&of_environment, &of_environment.fetch("20s").await);
    let token = aws.set().container_token.clone();
    let of_container = site(&aws, "")
        .variable("AWS_REGION", "eu-central-1")
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{url}/container"))
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", &token);
    is_fetched(&of_container, &of_container.fetch("20s").await);
    let of_web = site(&aws, region);
    let file = of_web.write("identity", &aws.set().web_identity.clone());
    let of_web = of_web
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().expect("text"))
        .variable("AWS_ROLE_ARN", "arn:aws:iam::1:role/weir");
    is_fetched(&of_web, &of_web.fetch("20s").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_follows_that_of_aws() {
    for ahead in [7_200, -7_200] {
        let aws = aws();
        aws.set().ahead = ahead;
        let site = site(&aws, "");
        let ended = site.fetch("20s").await;
        is_fetched(&site, &ended);
        assert_eq!(aws.set().asked, 2, "once more by its time");
        assert_eq!(times(&ended.said, "set the machine's clock"), 1, "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_have_expired_are_replaced_by_newer_ones() {
    let aws = aws();
    let site = site(&aws, "");
    {
        let mut state = aws.set();
        state.keys.push(key("second"));
        state
            .errors
            .push((400, json!({ "__type": "ExpiredTokenException", "message": "is expired" })));
    }
    // The same keys again are no help: that is told, and tried again.
    let ended = site.fetch("20s").await;
    is_fetched(&site, &ended);
    assert!(ended.said.contains("the keys for AWS have expired"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_is_told_once_with_what_to_do() {
    type Make = fn(&Aws);
    let wrong_key = |aws: &Aws| {
        let mut state = aws.set();
        state.keys[0].secret = "another".into();
    };
    let cases: [(Make, &str, &str); 5] = [
        (|aws| aws.set().denied.push("weir/arango".into()), "", "secretsmanager:GetSecretValue"),
        (|aws| aws.set().secrets.clear(), "", "AWS has no such secret"),
        (|aws| aws.keep("weir/arango", "no json"), "", "it is no JSON"),
        (|_| {}, "region = \"us-east-1\"", "another region than aws.region"),
        (
            |aws| {
                let slow = json!({ "__type": "ThrottlingException", "message": "Rate exceeded" });
                aws.set().errors = vec![(400, slow); 100];
            },
            "",
            "AWS asks for fewer requests",
        ),
    ];
    let cases = cases.map(async |(make, more, told)| {
        let aws = aws();
        make(&aws);
        let site = site(&aws, more);
        let ended = site.fetch("3s").await;
        assert_eq!(ended.code, Some(1), "{told}: {ended:?}");
        let lines = ended.said.lines().filter(|line| line.contains("ERROR") && line.contains(told));
        assert_eq!(lines.count(), 1, "{told}: {ended:?}");
        keeps_silent(&ended.said, &[SECRET, "secret-key-of", "session-token"]);
    });
    futures_util::future::join_all(cases).await;

    let aws = aws();
    let known = key("first");
    wrong_key(&aws);
    let site = site(&aws, "region = \"eu-central-1\"")
        .variable("AWS_ACCESS_KEY_ID", &known.id)
        .variable("AWS_SECRET_ACCESS_KEY", &known.secret)
        .variable("AWS_SESSION_TOKEN", known.token.as_deref().expect("one"));
    let ended = site.fetch("3s").await;
    assert!(ended.said.contains("AWS refuses the signature"), "{ended:?}");
    keeps_silent(&ended.said, &[&known.secret]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_metadata_says_what_is_missing() {
    let site = Site::new(
        "[aws]\nregion = \"eu-central-1\"\nimds_url = \"http://127.0.0.1:9\"\n\
         [secrets.\"arango.password\"]\nfrom = \"aws\"\nid = \"x\"\n",
    );
    let ended = site.fetch("2s").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("no keys for AWS: the machine's metadata (IMDS)"), "{ended:?}");
}

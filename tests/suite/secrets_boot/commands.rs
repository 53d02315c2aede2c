//! The commands as they are typed: what is checked, what is refused, and that a set is whole or not there.

use std::path::Path;

use serde_json::Value;

use super::keeper::{Site, keeps_silent};
use crate::support::weir::command;

fn said(arguments: &[&str]) -> (Option<i32>, String) {
    let output = command().args(arguments).output().expect("weir runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_a_plan_that_check_understands() {
    let (code, example) = said(&["secrets", "example"]);
    assert_eq!(code, Some(0));
    let site = Site::new(&example);
    let checked = site.run("check", &["--json"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let told: Value = serde_json::from_str(&checked.said).expect("JSON");
    assert_eq!(
        (told["valid"].as_bool(), told["secrets"].as_array().map(Vec::len)),
        (Some(true), Some(4))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_plan_is_refused_without_being_shown() {
    let site = Site::new("[secrets]\n\"nats.password\" = \"hunter2\"\n");
    for verb in ["check", "fetch", "follow"] {
        let ended = site.run(verb, &[]).await;
        assert_eq!(ended.code, Some(2), "{verb}: {ended:?}");
        assert!(ended.said.contains("does not belong into this file"), "{verb}: {ended:?}");
        keeps_silent(&ended.said, &["hunter2"]);
    }
    let ended = site.run("check", &["--json"]).await;
    let told: Value = serde_json::from_str(&ended.said).expect("JSON");
    assert_eq!((ended.code, told["valid"].as_bool()), (Some(2), Some(false)));
    let (code, missing) = said(&["secrets", "check", "--config", "/nowhere/plan.toml"]);
    assert!(code == Some(2) && missing.contains("weir secrets example"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_credentials_are_fetched_as_one_set_or_not_at_all() {
    let site = Site::new("");
    let token = site.path("token");
    site.write(
        "plan.toml",
        &format!(
            "[secrets.\"admin.token\"]\nfrom = \"file\"\npath = \"{}\"\n\
             [secrets.\"shop.api-key\"]\nfrom = \"systemd\"\ncredential = \"api-key\"\n",
            token.display()
        ),
    );
    site.write("api-key", "k3y-of-shop\n");
    let none = site.fetch("2s").await;
    assert!(
        none.said.contains("LoadCredential=") && none.said.contains("cannot be read"),
        "{none:?}"
    );
    let folder = site.folder.path().to_str().expect("text").to_owned();
    let site = site.variable("CREDENTIALS_DIRECTORY", &folder);
    let half = site.fetch("2s").await;
    assert_eq!(half.code, Some(1), "{half:?}");
    assert!(half.said.contains("admin.token: the secret file"), "{half:?}");
    assert_eq!(site.value("shop.api-key"), None, "all or nothing");
    let mut keeper = site.start("fetch");
    keeper.says("cannot be read").await;
    site.write("token", "t0ken\n");
    assert_eq!(keeper.ended().await.code, Some(0));
    assert_eq!(site.value("admin.token").as_deref(), Some("t0ken"));
    assert_eq!(site.value("shop.api-key").as_deref(), Some("k3y-of-shop"));
    keeps_silent(&half.said, &["k3y-of-shop"]);
    keeps_silent(&keeper.log(), &["k3y-of-shop", "t0ken"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_on_a_disk_is_refused() {
    let here = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::tempdir_in(here).expect("a folder");
    if rustix::fs::statfs(folder.path()).expect("it is there").f_type == 0x0102_1994 {
        eprintln!("skipped: the target directory lies in memory");
        return;
    }
    let plan = folder.path().join("plan.toml");
    std::fs::write(&plan, "[secrets.x]\nfrom = \"file\"\npath = \"/x\"\n").expect("it is written");
    let (plan, to) = (plan.to_str().expect("text"), folder.path().to_str().expect("text"));
    let (code, said) = said(&["secrets", "fetch", "--config", plan, "--to", to]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is on a disk") && said.contains("--allow-disk"), "{said}");
}

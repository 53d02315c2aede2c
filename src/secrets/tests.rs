//! How a plan is read, and what is told of mistakes in it.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{EXAMPLE, KeysFrom, Place, Plan, VaultAuth, read_plan};
use crate::secret::SecretSource;

fn read(text: &str) -> Result<Plan, String> {
    read_plan(text, "secrets.toml", None).map_err(|problems| problems.to_string())
}

const VAULT: &str = "[vault]\naddress = \"https://v:8200/\"\nauth = \"approle\"\nrole_id = \"r\"\n\
                     secret_id_file = \"/s\"\n";

#[test]
fn the_example_is_a_plan_of_every_provider() {
    let plan = read(EXAMPLE).expect("the example is right");
    let from: Vec<&str> = plan.secrets.iter().map(|wanted| wanted.place.provider()).collect();
    assert_eq!(from, ["file", "aws", "vault", "systemd"]);
    let names: Vec<&str> = plan.secrets.iter().map(|wanted| wanted.name.as_str()).collect();
    assert_eq!(names, ["admin.token", "arango.password", "nats.password", "privacy.hash_key"]);
    assert_eq!(plan.every, Duration::from_mins(5));
    assert_eq!(plan.aws.region.as_deref(), Some("eu-central-1"));
    let auth = plan.vault.expect("it has one").auth;
    assert!(matches!(auth, VaultAuth::AppRole { mount, .. } if mount == "approle"));
}

#[test]
fn names_may_be_quoted_or_nested_and_defaults_are_filled_in() {
    let text = format!(
        "{VAULT}[aws]\ncredentials = \"imds\"\n[secrets.nats.password]\nfrom = \"vault\"\npath = \"/a/b\"\nfield = \"f\"\n\
         [secrets.\"shop.key\"]\nfrom = \"aws\"\nid = \"x\"\n"
    );
    let plan = read(&text).expect("a plan");
    let vault = plan.vault.expect("it has one");
    assert_eq!(vault.address, "https://v:8200");
    assert_eq!(plan.aws.keys_from, KeysFrom::Imds);
    assert_eq!(plan.secrets[0].name, "nats.password");
    let (mount, path, field) = ("secret".to_owned(), "a/b".to_owned(), "f".to_owned());
    assert_eq!(plan.secrets[0].place, Place::Vault { mount, path, field, version: None });
    assert!(matches!(&plan.secrets[1].place, Place::Aws { stage, .. } if stage == "AWSCURRENT"));
}

#[test]
fn a_secret_id_may_be_a_credential_of_the_unit() {
    let text = VAULT.replace("secret_id_file = \"/s\"", "secret_id_credential = \"id\"")
        + "[secrets.x]\nfrom = \"file\"\npath = \"/x\"\n";
    let plan = read_plan(&text, "f", Some(Path::new("/run/credentials/u"))).expect("a plan");
    let VaultAuth::AppRole { secret_id, .. } = plan.vault.expect("it has one").auth else {
        panic!()
    };
    assert_eq!(secret_id, SecretSource::File("/run/credentials/u/id".into()));
    assert!(read(&text).expect_err("systemd gives none").contains("LoadCredential"));
}

#[test]
fn every_mistake_is_told_with_what_to_write_and_no_secret_is_shown() {
    for (text, told) in [
        ("[secrets", "not TOML in line 1"),
        ("every = \"5 minutes\"\n", "every (secrets.toml) is no duration"),
        ("secret = 1\n", "secret (secrets.toml) is not a key"),
        ("every = \"5min\"\n", "names none"),
        ("[secrets]\n\"nats.password\" = \"hunter2\"\n", "does not belong into this file"),
        ("[secrets.nats]\npassword = \"hunter2\"\n", "does not say where it comes from"),
        (
            "[secrets.x]\nfrom = \"file\"\nvalue = \"hunter2\"\npath = \"/x\"\n",
            "name the place where it is kept",
        ),
        ("[secrets.x]\nfrom = \"hunter2\"\n", "is no provider"),
        ("[secrets.x]\nfrom = \"file\"\npath = \"x\"\n", "begin it with /"),
        ("[secrets.x]\nfrom = \"aws\"\n", "id (secrets.toml) is missing"),
        (
            "[secrets.x]\nfrom = \"systemd\"\ncredential = \"../etc/shadow\"\n",
            "no name of a credential",
        ),
        (
            "[secrets.\"nats.pasword\"]\nfrom = \"aws\"\nid = \"x\"\n",
            "did you mean \"nats.password\"?",
        ),
        ("[secrets.\"../x\"]\nfrom = \"aws\"\nid = \"x\"\n", "makes no file"),
        ("[secrets.\"X y\"]\nfrom = \"aws\"\nid = \"x\"\n", "makes no file"),
        (
            "[secrets.x]\nfrom = \"vault\"\npath = \"a\"\nfield = \"f\"\n",
            "vault (secrets.toml) is missing",
        ),
        (
            "[secrets.x]\nfrom = \"vault\"\npath = \"a\"\nfield = \"f\"\nversion = 0\n",
            "whole number from 1",
        ),
        ("[vault]\naddress = \"https://root:hunter2@v\"\nauth = \"approle\"\n", "without a user"),
        ("[vault]\naddress = \"https://v\"\nauth = \"token\"\n", "\"approle\" or \"aws\""),
        (
            "[vault]\naddress = \"https://v\"\nauth = \"approle\"\nrole_id = \"r\"\nsecret_id = \"hunter2\"\n",
            "does not belong into this file",
        ),
        (
            "[vault]\naddress = \"https://v\"\nauth = \"aws\"\nrole = \"r\"\nrole_id = \"r\"\n",
            "belongs to auth = \"approle\"",
        ),
        ("[aws]\nregion = \"eu central\"\n", "eu-central-1"),
        ("[aws]\ncredentials = \"mine\"\n", "web_identity"),
        ("[aws]\nsecret_access_key = \"hunter2\"\n", "name the place where it is kept"),
        ("[aws]\nregoin = \"x\"\n", "did you mean \"region\"?"),
        ("aws = \"hunter2\"\n", "write its keys under [aws]"),
        ("password = hunter2\n", "not TOML in line 1"),
    ] {
        let problems = read(text).expect_err(text);
        assert!(problems.contains(told), "{text}\n{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}

proptest! {
    #[test]
    fn whatever_a_file_holds_reading_it_does_not_panic(text in ".*") {
        let _ = read(&text);
    }

    #[test]
    fn a_text_in_any_place_is_never_shown(
        key in prop::sample::select(vec!["every", "vault", "aws", "secrets", "x"]),
        section in prop::sample::select(vec!["", "[vault]\n", "[aws]\n", "[secrets]\n", "[secrets.x]\n"]),
        number in 100_000_000_u64..999_999_999,
    ) {
        let text = format!("{section}{key} = \"{number}\"\n");
        let told = read(&text).expect_err("none of these is a plan");
        prop_assert!(!told.contains(&number.to_string()), "{told}");
    }
}

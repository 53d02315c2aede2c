//! The configuration in `nats/cluster` is one that servers take.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::support::cluster::{environment, files, place_configuration};
use crate::support::nats::binary;
use crate::support::tls::Authority;

/// Asks a server whether it would start as a node.
fn checked(node: &str, without: Option<&str>) -> (bool, String) {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    place_configuration(folder.path());
    authority.issue(node);
    let here = Ipv4Addr::LOCALHOST;
    let mut command = Command::new(binary());
    command.arg("-t").arg("-c").arg(folder.path().join("node.conf"));
    let routes = [1, 2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last));
    command.envs(environment(node, here, here, &routes));
    let certificates = authority.ca_file();
    let certificates = certificates.parent().expect("a file is in a folder");
    command.envs(files(node, certificates, &folder.path().join("store")));
    if let Some(name) = without {
        command.env_remove(name);
    }
    let output = command.output().expect("nats-server starts");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_server_takes_the_configuration_of_every_node() {
    for node in ["n1", "n2", "n3"] {
        let (taken, told) = checked(node, None);
        assert!(taken, "{told}");
    }
}

#[test]
fn a_server_does_not_start_without_its_name_or_its_certificate() {
    for name in ["NATS_NODE", "NATS_CERT_FILE", "NATS_STORE_DIR"] {
        let (taken, told) = checked("n1", Some(name));
        assert!(!taken && told.contains(name), "{told}");
    }
}

//! What the local provider needs to know. Pure.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::nginx::NginxOptions;

/// Where and how both versions run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalOptions {
    /// Where is remembered which place is live, and the logs of both processes are.
    pub dir: PathBuf,
    /// What follows the binary: the role, and flags that both places have.
    pub command: Vec<String>,
    /// Variables of both processes, beside those of the one that starts them.
    pub env: BTreeMap<String, String>,
    pub places: Vec<Place>,
    pub nginx: NginxOptions,
    /// A process that was told to end has ended by then, or is killed.
    pub stop_within: Duration,
    /// What a version left behind is published by the other one by then.
    pub recover_within: Duration,
}

/// One of two places that versions take turns in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    /// Where the public is served; nginx passes requests there.
    pub listen: String,
    /// Where operators are served.
    pub admin: String,
    pub data_dir: PathBuf,
}

impl LocalOptions {
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let [one, other] = &*self.places else {
            return Err(
                "[[local.place]] must be there twice: versions take turns in two places".into()
            );
        };
        if one.name == other.name || one.listen == other.listen || one.admin == other.admin {
            return Err("both places of [local] must have names and addresses of their own".into());
        }
        if one.data_dir == other.data_dir {
            return Err("both places of [local] must have data directories of their own".into());
        }
        let plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !plain(&one.name) || !plain(&other.name) {
            return Err(
                "names of places have small letters and digits alone: nginx has them too".into()
            );
        }
        if self.command.is_empty() {
            return Err("local.command is empty: write the role, as [\"gateway\"]".into());
        }
        self.nginx.check()
    }

    /// The place of a name.
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.name == name)
    }

    /// The place that is not of this name.
    pub fn other(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.name != name)
    }

    /// What a binary is started with in a place.
    pub fn arguments(&self, place: &Place) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = self.command.iter().map(OsString::from).collect();
        arguments.extend(["--data-dir".into(), place.data_dir.clone().into_os_string()]);
        // A projector alone serves no public.
        if self.command.first().is_none_or(|role| role != "projector") {
            arguments.extend(["--listen".into(), OsString::from(&place.listen)]);
        }
        arguments.extend(["--admin-listen".into(), OsString::from(&place.admin)]);
        arguments
    }

    /// Where what a process says is kept.
    pub fn log(&self, place: &Place) -> PathBuf {
        self.dir.join(format!("{}.log", place.name))
    }
}

impl Place {
    /// The address that is asked for metrics.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// Where a gateway has its write-ahead log.
    pub fn wal(&self) -> PathBuf {
        Path::new(&self.data_dir).join("wal")
    }
}

#[cfg(test)]
pub(super) fn options() -> LocalOptions {
    let place = |name: &str, port: u16| Place {
        name: name.into(),
        listen: format!("127.0.0.1:{port}"),
        admin: format!("127.0.0.1:{}", port + 1),
        data_dir: format!("/data/{name}").into(),
    };
    LocalOptions {
        dir: "/var/lib/rollout".into(),
        command: vec!["gateway".into(), "--config".into(), "weir.toml".into()],
        env: BTreeMap::new(),
        places: vec![place("blue", 8180), place("green", 8280)],
        nginx: NginxOptions {
            file: "/etc/nginx/conf.d/weir.conf".into(),
            test: vec!["nginx".into(), "-t".into()],
            reload: vec!["nginx".into(), "-s".into(), "reload".into()],
        },
        stop_within: Duration::from_mins(1),
        recover_within: Duration::from_mins(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_places_that_share_nothing_are_well() {
        assert_eq!(options().check(), Ok(()));
        let wrong = |change: &dyn Fn(&mut LocalOptions)| {
            let mut changed = options();
            change(&mut changed);
            changed.check().expect_err("it is refused")
        };
        assert!(wrong(&|o| drop(o.places.pop())).contains("twice"));
        assert!(wrong(&|o| o.places[1].listen = o.places[0].listen.clone()).contains("addresses"));
        assert!(wrong(&|o| o.places[1].data_dir = o.places[0].data_dir.clone()).contains("data"));
        assert!(wrong(&|o| o.places[0].name = "a b".into()).contains("small letters"));
        assert!(wrong(&|o| o.command.clear()).contains("role"));
        assert!(wrong(&|o| o.nginx.reload.clear()).contains("local.nginx"));
    }

    #[test]
    fn a_process_is_told_where_it_belongs() {
        let options = options();
        let arguments = options.arguments(&options.places[1]);
        let text: Vec<String> =
            arguments.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        insta::assert_snapshot!(text.join(" "), @"gateway --config weir.toml --data-dir /data/green --listen 127.0.0.1:8280 --admin-listen 127.0.0.1:8281");
        assert_eq!(options.other("green").map(|place| &*place.name), Some("blue"));
    }
}

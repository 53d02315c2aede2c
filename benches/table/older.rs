//! The older gateway: an nginx with Lua whose requests write to a stand-in of a database.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

use crate::bench::Bench;
use crate::client::{Client, get};
use crate::process::{Server, free_port};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/bench.d");
const MODULE_FOLDERS: [&str; 3] =
    ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"];
const LUA_MODULE: &str = "ngx_http_lua_module.so";
const START_DEADLINE: Duration = Duration::from_secs(10);

/// A running older gateway.
pub struct OlderGateway {
    _server: Server,
    _dir: TempDir,
    pub address: String,
}

/// What is installed of it.
struct Installed {
    nginx: PathBuf,
    modules: &'static str,
}

fn installed() -> Option<Installed> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let nginx = folders.map(|folder| folder.join("nginx")).find(|path| path.is_file())?;
    let modules =
        MODULE_FOLDERS.into_iter().find(|folder| Path::new(folder).join(LUA_MODULE).is_file())?;
    Some(Installed { nginx, modules })
}

impl OlderGateway {
    /// Starts it; `Err` says why it cannot be a baseline here.
    pub fn start(bench: &Bench) -> anyhow::Result<Self> {
        let installed = installed().context("nginx with Lua is not installed")?;
        let dir = bench.folder()?;
        let (gateway, database) = (free_port()?, free_port()?);
        let files = Path::new(FILES);
        let configuration = fs::read_to_string(files.join("older-gateway.conf"))?
            .replace("@MODULES@", installed.modules)
            .replace("@GATEWAY@", &gateway.to_string())
            .replace("@DATABASE@", &database.to_string());
        fs::write(dir.path().join("nginx.conf"), configuration)?;
        fs::copy(files.join("older-gateway.lua"), dir.path().join("older-gateway.lua"))?;
        let root = dir.path().to_str().context("the folder's name is not UTF-8")?;
        let arguments = ["-p", root, "-c", "nginx.conf", "-e", "stderr"];
        let mut server =
            Server::start("nginx", &bench.weir, &installed.nginx, &arguments, dir.path())?;
        let address = format!("127.0.0.1:{gateway}");
        server.wait_for("it serves", START_DEADLINE, || {
            let mut client = Client::connect(&address).ok()?;
            client.send(&get("/health")).ok().filter(|answer| answer.status == 200).map(|_| ())
        })?;
        Ok(Self { _server: server, _dir: dir, address })
    }
}

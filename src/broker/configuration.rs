//! The text of the child's configuration (pure).

use std::path::Path;

use super::ports::Ports;

/// Returns the configuration of a server whose files are all in `dir`: loopback alone, no secrets, and
/// `sync_interval: always`, because without it JetStream acknowledges what is not on disk yet.
pub(super) fn configuration(dir: &Path, ports: Ports, max_file_bytes: Option<u64>) -> String {
    let bound =
        max_file_bytes.map_or_else(String::new, |bytes| format!("    max_file_store: {bytes}\n"));
    format!(
        "# Written by weir at every start: changes here are lost.\n\
         server_name: \"weir\"\n\
         listen: \"127.0.0.1:{client}\"\n\
         http: \"127.0.0.1:{monitor}\"\n\
         max_payload: 1MB\n\
         log_file: {log}\n\
         logfile_size_limit: 16MB\n\
         logfile_max_num: 4\n\
         jetstream {{\n    store_dir: {store}\n    sync_interval: always\n{bound}}}\n",
        client = ports.client,
        monitor = ports.monitor,
        log = quoted(&dir.join("nats-server.log")),
        store = quoted(&dir.join("jetstream")),
    )
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_syncs_always_and_listens_on_loopback_alone() {
        let ports = Ports { client: 4222, monitor: 8222 };
        insta::assert_snapshot!(configuration(Path::new("/d/a \"b\""), ports, Some(1024)), @r#"
        # Written by weir at every start: changes here are lost.
        server_name: "weir"
        listen: "127.0.0.1:4222"
        http: "127.0.0.1:8222"
        max_payload: 1MB
        log_file: "/d/a \"b\"/nats-server.log"
        logfile_size_limit: 16MB
        logfile_max_num: 4
        jetstream {
            store_dir: "/d/a \"b\"/jetstream"
            sync_interval: always
            max_file_store: 1024
        }
        "#);
    }
}

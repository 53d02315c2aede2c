//! A small file system that is truly full.

use std::sync::Arc;

use super::{all_is_kept, is_refused_for_now, refuses, takes_again};
use crate::support::load::Load;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::small_disk::SmallDisk;
use crate::support::weir::Weir;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_others_fill_up_costs_nothing_that_was_answered() {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let (mut server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let builder = Weir::dev().nats(&server).data_dir(&disk.path().join("data"));
    let mut weir = builder.set("wal.segment_bytes", "1MiB").start().await;
    let client = weir.client();
    client.settled().await;
    let load = Load::start("small", &client, 4, &seed);
    load.grows_by(200).await;
    server.kill();
    disk.fill();
    refuses(&client).await;
    is_refused_for_now(&client).await;
    disk.empty();
    takes_again(&client).await;
    load.grows_by(200).await;
    disk.fill();
    refuses(&client).await;
    weir.kill();
    disk.empty();
    weir.start_again().await;
    load.grows_by(50).await;
    server.restart();
    all_is_kept(load, &client).await;
    assert_eq!(client.status().await["wal"]["lostEntries"], 0);
}

//! What is open by itself, and what is not.

use serde_json::json;

use super::key;
use crate::support::client::event;
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

#[tokio::test(flavor = "multi_thread")]
async fn only_dev_on_loopback_asks_nobody_for_a_key() {
    let server = NatsServer::start();
    let dev = Weir::dev().nats(&server).set("access.mode", "auto").start().await;
    assert_eq!(dev.client().post(&event("viewed", "u", "i")).await.status, 202);
    dev.client().settled().await;
    let gateway = Weir::gateway().nats(&server).set("access.mode", "auto").start().await;
    assert_eq!(gateway.client().post(&event("viewed", "u", "i")).await.status, 401);
    let api = Weir::api().nats(&server).set("access.mode", "auto").start().await;
    assert_eq!(api.client().get("/history/user/u").await.status, 401);
    for client in [gateway.client(), api.client()] {
        for path in ["/metrics", "/admin/status"] {
            let answer = client.send(client.admin_request("GET", path)).await.expect("an answer");
            assert_eq!(answer.status, 401, "{path}");
        }
        let health = client.send(client.admin_request("GET", "/health")).await.expect("an answer");
        assert_eq!(health.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_nobody_can_enter_says_what_to_do() {
    let server = NatsServer::start();
    let gateway = Weir::gateway().nats(&server).set("access.mode", "keys").start().await;
    crate::support::eventually("it says so", crate::support::client::PATIENCE, async || {
        gateway.log().contains("weir keys create").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_it_still_knows_its_own_keys() {
    let server = NatsServer::start();
    let dev = Weir::dev().nats(&server).start().await;
    let client = dev.client();
    let key = key(&server, &["--scope", "write", "--type", "viewed"]);
    crate::support::eventually("the key is known", crate::support::client::PATIENCE, async || {
        let answer = client.showing(&key).post(&event("liked", "u", "i")).await;
        (answer.body["code"] == json!("type_not_permitted")).then_some(())
    })
    .await;
    assert_eq!(
        client.showing("a-key-of-another-system").post(&event("liked", "u", "i")).await.status,
        202
    );
}

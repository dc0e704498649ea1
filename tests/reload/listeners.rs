//! Mounts move, keys that wait for a restart are named, and no connection is closed.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::calls::Call;
use crate::site::{FILES, Stage, main_file};

#[tokio::test]
async fn a_contract_moves_goes_and_comes() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let read = |mount: &str| Call::new("GET", &format!("{mount}/subscriptions/crm-accounts")).bearer(&crm);
    stage.reload(&format!("api.polling.mount = \"/elsewhere\"\n{FILES}")).await;
    stage.send(&read("/elsewhere")).await.expect(200);
    stage.send(&read("/notification/v1")).await.expect(404);
    stage.reload(&format!("api.events.mount = \"/other\"\n{FILES}")).await;
    let operator = Call::new("GET", "/other/subscriptions").bearer(&crm);
    stage.send(&operator).await.expect(200);
    stage.ask(&operator).await.expect(200);
    let told = stage.refused(&format!("api.events.mount = \"/notification/v1\"\n{FILES}")).await;
    assert!(told.contains("mount"), "{told}");
    stage.send(&operator).await.expect(200);
    stage.reload(&format!("api.polling.enabled = false\n{}", without_subscriptions())).await;
    stage.send(&read("/notification/v1")).await.expect(404);
    stage.reload(FILES).await;
    stage.send(&read("/notification/v1")).await.expect(200);
    stage.end().await;
}

fn without_subscriptions() -> &'static str {
    &FILES[..FILES.find("[[subscriptions]]").unwrap()]
}

#[tokio::test]
async fn a_connection_that_is_open_goes_on() {
    let stage = Stage::start(FILES).await;
    let mut connection = TcpStream::connect(stage.address()).await.unwrap();
    let mut ask = async || {
        connection.write_all(b"GET /.well-known/openid-configuration HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut read = [0; 12];
        connection.read_exact(&mut read).await.unwrap();
        let mut rest = vec![0; 16 << 10];
        let _ = connection.read(&mut rest).await.unwrap();
        String::from_utf8_lossy(&read).into_owned()
    };
    let before = ask().await;
    stage.reload(&format!("api.polling.mount = \"/elsewhere\"\n{FILES}")).await;
    assert_eq!(ask().await, before);
    stage.end().await;
}

#[tokio::test]
async fn keys_that_wait_for_a_restart_are_named_and_the_rest_is_applied() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let text = std::fs::read_to_string(main_file(stage.folder.path())).unwrap();
    let text = text.replace("server.listen = [\"127.0.0.1:0\"]", "server.listen = [\"127.0.0.1:1\"]");
    let text = format!("store.two_phase_commit = true\nlog.format = \"json\"\n{}", text.replace("301", "302"));
    std::fs::write(main_file(stage.folder.path()), &text).unwrap();
    let expected = ["log.format", "server.listen", "store.two_phase_commit"];
    let mut planned = stage.plan().await.restart;
    planned.sort();
    assert_eq!(planned, expected);
    for changed in [true, false] {
        let report = stage.try_reload().await.unwrap();
        let mut restart = report.restart;
        restart.sort();
        assert_eq!((restart, report.changed), (expected.map(str::to_owned).to_vec(), changed));
    }
    assert_eq!(stage.publish(&crm, "302").await, 1, "the rest is applied");
    assert_eq!(stage.metric("tidings_config_restart_pending").await, "3");
    let shown = stage.show().await;
    assert_eq!(shown.restart.len(), 3);
    assert_ne!(Some(&shown.digest), shown.disk.digest.as_ref(), "what waits does not run");
    assert!(stage.details().await["restart_needed"].to_string().contains("server.listen"));
    stage.reload(&FILES.replace("301", "302")).await;
    assert_eq!(stage.metric("tidings_config_restart_pending").await, "0");
    stage.end().await;
}

//! What egress policies allow, and what they go on allowing.

use tidings::channel::{Channel as _, Verdict};
use tidings::model::target::Target;

use crate::stage::{Stage, message, to, webhook};
use crate::upstream::{Reply, Upstream};

#[tokio::test]
async fn an_entry_for_the_very_address_allows_loopback() {
    let upstream = Upstream::start(Reply::ok("x")).await;
    let port = upstream.address.port();
    for (allow, host) in [("127.0.0.1", "127.0.0.1"), ("127.0.0.1/32", "2130706433"), ("127.0.0.1", "hook.test")] {
        let stage = Stage::with(&[&format!("{allow}:{port}")]);
        stage.names.tell("hook.test", &[&["127.0.0.1"]]);
        assert_eq!(stage.send(&format!("http://{host}:{port}/")).await.verdict, Verdict::Delivered, "{host}");
    }
}

#[tokio::test]
async fn of_several_addresses_those_that_are_allowed_are_connected_to() {
    let upstream = Upstream::start(Reply::ok("x")).await;
    let port = upstream.address.port();
    let stage = Stage::with(&[&format!("127.0.0.1:{port}")]);
    stage.names.tell("hook.test", &[&["10.0.0.1", "127.0.0.2", "::1", "127.0.0.1"]]);
    let sent = stage.send(&format!("http://hook.test:{port}/")).await;
    assert_eq!((sent.verdict, upstream.hits()), (Verdict::Delivered, 1));
    assert!(sent.detail.starts_with(&format!("127.0.0.1:{port} answered")), "{}", sent.detail);
}

#[tokio::test]
async fn a_name_that_has_come_to_mean_something_else_is_refused() {
    // Both addresses have a server: only the policy keeps us from the second.
    let upstream = Upstream::start(Reply::ok("x")).await;
    let port = upstream.address.port();
    let listener = tokio::net::TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let inner = Upstream::serve(listener, Reply::ok("secret"), None);
    let stage = Stage::with(&[&format!("127.0.0.1:{port}")]);
    stage.names.tell("rebinding.test", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let (channel, target) = (stage.channel(), to(&format!("http://rebinding.test:{port}/")));
    assert_eq!(channel.send(&target, &message()).await.verdict, Verdict::Delivered);
    for _ in 0..2 {
        let second = channel.send(&target, &message()).await;
        assert_eq!(second.reason, "egress-refused", "{second:?}");
        assert!(second.detail.contains("rebinding.test is 127.0.0.2"), "{second:?}");
    }
    assert_eq!((upstream.hits(), inner.connections()), (1, 0));
}

#[tokio::test]
async fn a_kept_connection_leads_where_it_was_made_to() {
    let upstream = Upstream::start(Reply::Kept(200, String::new(), Vec::new())).await;
    let port = upstream.address.port();
    let stage = Stage::with(&[&format!("127.0.0.1:{port}")]);
    stage.names.tell("rebinding.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let (channel, target) = (stage.channel(), to(&format!("http://rebinding.test:{port}/")));
    for _ in 0..3 {
        assert_eq!(channel.send(&target, &message()).await.verdict, Verdict::Delivered);
    }
    assert_eq!((upstream.hits(), upstream.connections()), (3, 1));
}

#[tokio::test]
async fn connections_of_one_policy_are_not_those_of_another() {
    let upstream = Upstream::start(Reply::Kept(200, String::new(), Vec::new())).await;
    let port = upstream.address.port();
    let stage = Stage::with(&[&format!("127.0.0.1:{port}")]).and("narrow", &["public:443"]);
    let channel = stage.channel();
    let url = upstream.url("");
    assert_eq!(channel.send(&to(&url), &message()).await.verdict, Verdict::Delivered);
    let mut narrow = webhook(&url);
    narrow.egress = "narrow".to_owned();
    assert_eq!(channel.send(&Target::Webhook(narrow), &message()).await.reason, "egress-refused");
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn nothing_is_sent_to_the_appliance_itself() {
    let upstream = Upstream::start(Reply::ok("x")).await;
    let port = upstream.address.port();
    let allow = [format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("0.0.0.0/0:{port}")];
    let allow = allow.iter().map(String::as_str).collect::<Vec<_>>();
    for own in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        let mut stage = Stage::with(&allow);
        stage.listens_on = vec![own.parse().unwrap()];
        stage.names.tell("me.test", &[&["127.0.0.1"]]);
        for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "[2002:7f00:1::1]", "me.test"] {
            let sent = stage.send(&format!("http://{host}:{port}/")).await;
            assert_eq!(sent.reason, "egress-refused", "{own} {host}: {sent:?}");
            assert!(sent.detail.contains("where this appliance itself listens"), "{own} {host}: {sent:?}");
        }
    }
    assert_eq!(upstream.connections(), 0);
    let elsewhere = Stage { listens_on: vec!["127.0.0.1:1".parse().unwrap()], ..Stage::with(&allow) };
    assert_eq!(elsewhere.send(&upstream.url("")).await.verdict, Verdict::Delivered);
}

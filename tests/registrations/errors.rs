//! What the router and the server refuse, in the contract's own body.

use std::sync::Arc;

use hyper::Method;

use crate::stage::{MOUNT, count, email, error, errors, id_of, make, path, post, problems, put, setup, start, webhook};
use crate::support::client::Call;
use crate::support::{BadDisk, Setup, until};
use tidings::store::Store as _;

#[tokio::test]
async fn who_is_not_let_in_gets_401_or_403() {
    let appliance = start(setup()).await;
    let without = appliance.send(Call::get(&path(""), "broker").without_token()).await;
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    assert_eq!(error(without, 401).0, "TDG.REG.002");
    let bad = Call::get(&path(""), "broker").without_token().header("authorization", "Bearer nonsense");
    let bad = appliance.send(bad).await;
    assert_eq!(bad.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!(error(bad, 401).0, "TDG.REG.002");
    let id = "28e5d78c-d642-42d1-8064-0082dc87c4e5";
    let retry = format!("{MOUNT}/notifications/{id}/retry-notifications");
    let domains = format!("{MOUNT}/webhook-domains");
    for (call, scope) in [
        (post("watcher", &email()), "create:notification_registrations"),
        (Call::get(&path(""), "watcher"), "view:notification_registrations"),
        (put(id, "watcher", &email()), "edit:notification_registrations"),
        (Call::delete(&path(id), "watcher"), "delete:notification_registrations"),
        (crate::stage::rotate(id, "watcher", ""), "create:notification_registrations_secret_rotation"),
        (Call::get(&format!("{MOUNT}/notifications"), "watcher"), "view:notifications"),
        (Call::new(Method::POST, &retry, "watcher"), "create:notification_retry"),
        (Call::post(&domains, "watcher", "{}"), "create:webhook_domains"),
        (Call::get(&domains, "watcher"), "create:webhook_domains"),
        (Call::delete(&format!("{domains}/x.test"), "watcher"), "create:webhook_domains"),
    ] {
        let forbidden = appliance.send(call).await;
        assert!(forbidden.header("www-authenticate").unwrap().contains(&format!("scope=\"{scope}\"")), "{scope}");
        let refused = errors(forbidden, 403);
        assert!(refused[0].0 == "TDG.REG.003" && refused[0].1.contains(&format!("[{scope}]")), "{refused:?}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let appliance = start(setup()).await;
    for path in [format!("{MOUNT}/nothing"), MOUNT.to_owned(), format!("{MOUNT}/notifications/x")] {
        assert_eq!(error(appliance.send(Call::get(&path, "broker")).await, 404).0, "TDG.REG.004", "{path}");
    }
    let patch = appliance.send(Call::new(Method::PATCH, &path(""), "broker")).await;
    assert_eq!(patch.header("allow"), Some("POST, GET"));
    assert_eq!(error(patch, 405).0, "TDG.REG.005");
    let read = appliance.send(Call::get(&path("x"), "broker")).await;
    assert_eq!(read.header("allow"), Some("PUT, DELETE"));
    assert_eq!(error(read, 405).0, "TDG.REG.005");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_400_and_one_that_is_said_to_be_none_415() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    let deep = format!("{{\"eventTypes\":{}{}}}", "[".repeat(64), "]".repeat(64));
    for body in [&b""[..], b"[]", b"{\"notificationType\":", b"{\"a\":1,\"a\":2}", b"{\"a\":\"\xff\"}", deep.as_bytes()]
    {
        problems(appliance.send(Call::post(&path(""), "broker", body.to_vec())).await);
        let call = Call::new(Method::PUT, &path(&id), "broker").header("content-type", "application/json");
        problems(appliance.send(call.body(body.to_vec())).await);
    }
    let body = webhook().to_string();
    for other in ["text/plain", "application/xml", "application/json; charset=iso-8859-1"] {
        let refused = appliance.send(Call::post_as(&path(""), "broker", other, body.clone())).await;
        assert_eq!(error(refused, 415).0, "TDG.REG.011");
        let call = Call::new(Method::PUT, &path(&id), "broker").header("content-type", other).body(body.clone());
        assert_eq!(error(appliance.send(call).await, 415).0, "TDG.REG.011");
        let refused = appliance.send(Call::post_as(&format!("{MOUNT}/webhook-domains"), "broker", other, "{}")).await;
        assert_eq!(error(refused, 415).0, "TDG.REG.011");
    }
}

#[tokio::test]
async fn a_body_has_both_sides_of_its_limit() {
    let appliance = start(Setup { max_body: 1024, ..setup() }).await;
    let padded = |len: usize| format!("{:len$}", email().to_string());
    appliance.send(Call::post(&path(""), "broker", padded(1024))).await.expect(201);
    let refused = errors(appliance.send(Call::post(&path(""), "broker", padded(1025))).await, 413);
    assert!(refused[0].0 == "TDG.REG.010" && refused[0].1.contains("1024"), "{refused:?}");
}

#[tokio::test]
async fn too_many_requests_are_429() {
    let mut setup = setup();
    setup.tune_auth = |auth| {
        for client in &mut auth.clients {
            client.terms.request_rate = tidings::base::rate::Rate::parse("2/s");
            client.affiliation.subscriber = Some(crate::stage::SUBSCRIBER.to_owned());
        }
    };
    let appliance = start(setup).await;
    for _ in 0..2 {
        appliance.send(Call::get(&path(""), "broker")).await.expect(200);
    }
    let refused = appliance.send(Call::get(&path(""), "broker")).await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(error(refused, 429).0, "TDG.REG.012");
}

#[tokio::test]
async fn a_store_that_cannot_write_is_503_and_nothing_is_half_there() {
    let disk = Arc::new(BadDisk::default());
    let appliance = start(Setup { faults: Some(disk.clone()), ..setup() }).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    disk.fail(true);
    let mut other = webhook();
    other["attributes"]["webhookURI"] = "https://example.com/other".into();
    for call in [
        post("broker", &email()),
        put(&id, "broker", &other),
        crate::stage::rotate(&id, "broker", ""),
        Call::delete(&path(&id), "broker"),
        Call::post(&format!("{MOUNT}/webhook-domains"), "broker", r#"{"webhookDomain":"example.com"}"#),
    ] {
        let refused = appliance.send(call).await;
        assert!(refused.header("retry-after").is_some());
        assert!(!refused.text().contains("burnt"));
        assert_eq!(error(refused, 503).0, "TDG.REG.013");
    }
    disk.fail(false);
    until("the store is well again", || appliance.store.trouble().is_none()).await;
    assert_eq!(count(&appliance), 1);
    assert_eq!(
        crate::stage::list(&appliance, "broker", "").await["records"][0]["webhookURI"],
        "https://example.com/webhook"
    );
}

//! How often, and from where: both sides of each limit, in the words of each contract.

use std::time::Duration;

use tidings::auth::AllowedFrom;
use tidings::base::network::Network;
use tidings::base::rate::Rate;

use crate::support::client::{Call, notifications};
use crate::support::{Appliance, Setup, just_before};
use crate::{EVENT, EVENTS, KEY, billing, post_form, publish, publish_with_key, with_key};

const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn a_client_that_sends_too_many_requests_is_told_when_to_go_on() {
    let setup = Setup {
        tune_auth: |auth| {
            auth.clients[0].terms.request_rate = Rate::parse("3/min");
            let rate = Rate::parse("2/s");
            let mut key = billing();
            key.terms.request_rate = rate;
            auth.api_keys.push(key);
        },
        ..Setup::default()
    };
    let appliance = Appliance::start(setup).await;
    let id = appliance.subscribe("crm", &["301"]).await;
    for _ in 0..2 {
        appliance.send(Call::post(EVENTS, "crm", EVENT)).await.expect(202);
    }
    let refused = appliance.send(Call::post(EVENTS, "crm", EVENT)).await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("20"));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let refused = appliance.send(Call::get(&notifications(&id), "crm")).await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("20"));
    assert!(refused.json().as_object().is_some(), "{}", refused.text());
    appliance.clock.advance(just_before(Duration::from_secs(20)));
    assert_eq!(
        appliance.send(Call::get(&notifications(&id), "crm")).await.expect(429).header("retry-after"),
        Some("1")
    );
    appliance.clock.advance(Duration::from_millis(1));
    appliance.send(Call::get(&notifications(&id), "crm")).await.expect(200);
    // Others have rates of their own.
    appliance.send(Call::post(EVENTS, "erp", EVENT)).await.expect(202);
    for status in [202, 202, 429] {
        publish_with_key(&appliance, KEY).await.expect(status);
    }
    let metrics = appliance.metrics();
    assert!(metrics.contains("tidings_auth_throttled_total{limit=\"request_rate\"} 4\n"), "{metrics}");
}

#[tokio::test]
async fn an_address_that_shows_wrong_keys_has_to_wait() {
    let appliance = Appliance::start(with_key()).await;
    for number in 0..10 {
        publish_with_key(&appliance, &format!("tdg_guess00{number}_x")).await.expect(401);
    }
    assert_eq!(publish_with_key(&appliance, KEY).await.expect(429).header("retry-after"), Some("6"));
    let refused = post_form(&appliance, "/oauth2/token", "crm", GRANT).await.expect(429);
    assert_eq!((refused.header("retry-after"), refused.json()["error"].as_str()), (Some("6"), Some("slow_down")));
    // A good token is nobody's guess.
    publish(&appliance, &appliance.token("erp")).await.expect(202);
    appliance.clock.advance(just_before(Duration::from_secs(6)));
    publish_with_key(&appliance, KEY).await.expect(429);
    appliance.clock.advance(Duration::from_millis(1));
    publish_with_key(&appliance, KEY).await.expect(202);
    let metrics = appliance.metrics();
    assert!(metrics.contains("tidings_auth_failures_total{credential=\"api_key\"} 10\n"), "{metrics}");
    assert!(metrics.contains("tidings_auth_throttled_total{limit=\"auth_failures\"} 3\n"), "{metrics}");
}

#[tokio::test]
async fn an_address_that_shows_tokens_of_others_has_to_wait_and_one_with_old_tokens_has_not() {
    let appliance = Appliance::plain().await;
    let ended = appliance.token("crm");
    appliance.clock.advance(Duration::from_hours(1) + Duration::from_secs(1));
    for _ in 0..20 {
        publish(&appliance, &ended).await.expect(401);
    }
    for _ in 0..10 {
        publish(&appliance, "not.a.token").await.expect(401);
    }
    assert_eq!(publish(&appliance, "not.a.token").await.expect(429).header("retry-after"), Some("6"));
    post_form(&appliance, "/oauth2/token", "crm", GRANT).await.expect(429);
    publish(&appliance, &appliance.token("crm")).await.expect(202);
    publish(&appliance, &ended).await.expect(401);
    assert!(appliance.metrics().contains("tidings_auth_failures_total{credential=\"token\"} 10\n"));
}

#[tokio::test]
async fn credentials_are_good_only_where_they_may_come_from() {
    let setup = Setup {
        tune_auth: |auth| {
            let from = |network| {
                let networks = vec![Network::parse(network).unwrap()];
                Some(AllowedFrom { networks, unix: false })
            };
            auth.clients[0].terms.allowed_from = from("10.0.0.0/8");
            auth.clients[1].terms.allowed_from = from("127.0.0.0/8");
            let mut key = billing();
            key.terms.allowed_from = from("10.0.0.0/8");
            auth.api_keys.push(key);
        },
        ..Setup::default()
    };
    let appliance = Appliance::start(setup).await;
    let refused =
        publish(&appliance, &appliance.token_from("crm", Some("10.1.1.1".parse().unwrap()))).await.expect(403);
    assert!(refused.text().contains("127.0.0.1"), "{}", refused.text());
    assert!(publish_with_key(&appliance, KEY).await.expect(403).text().contains("allowed_from"));
    assert_eq!(
        post_form(&appliance, "/oauth2/token", "crm", GRANT).await.expect(403).json()["error"],
        "unauthorized_client"
    );
    let granted = post_form(&appliance, "/oauth2/token", "erp", GRANT).await.expect(200).json();
    publish(&appliance, granted["access_token"].as_str().unwrap()).await.expect(202);
}

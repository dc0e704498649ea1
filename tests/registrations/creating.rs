//! Making registrations: what goes in and what comes out.

use serde_json::json;
use tidings::base::clock::Clock as _;

use crate::stage::{
    INTEGRATOR, MOUNT, SUBSCRIBER, count, email, error, errors, id_of, key, list, make, post, problems, setup, start,
    webhook, webhook_to, with,
};
use crate::support::client::Call;
use tidings::api::unknown_members::UnknownMembers;

#[tokio::test]
async fn a_webhook_is_shown_flat_with_its_secret() {
    let appliance = start(setup()).await;
    let made = appliance.send(post("broker", &webhook())).await.expect(201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.json();
    let id = id_of(&made);
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().hyphenated().to_string(), id);
    let secret = made["sharedSecret"].as_str().unwrap().to_owned();
    assert_eq!(key(&secret).len(), 32);
    let expected = json!({
        "notificationType": "WEBHOOK",
        "eventTypes": ["WORKSPACE_LODGED", "SECRET_EXPIRY"],
        "integratorId": INTEGRATOR,
        "integratorType": "BROKER",
        "registrationId": id,
        "subscriberId": SUBSCRIBER,
        "webhookURI": "https://example.com/webhook",
        "sharedSecret": secret,
        // 365 days after the start of the clock.
        "sharedSecretExpiry": "2027-11-22 10:00:00.250000 +00:00",
    });
    assert_eq!(made, expected);
    let other = make(&appliance, "broker", &webhook_to("https://example.com/other")).await;
    assert_ne!(other["sharedSecret"], made["sharedSecret"]);
}

#[tokio::test]
async fn the_seed_s_mail_registration_is_made_as_it_is_written_there() {
    let appliance = start(setup()).await;
    let made = make(&appliance, "broker", &email()).await;
    let expected = json!({
        "notificationType": "EMAIL",
        "eventTypes": ["LODGEMENT_CASE_REQUISITIONED"],
        "integratorId": INTEGRATOR,
        "integratorType": "BROKER",
        "registrationId": id_of(&made),
        "subscriberId": SUBSCRIBER,
        "email": "myTeam@company.com",
    });
    assert_eq!(made, expected);
}

#[tokio::test]
async fn a_client_without_an_integrator_is_shown_by_its_own_id() {
    let appliance = start(setup()).await;
    let made = make(&appliance, "rival", &email()).await;
    assert_eq!((&made["integratorId"], made.get("integratorType")), (&json!("rival"), None));
}

#[tokio::test]
async fn the_secret_is_shown_later_only_where_a_switch_says_so() {
    for show_secret in [false, true] {
        let appliance = start(with(|settings| settings.show_secret = show_secret)).await;
        let made = make(&appliance, "broker", &webhook()).await;
        let listed = list(&appliance, "broker", "").await["records"][0].clone();
        assert_eq!(listed.get("sharedSecret"), made.get("sharedSecret").filter(|_| show_secret));
        assert_eq!(listed["sharedSecretExpiry"], made["sharedSecretExpiry"], "that is always shown");
        let changed = appliance.send(crate::stage::put(&id_of(&made), "broker", &webhook())).await.expect(200).json();
        assert_eq!(changed, listed);
    }
}

#[tokio::test]
async fn what_was_made_is_answered_200_where_a_switch_says_so() {
    let appliance = start(with(|settings| settings.created_status = 200)).await;
    let made = appliance.send_unchecked(post("broker", &email())).await.expect(200);
    assert_eq!(made.json()["notificationType"], "EMAIL");
    let document = appliance.send_unchecked(Call::get(&format!("{MOUNT}/openapi.json"), "broker")).await.json();
    let responses = &document["paths"]["/notification-registrations"]["post"]["responses"];
    assert!(responses.get("200").is_some() && responses.get("201").is_none(), "the document says so too");
}

#[tokio::test]
async fn slashes_at_the_end_of_a_url_are_stripped() {
    let appliance = start(setup()).await;
    for (given, kept) in [
        ("https://example.com/webhook/", "https://example.com/webhook"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com/a?b=c", "https://example.com/a?b=c"),
    ] {
        assert_eq!(make(&appliance, "broker", &webhook_to(given)).await["webhookURI"], kept);
    }
}

#[tokio::test]
async fn plain_http_is_refused_unless_a_switch_allows_it() {
    let appliance = start(with(|settings| settings.allow_http = false)).await;
    let refused = problems(appliance.send(post("broker", &webhook_to("http://8.8.8.8:443/hook"))).await);
    assert_eq!(refused, [("attributes.webhookURI".to_owned(), "must begin with https://".to_owned())]);
    let appliance = start(with(|settings| settings.allow_http = true)).await;
    make(&appliance, "broker", &webhook_to("http://8.8.8.8:443/hook")).await;
}

#[tokio::test]
async fn a_url_that_the_client_s_policy_can_never_allow_is_refused_naming_the_policy() {
    let appliance = start(setup()).await;
    for (client, url, policy) in [
        ("broker", "https://10.0.0.1/hook", "\"plant\""),
        ("broker", "https://example.com:8443/hook", "\"plant\""),
        ("colleague", "https://example.com/hook", "\"narrow\""),
        // A client of whom nothing is said has the built-in one.
        ("plain", "https://example.com/hook", "\"default\""),
    ] {
        let refused = problems(appliance.send(post(client, &webhook_to(url))).await);
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].0 == "attributes.webhookURI" && refused[0].1.contains(policy), "{refused:?}");
    }
    make(&appliance, "colleague", &webhook_to("https://hook.example.org/hook")).await;
    assert_eq!(count(&appliance), 1);
}

#[tokio::test]
async fn mail_goes_to_allowed_recipients_only() {
    let appliance = start(setup()).await;
    for address in ["ops@example.com", "ops@sub.company.com", "jörg@company.com"] {
        let mut body = email();
        body["attributes"]["email"] = address.into();
        let refused = problems(appliance.send(post("broker", &body)).await);
        assert_eq!(refused[0].0, "attributes.email", "{refused:?}");
    }
    // Where there is no mail at all, nobody may be named.
    appliance.engine.use_channels(tidings::engine::Channels::default());
    assert_eq!(problems(appliance.send(post("broker", &email())).await)[0].0, "attributes.email");
}

#[tokio::test]
async fn one_subscriber_has_one_registration_for_a_url() {
    let appliance = start(setup()).await;
    make(&appliance, "broker", &webhook()).await;
    for url in ["https://example.com/webhook", "https://example.com/webhook/", "HTTPS://EXAMPLE.com:443/webhook"] {
        let refused = error(appliance.send(post("broker", &webhook_to(url))).await, 409);
        assert_eq!(refused, ("TDG.REG.007".to_owned(), "attributes.webhookURI".to_owned()));
    }
    make(&appliance, "rival", &webhook()).await;
    make(&appliance, "broker", &webhook_to("https://example.com/webhook?2")).await;
    assert_eq!(count(&appliance), 3);
}

#[tokio::test]
async fn of_many_who_ask_for_one_url_at_once_one_gets_it() {
    let appliance = start(setup()).await;
    let ask = || appliance.send(post("broker", &webhook()));
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let mut all = [a, b, c, d].map(|answer| answer.status);
    all.sort_unstable();
    assert_eq!(all, [201, 409, 409, 409]);
}

#[tokio::test]
async fn the_limit_of_a_client_is_409_and_says_so() {
    let mut setup = setup();
    setup.limits.subscriptions = 2;
    let appliance = start(setup).await;
    for n in 0..2 {
        make(&appliance, "broker", &webhook_to(&format!("https://example.com/{n}"))).await;
    }
    let refused = errors(appliance.send(post("broker", &email())).await, 409);
    assert_eq!(refused[0].0, "TDG.REG.009");
    assert!(refused[0].1.contains("2 registrations"), "{refused:?}");
    make(&appliance, "rival", &email()).await;
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let appliance = start(setup()).await;
    let body = json!({
        "notificationType": "WEBHOOK",
        "eventTypes": ["NETTING_COMPLETED", "WORKSPACE_LODGED", "WORKSPACE_LODGED", 7, "WORKSPACE_OPENED", ""],
        "attributes": {"webhookURI": "ftp://example.com"},
    });
    let refused = problems(appliance.send(post("broker", &body)).await);
    let fields: Vec<_> = refused.iter().map(|(field, _)| field.as_str()).collect();
    for field in ["eventTypes[0]", "eventTypes[2]", "eventTypes[3]", "eventTypes[4]", "eventTypes[5]", "eventTypes"] {
        assert_eq!(fields.iter().filter(|found| **found == field).count(), 1, "{field}: {refused:?}");
    }
    assert!(fields.contains(&"attributes.webhookURI"), "{refused:?}");
    assert_eq!(refused.len(), 7, "{refused:?}");
    for (body, field) in [
        (json!({}), "notificationType"),
        (json!({}), "eventTypes"),
        (json!({}), "attributes"),
        (json!({"notificationType": "SMS"}), "notificationType"),
        (json!({"notificationType": "webhook"}), "notificationType"),
        (json!({"eventTypes": "WORKSPACE_LODGED"}), "eventTypes"),
        (json!({"attributes": []}), "attributes"),
        (json!({"notificationType": "EMAIL", "attributes": {}}), "attributes.email"),
        (json!({"notificationType": "EMAIL", "attributes": {"email": "nobody"}}), "attributes.email"),
        (json!({"notificationType": "EMAIL", "attributes": {"email": 1}}), "attributes.email"),
        (json!({"notificationType": "WEBHOOK", "attributes": {"email": "a@company.com"}}), "attributes.webhookURI"),
        (json!({"notificationType": "WEBHOOK", "attributes": {"email": 1}}), "attributes.email"),
        (json!({"notificationType": "EMAIL", "attributes": {"webhookURI": null}}), "attributes.webhookURI"),
        (json!({"notificationType": "EMAIL", "attributes": {"webhookURI": "x".repeat(2049)}}), "attributes.webhookURI"),
        (webhook_to("https://u:p@example.com/"), "attributes.webhookURI"),
        (webhook_to("https://example.com/#f"), "attributes.webhookURI"),
        (webhook_to("example.com"), "attributes.webhookURI"),
        (webhook_to(&format!("https://example.com/{}", "x".repeat(2048))), "attributes.webhookURI"),
    ] {
        let refused = problems(appliance.send(post("broker", &body)).await);
        assert_eq!(refused.iter().filter(|(found, _)| found == field).count(), 1, "{body}: {refused:?}");
    }
    assert_eq!(count(&appliance), 0);
}

#[tokio::test]
async fn unknown_members_are_ignored_and_counted_or_refused() {
    let mut body = webhook();
    body["colour"] = "red".into();
    // Of an answer, but not of this request.
    body["registrationId"] = "x".into();
    body["attributes"]["email"] = "a@company.com".into();
    let appliance = start(setup()).await;
    make(&appliance, "broker", &body).await;
    let counted = "tidings_api_ignored_members_total{contract=\"registrations\"} 3\n";
    assert!(appliance.metrics().contains(counted), "{}", appliance.metrics());
    let appliance = start(with(|settings| settings.unknown_members = UnknownMembers::Refuse)).await;
    let refused = problems(appliance.send(post("broker", &body)).await);
    let fields: Vec<_> = refused.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["colour", "registrationId", "attributes.email"]);
}

#[tokio::test]
async fn what_was_made_outlives_a_restart() {
    let appliance = start(setup()).await;
    let made = make(&appliance, "broker", &webhook()).await;
    let now = appliance.clock.now();
    let appliance = appliance.restart(with(|settings| settings.show_secret = true)).await;
    assert_eq!(list(&appliance, "broker", "").await["records"], json!([made]));
    assert_eq!(appliance.clock.now(), now);
}

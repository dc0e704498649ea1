//! Making subscriptions: what is answered, kept, and refused.

use serde_json::{Value, json};
use tidings::api::polling::UnknownMembers;
use tidings::engine::ClientLimits;
use tidings::model::notification::EndpointKind;
use tidings::model::target::{Role, Shape, Target};
use tidings::store::Store as _;

use crate::stage::{SUBSCRIPTIONS, Stage, example, hook, setup, subscription, with};
use crate::support::client::Call;
use crate::support::{PUBLIC_URL, Setup, event_type};

#[tokio::test]
async fn the_published_example_is_made_and_shown() {
    let stage = Stage::plain().await;
    let made = stage.post(SUBSCRIPTIONS, "noc", &example()).await.expect(201);
    let body = made.json();
    let id = body["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), Some(format!("{PUBLIC_URL}{}", subscription(&id)).as_str()));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let mut expected = example();
    expected["id"] = id.as_str().into();
    expected["clientId"] = "noc".into();
    expected["organisation"] = "Example Fibre".into();
    expected["partyIds"] = json!(["1001", "1002"]);
    for channel in ["email", "webhook"] {
        let channel_id = body["notificationChannels"][channel][0]["id"].clone();
        assert_eq!(uuid::Uuid::parse_str(channel_id.as_str().unwrap()).unwrap().get_version_num(), 5);
        expected["notificationChannels"][channel][0]["id"] = channel_id;
    }
    // Write-only.
    expected["notificationChannels"]["webhook"][0]["webhook"][0]["auth"]["password"] = "********".into();
    assert_eq!(body, expected);
    assert_eq!(stage.get(&subscription(&id), "noc").await.expect(200).json(), expected);
    let listed = stage.get(SUBSCRIPTIONS, "noc").await.expect(200).json();
    assert_eq!(listed, json!([expected]), "a bare array");
    let stage = stage.restart(setup()).await;
    assert_eq!(stage.get(&subscription(&id), "noc").await.expect(200).json(), expected, "after a restart");
}

#[tokio::test]
async fn what_is_kept_is_what_deliveries_need() {
    let stage = Stage::plain().await;
    let made = stage.subscribe("noc", &example()).await;
    let set = stage.appliance.store.subscriptions();
    let kept = set.get(made["id"].as_str().unwrap()).unwrap();
    let [contact, address, webhook] = &kept.endpoints[..] else { panic!("{kept:?}") };
    let Target::Email(contact) = &contact.target else { panic!("{contact:?}") };
    assert_eq!((contact.address.as_str(), contact.role), ("noc@example.com", Role::Contact));
    let Target::Email(address) = &address.target else { panic!("{address:?}") };
    assert_eq!((address.address.as_str(), address.role), ("user@example.com", Role::Subscriber));
    let Target::Webhook(webhook) = &webhook.target else { panic!("{webhook:?}") };
    assert_eq!((webhook.shape, webhook.asymmetric, webhook.retries), (Shape::Management, true, false));
    assert_eq!(webhook.egress, "partners", "the policy of the client");
    let basic = webhook.basic.as_ref().unwrap();
    assert_eq!((basic.username.as_str(), basic.password.as_str()), ("u", "p"));
    assert!(!format!("{kept:?}").contains("\"p\""));
}

#[tokio::test]
async fn what_is_left_out_has_its_default_and_each_entry_an_id_that_stays() {
    let stage = Stage::plain().await;
    let mut body = hook("Outage", "https://example.com/one");
    body["notificationChannels"]["webhook"].as_array_mut().unwrap().push(json!({
        "webhook": [{"callbackUri": "https://example.com/two"}, {"callbackUri": "https://example.com/two?x=1"}],
    }));
    body["contactEmails"] = json!([{"email": "a@EXAMPLE.com"}, {"email": "a@example.com"}, {"email": "b@example.com"}]);
    let made = stage.subscribe("desk", &body).await;
    let webhooks = made["notificationChannels"]["webhook"].as_array().unwrap();
    let uris: Vec<_> = webhooks.iter().map(|entry| entry["webhook"][0]["callbackUri"].as_str().unwrap()).collect();
    assert_eq!(uris, ["https://example.com/one", "https://example.com/two", "https://example.com/two?x=1"]);
    assert!(webhooks.iter().all(|entry| entry["webhook"][0]["errorStrategy"] == "retry"));
    let ids: std::collections::HashSet<_> = webhooks.iter().map(|entry| entry["id"].to_string()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(made["contactEmails"], json!([{"email": "a@example.com"}, {"email": "b@example.com"}]));
    assert_eq!(made["expiresOn"], "2027-11-22", "a year ahead");
    for absent in ["filters", "organisation"] {
        assert_eq!(made.get(absent), None);
    }
    assert_eq!(made["notificationChannels"].get("email"), None);
    let changed = stage.patch(made["id"].as_str().unwrap(), "desk", &json!({"expiresOn": "2027-01-01"})).await;
    assert_eq!(changed.expect(200).json()["notificationChannels"], made["notificationChannels"]);
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let stage = Stage::plain().await;
    let nothing = stage.refused(&json!({})).await;
    assert_eq!(nothing, ["eventType: is missing", "contactEmails: is missing", "notificationChannels: is missing"]);
    let problems = stage
        .refused(&json!({
            "eventType": "ONTActivation",
            "filters": {"target": "all", "attributes": [{"colour": "red"}], "more": 1},
            "contactEmails": [{"email": "nobody"}, {}, 1],
            "expiresOn": "2019-08-24",
            "notificationChannels": {"webhook": [{"webhook": [
                {"callbackUri": "ftp://example.com/", "errorStrategy": "sometimes", "auth": {"username": "a:b"}},
                {"errorStrategy": "retry"},
            ]}, {}], "email": [{"email": []}]},
        }))
        .await;
    for expected in [
        "filters.target: must be my",
        "filters.attributes[0].colour: is not an attribute of the event type; those are status, opticalStatus",
        "filters.more: is not a member of filters",
        "contactEmails[0].email: must be an e-mail address",
        "contactEmails[1].email: is missing",
        "contactEmails[2]: must be an object",
        "expiresOn: must not be in the past",
        "notificationChannels.webhook[0].webhook[0].errorStrategy: must be retry or ignore",
        "notificationChannels.webhook[0].webhook[0].auth.password: is missing",
        "notificationChannels.webhook[0].webhook[0].callbackUri: must begin with https:// or http://",
        "notificationChannels.webhook[0].webhook[1].callbackUri: is missing",
        "notificationChannels.webhook[1].webhook: is missing",
        "notificationChannels.email[0].email: must have at least one address",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
    assert_eq!(stage.appliance.store.figures().subscriptions, 0);
}

#[tokio::test]
async fn each_member_has_both_sides() {
    let stage = Stage::plain().await;
    let (whole, webhook) = (example(), "/notificationChannels/webhook/0/webhook/0");
    for (pointer, value, problem) in [
        ("/eventType", json!(""), "eventType: "),
        ("/eventType", json!(1), "eventType: must be a string"),
        ("/eventType", json!("tidings.clock"), "eventType: tidings.clock is not an event type"),
        ("/filters", json!(null), "filters: must be an object"),
        ("/contactEmails", json!([]), "contactEmails: must have at least one address"),
        ("/contactEmails", json!("noc@example.com"), "contactEmails: must be an array"),
        ("/contactEmails/0/email", json!("noc@elsewhere.test"), "contactEmails[0].email: mail to this address is not"),
        ("/expiresOn", json!(null), "expiresOn: must be a string"),
        ("/expiresOn", json!("soon"), "expiresOn: must be a date"),
        ("/notificationChannels", json!({}), "notificationChannels: must have at least one channel"),
        ("/notificationChannels", json!({"email": [], "sms": [1]}), "notificationChannels: must have at least one"),
        ("/notificationChannels/email/0/email/0/email", json!("u@elsewhere.test"), "notificationChannels.email[0]"),
        ("/notificationChannels/webhook/0/webhook", json!([]), "notificationChannels.webhook[0].webhook: must have"),
        (
            &format!("{webhook}/auth/username"),
            json!("a\nb"),
            "notificationChannels.webhook[0].webhook[0].auth.username",
        ),
        (&format!("{webhook}/auth/password"), json!("a\u{7f}"), "notificationChannels.webhook[0].webhook[0].auth.pass"),
        (
            &format!("{webhook}/auth/password"),
            json!("********"),
            "notificationChannels.webhook[0].webhook[0].auth.pass",
        ),
        (&format!("{webhook}/callbackUri"), json!("https://u:p@example.com/"), "notificationChannels.webhook[0]"),
        (&format!("{webhook}/callbackUri"), json!(" https://example.com/cb"), "notificationChannels.webhook[0]"),
        (&format!("{webhook}/callbackUri"), json!("https://example.com/\r\nx: y"), "notificationChannels.webhook[0]"),
    ] {
        let problems = stage.refused(&with(&whole, pointer, value.clone())).await;
        assert!(problems.len() == 1 && problems[0].starts_with(problem), "{pointer} {value}: {problems:?}");
    }
    for again in ["https://example.com/cb", "HTTPS://Example.com:443/./cb"] {
        let twice = json!([{"callbackUri": "https://example.com/cb"}, {"callbackUri": again}]);
        let problems = stage.refused(&with(&whole, "/notificationChannels/webhook/0/webhook", twice)).await;
        assert_eq!(problems, ["notificationChannels.webhook[0].webhook[1].callbackUri: is there twice"], "{again}");
    }
    for optional in ["/filters", "/expiresOn", "/notificationChannels/email", "/notificationChannels/webhook"] {
        stage.subscribe("noc", &with(&whole, optional, None)).await;
    }
}

#[tokio::test]
async fn a_url_that_the_client_s_policy_can_never_allow_names_the_policy() {
    let stage = Stage::plain().await;
    let hook = |url: &str| hook("Outage", url);
    let problems = stage.refused(&hook("https://192.168.0.1/")).await;
    assert!(problems[0].contains("callbackUri: the egress policy \"partners\""), "{problems:?}");
    assert!(!stage.refused(&hook("http://10.0.0.7:8080/?key=s3cret")).await[0].contains("s3cret"));
    stage.subscribe("noc", &hook("http://10.0.0.7/")).await;
    let poor = stage.post(SUBSCRIPTIONS, "poor", &hook("https://example.com/")).await.expect(400).text();
    assert!(poor.contains("the egress policy \\\"default\\\" allows nothing"), "{poor}");
}

#[tokio::test]
async fn a_type_has_to_be_one_of_the_catalogue_that_goes_where_it_is_wanted() {
    let mut elsewhere = event_type("302");
    elsewhere.contracts = Some(vec!["registrations".to_owned()]);
    let mut posted = event_type("303");
    posted.channels = Some(vec![EndpointKind::Webhook]);
    let mut setup = setup();
    setup.event_types.extend([elsewhere, posted]);
    // What nobody has declared may be published here, and is still a slip of the pen.
    assert!(!setup.closed);
    let stage = Stage::start(setup).await;
    for unknown in ["301", "302"] {
        let problems = stage.refused(&hook(unknown, "https://example.com/")).await;
        assert_eq!(problems, [format!("eventType: {unknown} is not an event type that can be subscribed to here")]);
    }
    stage.subscribe("noc", &hook("303", "https://example.com/")).await;
    let both = with(&with(&example(), "/eventType", json!("303")), "/filters", None);
    let problems = stage.refused(&both).await;
    assert_eq!(problems, ["notificationChannels.email: events of the type 303 do not go there"]);
}

#[tokio::test]
async fn unknown_members_are_ignored_and_counted_or_refused() {
    let mut body = with(&example(), "/colour", json!("red"));
    body["contactEmails"][0]["name"] = "NOC".into();
    body["notificationChannels"]["sms"] = json!([]);
    body["notificationChannels"]["webhook"][0]["webhook"][0]["method"] = "PUT".into();
    let stage = Stage::plain().await;
    stage.subscribe("noc", &body).await;
    let counted = "tidings_api_ignored_members_total{contract=\"management\"} 4\n";
    assert!(stage.appliance.metrics().contains(counted), "{}", stage.appliance.metrics());
    let strict = Stage::start(Setup { unknown_members: UnknownMembers::Refuse, ..setup() }).await;
    let problems = strict.refused(&body).await;
    let expected = [
        "contactEmails[0].name: is not a member of this request",
        "notificationChannels.webhook[0].webhook[0].method: is not a member of this request",
        "notificationChannels.sms: is not a member of this request",
        "colour: is not a member of this request",
    ];
    assert!(problems.len() == 4 && expected.iter().all(|one| problems.contains(&(*one).to_owned())), "{problems:?}");
    // What is answered can be sent again, but for the password.
    let made = strict.subscribe("noc", &with(&example(), "/notificationChannels/webhook/0/webhook/0/auth", None)).await;
    let again = ["id", "clientId", "organisation", "partyIds"];
    let again = again.iter().fold(made, |made, name| with(&made, &format!("/{name}"), None));
    strict.subscribe("noc", &again).await;
}

#[tokio::test]
async fn a_client_has_as_many_as_the_limit_says() {
    let limits = ClientLimits { subscriptions: 2, ..ClientLimits::default() };
    let stage = Stage::start(Setup { limits, ..setup() }).await;
    let first = stage.subscribe("noc", &example()).await;
    stage.subscribe("noc", &example()).await;
    let refused: Value = stage.post(SUBSCRIPTIONS, "noc", &example()).await.expect(409).json();
    assert_eq!(refused["message"], "The client has 2 subscriptions, which is the limit; delete one.");
    stage.subscribe("desk", &example()).await;
    stage.send(Call::delete(&subscription(first["id"].as_str().unwrap()), "noc")).await.expect(204);
    stage.subscribe("noc", &example()).await;
}

//! What a good token is worth: clients, scopes, owners and contracts within the entry's bounds.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidings::auth::issuers::{ClaimNames, ForeignDenied};

use crate::house::{House, claims, names, patterns, with, without};

#[tokio::test]
async fn only_the_entry_s_clients_are_spoken_for() {
    let house = House::new();
    for good in ["partner-", "partner-a", "partner-é.1", "solo"] {
        assert_eq!(house.claim(&with(claims(), "client_id", json!(good))).await.unwrap().client_id.as_str(), good);
    }
    for bad in
        ["crm", "solo2", "Partner-a", "", "partner-a b", "partner-uid:0", &format!("partner-{}", "x".repeat(248))]
    {
        let outcome = house.claim(&with(claims(), "client_id", json!(bad))).await.map(drop);
        assert_eq!(outcome, Err(ForeignDenied::OtherClient), "{bad}");
    }
    for odd in [json!(["partner-a"]), json!(1), Value::Null] {
        let outcome = house.claim(&with(claims(), "client_id", odd.clone())).await.map(drop);
        assert_eq!(outcome, Err(ForeignDenied::Claim("client_id".to_owned())), "{odd}");
    }
    let missing = with(without(claims(), "client_id"), "azp", json!("partner-a"));
    assert_eq!(house.claim(&missing).await.map(drop), Err(ForeignDenied::Claim("client_id".to_owned())));
    let any = House::with(|entry| entry.client_ids = patterns(&["*"]));
    assert!(any.claim(&with(claims(), "client_id", json!("uid:0"))).await.is_err(), "it would be a local process");
}

#[tokio::test]
async fn claims_have_the_names_that_the_entry_gives_them() {
    let house = House::with(|entry| {
        entry.claims = ClaimNames {
            client_id: "azp".to_owned(),
            scope: "scp".to_owned(),
            parties: None,
            subscriber: None,
            group: Some("https://example.com/teams".to_owned()),
            organisation: Some("org".to_owned()),
        };
    });
    let named = with(with(claims(), "azp", json!("solo")), "scp", json!(["events:publish", "x y", "events:publish"]));
    let teams = with(named, "https://example.com/teams", json!(["/acme", "1003", "acme", "//acme", "/other"]));
    let caller = house.claim(&with(teams.clone(), "org", json!("org-1"))).await.unwrap();
    assert_eq!(caller.client_id.as_str(), "solo");
    assert_eq!(caller.scopes, names(&["events:publish"]));
    assert_eq!(caller.owners.as_ref().unwrap().to_audience(), "1003,acme");
    assert_eq!(caller.affiliation.groups, ["1003", "acme"]);
    assert_eq!(caller.affiliation.organisation.as_deref(), Some("org-1"));
    assert_eq!(house.claim(&teams).await.unwrap().affiliation.organisation, None);
    for odd in [json!(""), json!(["org-1"]), json!("a\nb")] {
        assert!(house.claim(&with(teams.clone(), "org", odd.clone())).await.is_err(), "{odd}");
    }
    assert!(house.claim(&with(teams, "https://example.com/teams", json!("/"))).await.is_err());
}

#[tokio::test]
async fn scopes_and_owners_beyond_the_entry_are_worth_nothing() {
    let house = House::new();
    let more = with(claims(), "scope", json!("notifications:operate notification:consent:administrator trigger"));
    assert_eq!(house.claim(&more).await.unwrap().scopes, names(&["notification:consent:administrator"]));
    for none in [without(claims(), "scope"), with(claims(), "scope", json!(""))] {
        assert!(house.claim(&none).await.unwrap().scopes.is_empty());
    }
    let more = with(with(claims(), "partyId", json!(["1001", "2001", "acme2"])), "sub", json!("someone"));
    assert_eq!(house.claim(&more).await.unwrap().owners.as_ref().unwrap().to_audience(), "1001,acme");
    let unbound = House::with(|entry| entry.owners = None);
    assert_eq!(
        unbound.claim(&more).await.unwrap().owners.as_ref().unwrap().to_audience(),
        "1001,2001,acme,acme2,someone"
    );
    let nothing = House::with(|entry| entry.owners = Some(patterns(&[])));
    assert!(nothing.claim(&more).await.unwrap().owners.as_ref().unwrap().is_empty());
}

#[tokio::test]
async fn an_owner_that_an_audience_cannot_name_is_refused() {
    let house = House::new();
    for odd in [json!("1001,1002"), json!(["1001", ""]), json!(" 1001"), json!(1001), json!([1001]), Value::Null] {
        let outcome = house.claim(&with(claims(), "partyId", odd.clone())).await.map(drop);
        assert_eq!(outcome, Err(ForeignDenied::Claim("partyId".to_owned())), "{odd}");
    }
}

#[tokio::test]
async fn a_subject_is_text_that_can_be_shown() {
    let house = House::with(|entry| entry.claims.subscriber = None);
    assert_eq!(house.claim(&without(claims(), "sub")).await.unwrap().subject, "partner-a");
    for odd in [json!("a\u{0}b"), json!("x".repeat(256)), json!(1)] {
        let outcome = house.claim(&with(claims(), "sub", odd.clone())).await.map(drop);
        assert_eq!(outcome, Err(ForeignDenied::Claim("sub".to_owned())), "{odd}");
    }
}

#[tokio::test]
async fn the_contracts_are_the_entry_s() {
    let house = House::with(|entry| entry.contracts = Some(names(&["events"])));
    let caller = house.claim(&claims()).await.unwrap();
    assert!(caller.may_call("events") && !caller.may_call("polling") && !caller.may_call("admin"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_ever_beyond_the_bounds(
        client in "(partner-|solo|crm)[a-c]{0,2}",
        scopes in prop::collection::vec("(notification:consent:|events:|admin:)[a-z]{0,3}", 0..5),
        owners in prop::collection::vec("(10|20|acme)[0-9]{0,2}", 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let house = House::new();
        let claims = with(with(claims(), "client_id", json!(client)), "scope", json!(scopes.join(" ")));
        let outcome = runtime.block_on(house.claim(&with(claims, "partyId", json!(owners))));
        let allowed = client.starts_with("partner-") || client == "solo";
        prop_assert_eq!(outcome.is_ok(), allowed);
        if let Ok(caller) = outcome {
            let scope_in = |scope: &str| scope.starts_with("notification:consent:") || scope == "events:publish";
            let owner_in = |owner: &str| owner.starts_with("10") || owner == "acme";
            prop_assert!(caller.scopes.iter().all(|scope| scopes.contains(scope) && scope_in(scope)));
            let own = caller.owners.as_ref().unwrap();
            prop_assert!(own.iter().all(owner_in));
            prop_assert!(owners.iter().all(|owner| own.contains(owner) == owner_in(owner)));
        }
    }
}

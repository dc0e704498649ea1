//! Tokens that end before their time, and secrets and certificates that end or are needed besides.

use super::*;
use crate::auth::{BadToken, KeptSecret, Origin, TurnedAway};

const REVOKE: usize = 2;
const CERTIFICATE: [u8; 32] = [7; 32];

impl House {
    async fn post(&self, route: usize, credentials: &str, body: &str) -> (Response, Value) {
        self.post_with(route, credentials, body, None).await
    }

    /// The same over a connection with this certificate.
    async fn post_with(
        &self,
        route: usize,
        credentials: &str,
        body: &str,
        certificate: Option<[u8; 32]>,
    ) -> (Response, Value) {
        let mut headers = vec![("content-type", FORM)];
        let basic = basic(credentials);
        if !credentials.is_empty() {
            headers.push(("authorization", &basic));
        }
        let response = self.root.call(route, Request { certificate, ..request(&headers, body.to_owned()) }).await;
        assert_eq!(response.headers["cache-control"], "no-store");
        let body = serde_json::from_slice(&response.body).unwrap();
        (response, body)
    }

    async fn token(&self, credentials: &str) -> String {
        let (_, body) = self.post(0, credentials, GRANT).await;
        body["access_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    fn admits(&self, token: &str, certificate: Option<[u8; 32]>) -> Result<(), TurnedAway> {
        let now = self.clock.now();
        let verified = self.authenticator.bearer_with(token, certificate, now);
        self.gate.token(verified.map_err(BadToken::from), Origin { address: None, certificate }, now).map(|_| ())
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_from_the_next_request_on_and_no_other() {
    let house = house();
    let [one, other] = [house.token("crm:s3cret").await, house.token("crm:s3cret").await];
    assert_eq!(house.admits(&one, None), Ok(()));
    for _ in 0..2 {
        let form = format!("token={one}&token_type_hint=access_token&foo=1&foo=2");
        let (response, body) = house.post(REVOKE, "crm:s3cret", &form).await;
        assert_eq!((response.status, body), (StatusCode::OK, json!({})));
        assert_eq!(response.object.as_deref(), Some("crm"));
    }
    let refused = house.admits(&one, None).unwrap_err();
    assert!(matches!(refused, TurnedAway::Invalid(ref text) if text.contains("revoked")), "{refused:?}");
    assert_eq!(house.admits(&other, None), Ok(()));

    let body = json!({"token": other, "client_id": "crm", "client_secret": "s3cret"}).to_string();
    let request = request(&[("content-type", "application/json")], body);
    assert_eq!(house.root.call(REVOKE, request).await.status, StatusCode::OK);
    assert!(house.admits(&other, None).is_err());
}

#[tokio::test]
async fn only_the_client_of_a_token_can_revoke_it() {
    let house = house();
    let token = house.token("crm:s3cret").await;
    let form = format!("token={token}");
    refused(house.post(REVOKE, "literal:a%2Bb%2541%25ff", &form).await, 400, "invalid_grant");
    refused(house.post(REVOKE, "crm:wrong", &form).await, 401, "invalid_client");
    refused(house.post(REVOKE, "", &form).await, 401, "invalid_client");
    assert_eq!(house.admits(&token, None), Ok(()));
}

#[tokio::test]
async fn what_is_no_token_needs_no_revocation_but_a_request_without_one_is_refused() {
    let house = house();
    let token = house.token("crm:s3cret").await;
    let changed = format!("{}x", &token[..token.len() - 1]);
    for nothing in ["x", "a.b.c", &changed, &"x".repeat(9000)] {
        let (response, _) = house.post(REVOKE, "crm:s3cret", &format!("token={nothing}")).await;
        assert_eq!(response.status, StatusCode::OK, "{nothing}");
    }
    house.clock.advance(Duration::from_mins(30));
    assert_eq!(house.post(REVOKE, "crm:s3cret", &format!("token={token}")).await.0.status, StatusCode::OK);
    for (form, says) in [("", "missing"), ("token=", "missing"), ("token=a&token=b", "twice")] {
        assert!(refused(house.post(REVOKE, "crm:s3cret", form).await, 400, "invalid_request").contains(says));
    }
}

#[tokio::test]
async fn a_secret_that_has_ended_is_told_from_a_wrong_one_to_who_knows_it() {
    let house = tuned_house(|settings| {
        let end = Timestamp::from_millis(1_800_000_000_000);
        settings.clients[0].secrets[0].not_after = Some(end);
        settings.clients[0].secrets.push(SecretHash::of(b"new").into());
    });
    granted(&house.post(0, "crm:s3cret", GRANT).await);
    house.clock.advance(Duration::from_millis(1));
    assert!(refused(house.post(0, "crm:s3cret", GRANT).await, 401, "invalid_client").contains("not_after"));
    assert!(!refused(house.post(0, "crm:other", GRANT).await, 401, "invalid_client").contains("not_after"));
    granted(&house.post(0, "crm:new", GRANT).await);
}

#[tokio::test]
async fn a_client_that_is_not_enabled_gets_nothing_and_its_tokens_are_refused() {
    let on = house();
    let token = on.token("crm:s3cret").await;
    let mut off = Vec::new();
    let house = tuned_house(|settings| {
        settings.clients[0].terms.enabled = false;
        off.clone_from(&settings.clients);
    });
    assert!(refused(house.post(0, "crm:s3cret", GRANT).await, 400, "unauthorized_client").contains("not enabled"));
    refused(house.post(0, "crm:wrong", GRANT).await, 401, "invalid_client");
    on.authenticator.replace_clients(&off);
    let refused = on.admits(&token, None).unwrap_err();
    assert!(matches!(refused, TurnedAway::Invalid(ref text) if text.contains("not enabled")), "{refused:?}");
}

#[tokio::test]
async fn tokens_of_before_are_refused_and_later_ones_taken() {
    let house = house();
    let mut client = None;
    drop(tuned_house(|settings| client = Some(settings.clients[0].clone())));
    let mut client = client.unwrap();
    let old = house.token("crm:s3cret").await;
    house.clock.advance(Duration::from_secs(1));
    client.tokens_not_before = Some(house.clock.now());
    house.authenticator.replace_clients(std::slice::from_ref(&client));
    let refused = house.admits(&old, None).unwrap_err();
    assert!(matches!(refused, TurnedAway::Invalid(ref text) if text.contains("not good any more")), "{refused:?}");
    let new = house.token("crm:s3cret").await;
    assert_eq!(house.admits(&new, None), Ok(()));
}

/// `alone` shows a certificate, `both` a secret besides.
fn bound_house() -> House {
    tuned_house(|settings| {
        let mut alone = settings.clients[0].clone();
        alone.id = "alone".into();
        alone.secrets.clear();
        let mut both = settings.clients[0].clone();
        both.id = "both".into();
        for client in [&mut alone, &mut both] {
            client.certificates = vec![CERTIFICATE];
        }
        settings.clients.extend([alone, both]);
    })
}

#[tokio::test]
async fn a_certificate_alone_or_beside_the_secret_says_who_the_client_is() {
    let house = bound_house();
    let (right, other) = (Some(CERTIFICATE), Some([8; 32]));
    let alone = format!("{GRANT}&client_id=alone");
    granted(&house.post_with(0, "", &alone, right).await);
    granted(&house.post_with(0, "both:s3cret", GRANT, right).await);
    granted(&house.post_with(0, "crm:s3cret", GRANT, other).await);
    for wrong in [other, None] {
        refused(house.post_with(0, "", &alone, wrong).await, 401, "invalid_client");
        refused(house.post_with(0, "both:s3cret", GRANT, wrong).await, 401, "invalid_client");
    }
    for form in
        [format!("{GRANT}&client_id=both"), format!("{GRANT}&client_id=crm"), format!("{alone}&client_secret=x")]
    {
        refused(house.post_with(0, "", &form, right).await, 401, "invalid_client");
    }
}

#[tokio::test]
async fn the_token_of_a_certificate_is_good_with_that_certificate_only() {
    let house = bound_house();
    let (_, body) = house.post_with(0, "", &format!("{GRANT}&client_id=alone"), Some(CERTIFICATE)).await;
    let token = body["access_token"].as_str().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["cnf"]["x5t#S256"], base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(CERTIFICATE));
    assert_eq!(house.admits(token, Some(CERTIFICATE)), Ok(()));
    for wrong in [None, Some([8; 32])] {
        assert!(matches!(house.admits(token, wrong), Err(TurnedAway::Invalid(_))));
    }
    // Who has no certificate in the files gets tokens that are bound to none, whatever the connection shows.
    let (_, body) = house.post_with(0, "crm:s3cret", GRANT, Some(CERTIFICATE)).await;
    assert_eq!(house.admits(body["access_token"].as_str().unwrap(), None), Ok(()));
}

#[tokio::test]
async fn a_client_that_gets_a_certificate_cannot_use_its_tokens_without() {
    let house = house();
    let token = house.token("crm:s3cret").await;
    let client = ClientSettings {
        secrets: vec![KeptSecret { hash: SecretHash::of(b"s3cret"), not_after: None }],
        certificates: vec![CERTIFICATE],
        scopes: BTreeSet::from(["a".to_owned()]),
        ..ClientSettings::new("crm")
    };
    house.authenticator.replace_clients(&[client]);
    assert!(house.admits(&token, None).is_err());
    assert_eq!(house.admits(&token, Some(CERTIFICATE)), Ok(()));
}

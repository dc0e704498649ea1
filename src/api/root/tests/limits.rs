//! From where, and how often: both sides of each limit.

use super::*;
use crate::auth::AllowedFrom;
use crate::base::network::Network;
use crate::base::rate::Rate;

impl House {
    async fn from(&self, address: &str, credentials: &str) -> (Response, Value) {
        let headers = [("content-type", FORM), ("authorization", &*basic(credentials))];
        let address = (!address.is_empty()).then(|| address.parse().unwrap());
        let response = self.root.call(0, Request { address, ..request(&headers, GRANT) }).await;
        let body = serde_json::from_slice(&response.body).unwrap();
        (response, body)
    }
}

/// That the answer is a 429 of the token endpoint; gives `Retry-After`.
fn too_many(answer: (Response, Value)) -> String {
    let retry_after = answer.0.headers["retry-after"].to_str().unwrap().to_owned();
    refused(answer, 429, "slow_down");
    retry_after
}

#[tokio::test]
async fn an_address_that_guesses_has_to_wait_and_others_do_not() {
    let house = house();
    for number in 0..10 {
        refused(house.from("10.0.0.1", &format!("client-{number}:x")).await, 401, "invalid_client");
    }
    assert_eq!(too_many(house.from("10.0.0.1", "client-1:x").await), "6");
    assert_eq!(too_many(house.from("10.0.0.1", "crm:s3cret").await), "6", "whatever it shows");
    granted(&house.from("10.0.0.2", "crm:s3cret").await);
    house.clock.advance(Duration::from_millis(5999));
    assert_eq!(too_many(house.from("10.0.0.1", "crm:s3cret").await), "1");
    house.clock.advance(Duration::from_millis(1));
    granted(&house.from("10.0.0.1", "crm:s3cret").await);
}

#[tokio::test]
async fn a_client_that_is_guessed_at_is_not_locked_out_from_elsewhere() {
    let house = house();
    for number in 0..10 {
        refused(house.from(&format!("10.0.0.{number}"), "crm:guess").await, 401, "invalid_client");
        refused(house.from(&format!("10.0.1.{number}"), "nobody:guess").await, 401, "invalid_client");
    }
    // That there is no such client makes no difference.
    assert_eq!(too_many(house.from("10.0.0.5", "crm:guess").await), "6");
    assert_eq!(too_many(house.from("10.0.1.5", "nobody:guess").await), "6");
    granted(&house.from("10.0.2.1", "crm:s3cret").await);
    house.clock.advance(Duration::from_secs(6));
    granted(&house.from("10.0.0.5", "crm:s3cret").await);
}

#[tokio::test]
async fn a_client_that_asks_too_often_has_to_wait_and_a_guesser_does_not_use_up_its_rate() {
    let house = tuned_house(|settings| settings.limits.token_rate = Rate::parse("3/s"));
    refused(house.from("10.0.0.9", "crm:guess").await, 401, "invalid_client");
    for _ in 0..3 {
        granted(&house.from("10.0.0.1", "crm:s3cret").await);
    }
    assert_eq!(too_many(house.from("10.0.0.2", "crm:s3cret").await), "1");
    granted(&house.from("10.0.0.1", "literal:a%2Bb%2541%25ff").await);
    house.clock.advance(Duration::from_millis(333));
    too_many(house.from("10.0.0.1", "crm:s3cret").await);
    house.clock.advance(Duration::from_millis(1));
    granted(&house.from("10.0.0.1", "crm:s3cret").await);
}

#[tokio::test]
async fn a_client_gets_tokens_only_from_where_it_may_call() {
    let house = tuned_house(|settings| {
        let networks = vec![Network::parse("10.0.0.0/8").unwrap()];
        settings.clients[0].terms.allowed_from = Some(AllowedFrom { networks, unix: false });
    });
    granted(&house.from("10.1.2.3", "crm:s3cret").await);
    for elsewhere in ["11.0.0.1", "::1", ""] {
        let description = refused(house.from(elsewhere, "crm:s3cret").await, 403, "unauthorized_client");
        assert!(description.contains("allowed_from"), "{description}");
    }
    refused(house.from("11.0.0.1", "crm:wrong").await, 401, "invalid_client");
    granted(&house.from("11.0.0.1", "literal:a%2Bb%2541%25ff").await);
}

//! What has ended stays so: revoked tokens, and what the files name no more.

use std::time::Duration;

use crate::support::{Appliance, Setup, just_before};
use crate::{KEY, post_form, publish, publish_with_key, with_key};

#[tokio::test]
async fn a_revoked_token_is_refused_after_a_restart_too() {
    let appliance = Appliance::plain().await;
    let [one, other] = [appliance.token("crm"), appliance.token("crm")];
    post_form(&appliance, "/oauth2/revoke", "crm", &format!("token={one}")).await.expect(200);
    let refused = publish(&appliance, &one).await.expect(401);
    assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
    publish(&appliance, &other).await.expect(202);

    let appliance = appliance.restart(Setup::default()).await;
    appliance.clock.advance(just_before(Duration::from_hours(1)));
    assert!(publish(&appliance, &one).await.expect(401).text().contains("revoked"));
    publish(&appliance, &other).await.expect(202);
}

#[tokio::test]
async fn a_client_that_the_files_name_no_more_is_refused_after_a_restart() {
    let appliance = Appliance::plain().await;
    let [crm, erp] = ["crm", "erp"].map(|client| appliance.token(client));
    publish(&appliance, &crm).await.expect(202);
    let mut without = Setup::default();
    without.clients.retain(|(id, ..)| *id != "crm");
    let appliance = appliance.restart(without).await;
    assert!(publish(&appliance, &crm).await.expect(401).text().contains("not known here any more"));
    post_form(&appliance, "/oauth2/token", "crm", "grant_type=client_credentials").await.expect(401);
    publish(&appliance, &erp).await.expect(202);
}

#[tokio::test]
async fn a_scope_that_the_files_name_no_more_is_refused_after_a_restart() {
    let appliance = Appliance::plain().await;
    let crm = appliance.token("crm");
    publish(&appliance, &crm).await.expect(202);
    let mut without = Setup::default();
    without.clients[0].1 = &[tidings::auth::scope::CONSUMER];
    let appliance = appliance.restart(without).await;
    let refused = publish(&appliance, &crm).await.expect(403);
    assert!(refused.header("www-authenticate").unwrap().contains("insufficient_scope"));
}

#[tokio::test]
async fn an_api_key_that_the_files_name_no_more_is_refused_after_a_restart() {
    let appliance = Appliance::start(with_key()).await;
    publish_with_key(&appliance, KEY).await.expect(202);
    let appliance = appliance.restart(Setup::default()).await;
    publish_with_key(&appliance, KEY).await.expect(401);
}

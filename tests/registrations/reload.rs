//! Types that become mandatory later.

use serde_json::json;
use tidings::model::notification::EndpointKind;

use crate::stage::{channels, email, id_of, list, make, put, setup, start, type_for, webhook};
use crate::support::Setup;
use tidings::channel::webhook::Answers;
use tidings::engine::Provisioned;

/// The settings with two more types, which are mandatory.
fn stricter() -> Setup {
    let mut setup = setup();
    let mut news = type_for("TITLE_NEWS", EndpointKind::Webhook);
    news.mandatory = vec![EndpointKind::Webhook];
    let mut digest = type_for("DIGEST", EndpointKind::Email);
    digest.mandatory = vec![EndpointKind::Email];
    setup.event_types.extend([news, digest]);
    setup
}

#[tokio::test]
async fn a_type_that_becomes_mandatory_is_added_to_the_registrations_that_there_are() {
    let appliance = start(setup()).await;
    let hook = id_of(&make(&appliance, "broker", &webhook()).await);
    let mail = id_of(&make(&appliance, "broker", &email()).await);
    let emptied = id_of(&make(&appliance, "rival", &email()).await);
    let mut empty = email();
    empty["eventTypes"] = json!([]);
    appliance.send(put(&emptied, "rival", &empty)).await.expect(200);

    let (settings, now) = (crate::support::engine_settings(&stricter()), appliance.engine.settings());
    let mut extended = vec![hook.as_str().into(), mail.as_str().into()];
    extended.sort_unstable();
    let expected = Provisioned { extended, ..Provisioned::default() };
    assert_eq!(appliance.engine.foresee(&settings).unwrap(), expected);
    assert_eq!(appliance.engine.foresee(&now).unwrap(), Provisioned::default());
    assert_eq!(appliance.engine.replace_settings(settings, || {}).await.unwrap(), expected);
    assert_eq!(appliance.engine.provision().await.unwrap(), Provisioned::default(), "once is enough");

    let types = async |client, id: &str| {
        list(&appliance, client, &format!("?registrationId={id}")).await["records"][0]["eventTypes"].clone()
    };
    assert_eq!(types("broker", &hook).await, json!(["WORKSPACE_LODGED", "SECRET_EXPIRY", "TITLE_NEWS"]));
    assert_eq!(types("broker", &mail).await, json!(["LODGEMENT_CASE_REQUISITIONED", "DIGEST"]));
    assert_eq!(types("rival", &emptied).await, json!([]), "its owner wants none");
    assert_eq!(appliance.publish(r#"{"type":"TITLE_NEWS","data":{}}"#).await["matched"], 1);
}

#[tokio::test]
async fn the_same_at_a_start() {
    let appliance = start(setup()).await;
    make(&appliance, "broker", &webhook()).await;
    let appliance = appliance.restart(stricter()).await;
    appliance.engine.use_channels(channels(&[], Answers::Kept, |_| {}));
    let types = list(&appliance, "broker", "").await["records"][0]["eventTypes"].clone();
    assert_eq!(types, json!(["WORKSPACE_LODGED", "SECRET_EXPIRY", "TITLE_NEWS"]));
}

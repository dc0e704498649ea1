//! The declared subscriptions, reconciled with the store by id.

use serde_json::json;

use crate::calls::Call;
use crate::site::{FILES, Stage, results};

const OTHER: &str = "[[subscriptions]]\nid = \"other\"\nclient_id = \"erp\"\nevent_types = [\"404\"]\npoll = {}\n";

#[tokio::test]
async fn one_comes_is_changed_with_its_queue_kept_and_goes_by_draining() {
    let stage = Stage::start(FILES).await;
    let (crm, erp) = (stage.token("crm").await, stage.token("erp").await);
    let report = stage.reload(&format!("{FILES}{OTHER}")).await;
    assert_eq!((report.subscriptions.created, report.differences), (1, 1));
    assert_eq!(stage.publish(&crm, "404").await, 1);
    let report = stage.reload(&format!("{FILES}{}", OTHER.replace("404", "405"))).await;
    assert_eq!(report.subscriptions.updated, 1);
    assert_eq!(stage.publish(&crm, "405").await, 1);
    assert_eq!(stage.publish(&crm, "404").await, 0);
    let report = stage.reload(FILES).await;
    assert_eq!(report.subscriptions.drained, 1);
    assert_eq!(stage.publish(&crm, "405").await, 0, "nothing new is added");
    assert_eq!(results(&stage.poll(&erp, "other").await), 2, "what waited is still delivered");
    stage.end().await;
}

#[tokio::test]
async fn an_id_that_an_api_gave_out_cannot_be_declared_and_nothing_is_changed() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let made = stage.subscribe(&crm, "crm").await;
    let taken = OTHER.replace("other", &made) + &OTHER.replace("404", "301");
    let told = stage.refused(&format!("{FILES}{taken}")).await;
    assert!(told.contains(&made), "{told}");
    assert_eq!(stage.publish(&crm, "301").await, 2, "the other one was not made either");
    stage.end().await;
}

#[tokio::test]
async fn what_the_files_declare_is_read_only_through_the_apis() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let path = "/subscriptions/crm-accounts";
    let polling = Call::new("DELETE", &format!("/notification/v1{path}")).bearer(&crm);
    assert_eq!(stage.send(&polling).await.expect(409).json()["code"], "NOT000009");
    let events = stage.send(&Call::new("DELETE", &format!("/v1{path}")).bearer(&crm)).await.expect(409).json();
    assert!(events["type"].as_str().unwrap().ends_with("/problems/declared"), "{events}");
    let read = Call::new("GET", &format!("/notification/v1{path}")).bearer(&crm);
    stage.send(&read).await.expect(200);
    let purged = Call::new("POST", "/v1/clients/crm/purge").bearer(&crm).json(json!({}).to_string());
    stage.send(&purged).await.expect(200);
    assert!(stage.subscription(&crm, "crm-accounts").await.is_some(), "a purge leaves it");
    stage.end().await;
}

#[tokio::test]
async fn what_waits_for_one_that_goes_fails_or_is_cancelled_where_the_files_said_so() {
    for (on_remove, state, count) in [("fail", "failed", "failed"), ("drop", "cancelled", "dropped")] {
        let other = format!("{OTHER}on_remove = \"{on_remove}\"\n");
        let stage = Stage::start(&format!("{FILES}{other}")).await;
        let crm = stage.token("crm").await;
        stage.publish(&crm, "404").await;
        stage.publish(&crm, "404").await;
        stage.write(FILES);
        let plan = stage.plan().await;
        let gone = plan.differences.iter().find(|d| d.id.as_deref() == Some("other")).unwrap();
        assert_eq!((gone.waiting, gone.on_remove.as_deref()), (Some(2), Some(on_remove)));
        let report = serde_json::to_value(stage.try_reload().await.unwrap()).unwrap();
        assert_eq!(report["subscriptions"][count], 1, "{report}");
        assert!(stage.subscription(&crm, "other").await.is_none());
        let ended = Call::new("GET", &format!("/v1/notifications?state={state}")).bearer(&crm);
        let ended = stage.send(&ended).await.expect(200).json();
        assert_eq!(ended["notifications"].as_array().unwrap().len(), 2, "{ended}");
        assert_eq!(ended["notifications"][0]["reason"], "subscription-removed");
        assert_eq!(stage.metric("tidings_conservation_holds").await, "1");
        stage.end().await;
    }
}

#[tokio::test]
async fn one_that_drains_is_gone_once_nothing_is_left() {
    let stage = Stage::start(&format!("{FILES}{OTHER}")).await;
    let (crm, erp) = (stage.token("crm").await, stage.token("erp").await);
    stage.publish(&crm, "404").await;
    stage.reload(FILES).await;
    assert!(stage.subscription(&crm, "other").await.is_some());
    assert_eq!(results(&stage.poll(&erp, "other").await), 1);
    let gone = async {
        while stage.subscription(&crm, "other").await.is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.expect("it goes in the end");
    let report = stage.reload(&format!("{FILES}{OTHER}")).await;
    assert_eq!(report.subscriptions.created, 1, "it may be declared again");
    stage.end().await;
}

const MAIL: &str = "[email]\nfrom = \"t@example.com\"\nrelay = \"smtp://127.0.0.1:9\"\n\
    [[event_types]]\nid = \"order_confirm\"\ncontracts = [\"recipients\"]\n\
    [[event_types]]\nid = \"LODGED\"\nattributes = [\"status\"]\n";
const GROUP: &str = "[[recipients]]\ngroup = \"1001\"\naddresses = { order_confirm = [\"a@example.com\"] }\n";
const CUSTOMER: &str = "[[customers]]\nid = \"c-1\"\nkeys = { accountId = \"42\" }\nchannels = [\"email\"]\n\
    email = \"jane@example.com\"\norganisation = \"org-1\"\n";
const MANAGED: &str = "[[subscriptions]]\nid = \"managed\"\nclient_id = \"crm\"\ncontract = \"management\"\n\
    event_types = [\"LODGED\"]\nemail = { to = [\"a@example.com\"] }\ncontact_emails = [\"a@example.com\"]\n\
    filter = { attributes = [{ status = \"Success\" }] }\nexpires_on = \"2090-01-01\"\n";

#[tokio::test]
async fn groups_customers_and_what_other_contracts_say_come_change_and_go_too() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let all = [FILES, MANAGED, MAIL, GROUP, CUSTOMER].concat();
    assert_eq!(stage.reload(&all).await.subscriptions.created, 3);
    let same = stage.reload(&all).await;
    assert_eq!((same.differences, same.subscriptions.updated), (0, 0), "{same:?}");
    let changes = [
        ("Success", "Fail"),
        ("2090-01-01", "2090-01-02"),
        ("order_confirm = [\"a@example.com\"]", "order_confirm = [\"a@example.com\", \"b@example.com\"]"),
        ("accountId = \"42\"", "accountId = \"43\""),
        ("organisation = \"org-1\"", "organisation = \"org-1\"\nhours = [\"08:00\", \"20:00\"]"),
        ("organisation = \"org-1\"", "organisation = \"org-1\"\nlocale = \"fr\""),
    ];
    for (old, new) in changes {
        let report = stage.reload(&all.replace(old, new)).await;
        assert_eq!((report.subscriptions.updated, report.subscriptions.created), (1, 0), "{new}: {report:?}");
        assert_eq!(stage.reload(&all).await.subscriptions.updated, 1, "{new}");
    }
    assert_eq!(stage.publish(&crm, "order_confirm").await, 1);
    stage.write(FILES);
    let plan = stage.plan().await;
    let waiting = |section: &str| plan.differences.iter().find(|d| d.section == section).unwrap().waiting;
    assert_eq!((waiting("recipients"), waiting("customers"), waiting("event_types")), (Some(1), Some(0), None));
    let gone = stage.try_reload().await.unwrap();
    assert_eq!(gone.subscriptions.drained, 3, "{gone:?}");
    stage.end().await;
}

#[tokio::test]
async fn a_subscription_whose_last_day_is_over_stays_ended_over_reloads() {
    let ended = MANAGED.replace("2090-01-01", "2020-01-01");
    let files = [FILES, &ended, MAIL].concat();
    let stage = Stage::start(&files).await;
    for _ in 0..2 {
        let report = stage.reload(&files).await;
        assert_eq!((report.subscriptions.created, report.subscriptions.updated), (0, 0), "{report:?}");
    }
    stage.end().await;
}

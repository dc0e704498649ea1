//! Suppressed addresses, and conditions that last.

use std::time::Duration;

use tidings::base::clock::Timestamp;
use tidings::store::{KeptCondition, Suppression};

use super::subject::*;

fn suppression(address: &str, since: Timestamp) -> Suppression {
    Suppression { address: address.to_owned(), since, reply: format!("550 5.1.1 {address} is unknown") }
}

#[tokio::test]
async fn a_suppression_is_kept_until_it_is_too_old_or_lifted() {
    let subject = Subject::new();
    let store = subject.open();
    let day = Duration::from_hours(24);
    assert_eq!(store.suppression("a@example.com", day).await.unwrap(), None);
    let first = suppression("a@example.com", store.now());
    store.suppress("a@example.com", Some(first.clone())).await.unwrap();
    let store = subject.reopen(store).await;
    subject.clock.advance(Duration::from_millis(24 * 3_600_000 - 1));
    assert_eq!(store.suppression("a@example.com", day).await.unwrap(), Some(first.clone()));
    assert_eq!(store.suppression("A@example.com", day).await.unwrap(), None);
    subject.clock.advance(Duration::from_millis(1));
    assert_eq!(store.suppression("a@example.com", day).await.unwrap(), None, "it is a day old");
    assert_eq!(store.suppression("a@example.com", 2 * day).await.unwrap(), Some(first));
    let second = Suppression { reply: "x".repeat(9000), ..suppression("a@example.com", store.now()) };
    store.suppress("a@example.com", Some(second)).await.unwrap();
    assert_eq!(store.suppression("a@example.com", day).await.unwrap().unwrap().reply.len(), 1024);
    store.suppress("a@example.com", None).await.unwrap();
    store.suppress("a@example.com", None).await.unwrap();
    assert_eq!(store.suppression("a@example.com", day).await.unwrap(), None);
    let store = subject.reopen(store).await;
    assert_eq!(store.suppressions(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn suppressions_are_listed_in_order_and_in_parts() {
    let subject = Subject::new();
    let store = subject.open();
    let mut all: Vec<_> = (0..7).map(|n| suppression(&format!("{}@example.com", n * 7 % 10), store.now())).collect();
    for one in &all {
        store.suppress(&one.address, Some(one.clone())).await.unwrap();
    }
    all.sort_by(|a, b| a.address.cmp(&b.address));
    assert_eq!(store.suppressions(None, 100).await.unwrap(), all);
    let mut listed = Vec::new();
    while let part @ [_, ..] =
        &store.suppressions(listed.last().map(|one: &Suppression| one.address.as_str()), 3).await.unwrap()[..]
    {
        assert!(part.len() <= 3);
        listed.extend_from_slice(part);
    }
    assert_eq!(listed, all);
    assert_eq!(store.suppressions(Some("3"), 1).await.unwrap()[0].address, "4@example.com");
    assert_eq!(store.suppressions(Some("zzz"), 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_condition_is_kept_while_it_lasts() {
    let subject = Subject::new();
    let store = subject.open();
    let condition = |name: &str, subject: &str, times| KeptCondition {
        name: name.to_owned(),
        subject: subject.to_owned(),
        since: store.now(),
        told: (times, store.now().plus(HOUR)),
        detail: "held since noon".to_owned(),
    };
    let (held, other, low) = (
        condition("tidings.endpoint.held", "s", 1),
        condition("tidings.endpoint.held", "t", 1),
        condition("tidings.disk.low", "s", 4),
    );
    for one in [&held, &other, &low] {
        store.keep_condition(one.clone()).await.unwrap();
    }
    let again = KeptCondition { told: (2, store.now()), detail: "x".repeat(9000), ..held };
    store.keep_condition(again.clone()).await.unwrap();
    store.end_condition("tidings.endpoint.held", "t").await.unwrap();
    store.end_condition("tidings.endpoint.held", "nobody").await.unwrap();
    let store = subject.reopen(store).await;
    let kept = KeptCondition { detail: "x".repeat(1024), ..again };
    assert_eq!(store.conditions().await.unwrap(), [low, kept]);
}

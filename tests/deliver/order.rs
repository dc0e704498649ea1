//! In which order the notifications of an endpoint go out.

use std::time::Duration;

use tidings::model::notification::State;

use crate::script::{Reply, delivered, refused, rejected};
use crate::stage::{Stage, setup, strict};
use crate::support::until;

async fn stage() -> Stage {
    Stage::start(setup(vec![strict("a", &["x", "brief"], "http://a")])).await
}

#[tokio::test]
async fn in_strict_order_one_is_in_flight_and_the_head_blocks() {
    let stage = stage().await;
    stage
        .script
        .answer(|tried| Reply::Now(if tried.name == "b" && tried.attempt < 3 { refused() } else { delivered() }));
    stage.publish("x", &["a", "b", "c", "d"]).await;
    stage.tried(2).await;
    stage.quiet().await;
    for wanted in [3, 6] {
        stage.advance_to(stage.due_of("a", "b").await);
        stage.tried(wanted).await;
    }
    assert_eq!(stage.script.names(), ["a", "b", "b", "b", "c", "d"]);
    assert_eq!(stage.script.most_at("http://a"), 1);
}

#[tokio::test]
async fn a_head_that_ends_gives_way() {
    let stage = stage().await;
    stage.script.answer(|tried| Reply::Now(if tried.name.starts_with("bad") { rejected() } else { delivered() }));
    stage.publish("x", &["bad1", "a", "bad2", "b"]).await;
    stage.tried(4).await;
    assert_eq!(stage.script.names(), ["bad1", "a", "bad2", "b"]);
    // One whose deadline comes does so as well.
    stage.script.always(refused());
    stage.publish("brief", &["brief"]).await;
    stage.tried(5).await;
    stage.publish("x", &["c"]).await;
    stage.script.answer(|tried| Reply::Now(if tried.name == "c" { delivered() } else { refused() }));
    stage.quiet().await;
    stage.advance(Duration::from_secs(10));
    until("the next is sent", || stage.script.names().last().unwrap() == "c").await;
}

#[tokio::test]
async fn replays_queue_by_their_original_position() {
    let stage = stage().await;
    stage.script.always(rejected());
    stage.publish("x", &["a", "b", "c"]).await;
    stage.tried(3).await;
    stage.appliance.engine.pause("a").await.unwrap();
    stage.publish("x", &["d", "e"]).await;
    let ids: Vec<_> = stage.stories("a").await.iter().map(|story| story.view.id).collect();
    for index in [2, 0] {
        stage.appliance.engine.retry(ids[index], "test", false).await.unwrap();
    }
    stage.script.always(delivered());
    stage.appliance.engine.resume("a").await.unwrap();
    stage.tried(7).await;
    assert_eq!(stage.script.names(), ["a", "b", "c", "a", "c", "d", "e"]);
    let tried = stage.script.tried();
    assert_eq!((tried[3].id, tried[3].attempt), (ids[0], 2), "the id is the same, and attempts are counted on");
}

#[tokio::test]
async fn in_relaxed_order_first_tries_go_out_in_order_and_nobody_waits_for_a_retry() {
    let stage = Stage::plain().await;
    stage
        .script
        .answer(|tried| Reply::Now(if tried.name == "b" && tried.attempt == 1 { refused() } else { delivered() }));
    stage.publish("x", &["a", "b", "c", "d"]).await;
    stage.tried(4).await;
    assert_eq!(stage.script.names(), ["a", "b", "c", "d"]);
    stage.advance_to(stage.due_of("a", "b").await);
    stage.tried(5).await;
    assert!(stage.ends("a").await.iter().all(|(state, _)| *state == State::Delivered));
}

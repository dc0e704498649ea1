//! What is served is replaced while requests and connections are under way.

use tidings::http::settings::ServerSettings;

use crate::toy::{Event, MAX_BODY, Running, settings};

#[tokio::test]
async fn the_next_request_is_answered_by_what_is_new_on_the_same_connection() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    assert_eq!(client.get("/toy/echo").await.status, 200);
    server.serve_instead(&settings(), &["/game"]).unwrap();
    assert_eq!(client.get("/toy/echo").await.body, "root refuses: NoSuchPath");
    assert_eq!(client.get("/game/echo").await.body, "toy /echo id= query= who=nobody");
}

#[tokio::test]
async fn a_request_under_way_ends_as_it_began() {
    let mut server = Running::start(&settings());
    let mut client = server.connect().await;
    client.send("GET /toy/wait HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(server.event().await, Event::Called("wait"));
    server.serve_instead(&settings(), &["/game"]).unwrap();
    server.gate.send(true).unwrap();
    assert_eq!(client.answer().await.body, "waited");
    assert_eq!(client.get("/toy/wait").await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_and_changes_nothing() {
    let server = Running::start(&settings());
    let error = server.serve_instead(&settings(), &["/game", "/game"]).unwrap_err();
    assert!(error.to_string().contains("both mounted at \"/game\""), "{error}");
    assert_eq!(server.connect().await.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn a_larger_body_fits_on_a_connection_that_is_older() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    let large = "b".repeat(80 * MAX_BODY);
    assert_eq!(client.ask("POST", "/toy/bodies", "", "small").await.status, 200);
    assert_eq!(client.ask("POST", "/toy/bodies", "", &"b".repeat(MAX_BODY + 1)).await.status, 413);
    let roomy = ServerSettings { max_body: 400 * MAX_BODY, ..settings() };
    let mut client = server.connect().await;
    assert_eq!(client.ask("POST", "/toy/bodies", "", "small").await.status, 200);
    server.serve_instead(&roomy, &["/toy"]).unwrap();
    assert_eq!(client.ask("POST", "/toy/bodies", "", &large).await.body, large.len().to_string());
    let huge = "b".repeat(399 * MAX_BODY);
    assert_eq!(client.ask("POST", "/toy/bodies", "", &huge).await.body, huge.len().to_string());
}

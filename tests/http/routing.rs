//! Paths, methods and mounts.

use std::time::Duration;

use crate::client::{Client, request};
use crate::toy::{Running, settings};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_longest_mount_by_whole_segments_answers() {
    let server =
        Running::start_with(&settings(), &["/notification/v1", "/notifications/v1", "/notification"], LONG).unwrap();
    let mut client = server.connect().await;
    for (path, answer) in [
        ("/notification/v1/echo", "toy /echo id= query= who=nobody"),
        ("/notifications/v1/echo", "toy /echo id= query= who=nobody"),
        ("/notification/echo", "toy /echo id= query= who=nobody"),
        ("/echo?a=b%20c", "root /echo id= query=a=b%20c who=nobody"),
        ("/notification/v1x/echo", "toy refuses: NoSuchPath"),
        ("/notification/v1", "toy refuses: NoSuchPath"),
        ("/notification/v1/", "toy refuses: NoSuchPath"),
        ("/notifications/echo", "root refuses: NoSuchPath"),
        ("/notificationx", "root refuses: NoSuchPath"),
        ("http://elsewhere/notification/echo", "toy /echo id= query= who=nobody"),
        ("*", "root refuses: NoSuchPath"),
    ] {
        assert_eq!(client.get(path).await.body, answer, "{path}");
    }
}

#[tokio::test]
async fn a_path_is_what_it_is() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    for (path, answer) in [
        ("/toy/things/a%2Fb%20c", "toy /things/a%2Fb%20c id=a/b c query= who=nobody"),
        ("/toy/things/x", "toy /things/x id=x query= who=nobody"),
        ("/toy/things/x/", "toy refuses: NoSuchPath"),
        ("/toy/echo/", "toy refuses: NoSuchPath"),
        ("/toy//echo", "toy refuses: NoSuchPath"),
        ("/toy/things/", "toy refuses: NoSuchPath"),
        ("/toy/things/%", "toy refuses: NoSuchPath"),
        ("/toy/things/%zz", "toy refuses: NoSuchPath"),
        ("/toy/things/%ff", "toy refuses: NoSuchPath"),
        ("/toy/things/../echo", "toy refuses: NoSuchPath"),
    ] {
        assert_eq!(client.get(path).await.body, answer, "{path}");
    }
    let long = format!("/toy/{}", "p".repeat(10_000));
    assert_eq!(client.get(&long).await.status, 404);
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    for method in ["POST", "PUT", "OPTIONS", "TRACE", "BREW"] {
        let answer = client.ask(method, "/toy/things/1", "", "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, DELETE")), "{method}");
    }
    // HEAD is not implied by GET, and its answer has the headers of a body but not the body.
    let head = client.ask("HEAD", "/toy/things/1", "", "").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, DELETE")));
    assert_ne!(head.header("content-length"), Some("0"));
    assert_eq!(client.get("/toy/things/1").await.status, 200);
    assert_eq!(client.ask("CONNECT", "elsewhere:443", "", "").await.status, 404);
}

#[tokio::test]
async fn the_path_comes_before_the_method_and_both_before_the_credential() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    assert_eq!(client.ask("PUT", "/toy/nothing", "", "").await.status, 404);
    assert_eq!(client.ask("PUT", "/toy/secret", "", "").await.status, 405);
    assert_eq!(client.ask("GET", "/toy/secret", "", "").await.status, 401);
    let too_large = request("POST", "/toy/secret", "content-length: 1000000\r\n", "");
    client.send(too_large).await;
    assert_eq!(client.answer().await.status, 401);
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let server = Running::start(&settings());
    let mut ids = std::collections::HashSet::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        for path in ["/toy/echo", "/toy/panic", "/nothing"] {
            let answer = client.ask("GET", path, "x-request-id: mine\r\n", "").await;
            assert!(ids.insert(answer.header("x-request-id").unwrap().to_owned()), "{answer:?}");
            assert!(answer.header("date").is_some());
        }
    }
    assert!(!ids.contains("mine"));
}

#[tokio::test]
async fn a_panic_is_one_caller_s_misfortune() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    let answer = client.get("/toy/panic").await;
    assert_eq!((answer.status, &*answer.body), (500, "toy refuses: Internal"));
    assert_eq!(client.get("/toy/echo").await.status, 200);
    assert_eq!(server.connect().await.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn whoever_cannot_be_served_now_is_told_when_to_come_back() {
    let server = Running::start(&settings());
    let answer = server.connect().await.get("/toy/overloaded").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    for path in ["/toy/echo", "/toy/echo", "/toy/secret", "/toy/a", "/toy/b", "/toy/panic"] {
        client.get(path).await;
    }
    client.send("not http\r\n\r\n").await;
    client.answer().await;
    let text = server.metrics();
    for line in [
        "tidings_http_requests_total{contract=\"toy\",operation=\"echo\",status=\"200\"} 2",
        "tidings_http_requests_total{contract=\"toy\",operation=\"echo\",status=\"401\"} 1",
        "tidings_http_requests_total{contract=\"toy\",operation=\"none\",status=\"404\"} 2",
        "tidings_http_requests_total{contract=\"toy\",operation=\"panic\",status=\"500\"} 1",
        "tidings_http_requests_total{contract=\"root\",operation=\"none\",status=\"400\"} 1",
        "tidings_http_request_duration_seconds_count{contract=\"toy\",operation=\"echo\"} 3",
        "tidings_http_requests_in_flight 0",
        "tidings_http_connections 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn mounts_have_to_differ() {
    let error = Running::start_with(&settings(), &["/same", "/same"], LONG).err().unwrap();
    assert!(error.to_string().contains("both mounted at \"/same\""), "{error}");
    for bad in ["no-slash", "/slash/"] {
        let error = Running::start_with(&settings(), &[bad], LONG).err().unwrap();
        assert!(error.to_string().contains("a mount begins with a slash"), "{error}");
    }
}

#[tokio::test]
async fn a_server_has_all_its_addresses() {
    let mut two = settings();
    two.listen.push(two.listen[0].clone());
    let server = Running::start(&two);
    assert_ne!(server.addresses[0], server.addresses[1]);
    for address in &server.addresses {
        assert_eq!(Client::connect(address).await.get("/echo").await.status, 200);
    }
}

//! Calls of the appliance over HTTP, each on a connection of its own.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::Appliance;
use super::openapi::Exchange;

/// A request to be sent.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Whose token it carries; `None`: none.
    pub(crate) client: Option<&'static str>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn exchange<'a>(&'a self, method: &'a Method, target: &'a str) -> Exchange<'a> {
        Exchange { method: method.as_str(), target, status: self.status, headers: &self.headers, body: &self.body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    /// This answer, which must have the status `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Call {
    pub(crate) fn new(method: Method, path: &str, client: &'static str) -> Self {
        Self { method, path: path.to_owned(), client: Some(client), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn get(path: &str, client: &'static str) -> Self {
        Self::new(Method::GET, path, client)
    }

    pub(crate) fn delete(path: &str, client: &'static str) -> Self {
        Self::new(Method::DELETE, path, client)
    }

    /// A POST of JSON.
    pub(crate) fn post(path: &str, client: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, path, client).body(body).header(CONTENT_TYPE.as_str(), "application/json")
    }

    /// A POST of another type.
    pub(crate) fn post_as(path: &str, client: &'static str, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, path, client).body(body).header(CONTENT_TYPE.as_str(), content_type)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn without_token(mut self) -> Self {
        self.client = None;
        self
    }
}

impl Appliance {
    /// Sends `call` and reads the whole answer, which the contract's document must describe.
    pub(crate) async fn send(&self, call: Call) -> Answer {
        let (method, path) = (call.method.clone(), call.path.clone());
        let answer = self.send_unchecked(call).await;
        answer.exchange(&method, &path).check();
        answer
    }

    /// The same where settings make the answer another one than the shipped document says.
    pub(crate) async fn send_unchecked(&self, call: Call) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request =
            Request::builder().method(&call.method).uri(&call.path).header("host", self.address.to_string());
        if let Some(client) = call.client {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token(client)));
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let response = sender.send_request(request.body(Full::new(call.body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Makes a subscription of `client` and answers its id.
    pub(crate) async fn subscribe(&self, client: &'static str, event_types: &[&str]) -> String {
        let body = serde_json::json!({"event_type_ids": event_types, "client_id": client}).to_string();
        let made = self.send(Call::post("/notification/v1/subscriptions", client, body)).await.expect(201);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    /// Publishes a plain event as `crm` and answers the receipt.
    pub(crate) async fn publish(&self, event: &str) -> Value {
        self.send(Call::post("/v1/events", "crm", event.to_owned())).await.expect(202).json()
    }

    /// Polls as `crm` and answers the page's text.
    pub(crate) async fn poll_text(&self, id: &str) -> String {
        self.send(Call::get(&notifications(id), "crm")).await.expect(200).text()
    }

    /// Polls as `crm` and answers the results.
    pub(crate) async fn poll(&self, id: &str) -> Vec<Value> {
        let page: Value = serde_json::from_str(&self.poll_text(id).await).unwrap();
        page["results"].as_array().unwrap().clone()
    }
}

/// The path of a subscription.
pub(crate) fn subscription(id: &str) -> String {
    format!("/notification/v1/subscriptions/{id}")
}

/// The path of its notifications.
pub(crate) fn notifications(id: &str) -> String {
    format!("/notification/v1/subscriptions/{id}/notifications")
}

//! What stands before every contract of the admin listener: requests that a browser was tricked into are refused.
//!
//! Over TCP each request has to name the listener as its own ([`super::origin`]). No browser opens a unix socket, but
//! one can be led to it (by a forwarded port), and there no token is asked for: a request that says that it is a
//! browser's is looked at there too.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::header::{CACHE_CONTROL, HeaderValue};

use super::AdminSettings;
use super::origin::{Asked, Hosts, is_a_browser};
use crate::api::problem::{self, Problem};
use crate::http::contract::{Contract, Refusal, Request, Response, Route, Verb};

/// A contract that is asked only by who means to.
pub struct Guarded {
    hosts: Hosts,
    public_url: String,
    /// Which routes, by their index, change something.
    changing: Vec<bool>,
    inner: Arc<dyn Contract>,
}

impl Guarded {
    /// `inner` as the admin listener serves it.
    #[must_use]
    pub fn new(settings: &AdminSettings, inner: Arc<dyn Contract>) -> Self {
        let changing = inner.routes().iter().map(|route| route.method != Verb::Get).collect();
        Self { hosts: Hosts::of(&settings.listen), public_url: settings.public_url.clone(), changing, inner }
    }

    fn objection(&self, route: usize, request: &Request) -> Option<String> {
        let asked = Asked {
            host: request.header("host"),
            origin: request.header("origin"),
            site: request.header("sec-fetch-site"),
            // What cannot be told is taken for the worse.
            changes: self.changing.get(route).copied().unwrap_or(true),
        };
        let is_looked_at = request.peer.is_some() || is_a_browser(&request.headers);
        is_looked_at.then(|| self.hosts.objection(&asked)).flatten()
    }
}

#[async_trait]
impl Contract for Guarded {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn mount(&self) -> &str {
        self.inner.mount()
    }

    fn routes(&self) -> Vec<Route<()>> {
        self.inner.routes()
    }

    fn max_body(&self) -> usize {
        self.inner.max_body()
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        match self.objection(route, &request) {
            Some(objection) => problem::answer(&self.public_url, Problem::ForeignSite, &objection, &[])
                .header(CACHE_CONTROL, HeaderValue::from_static("no-store")),
            None => self.inner.call(route, request).await,
        }
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        self.inner.refuse(refusal, request_id)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::StatusCode;
    use hyper::header::{HeaderMap, HeaderName};

    use super::*;
    use crate::http::contract::{Access, BodyRule, Trace};
    use crate::http::settings::ListenAddress;

    /// A contract with a route that looks and one that changes.
    struct Plain;

    #[async_trait]
    impl Contract for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }
        fn mount(&self) -> &'static str {
            "/v1"
        }
        fn routes(&self) -> Vec<Route<()>> {
            let route = |method| Route {
                method,
                path: "/x",
                operation: (),
                label: "x",
                access: Access::Public,
                body: BodyRule::None,
                trace: Trace::None,
            };
            vec![route(Verb::Get), route(Verb::Post)]
        }
        fn max_body(&self) -> usize {
            0
        }
        async fn call(&self, _: usize, _: Request) -> Response {
            Response::empty(StatusCode::NO_CONTENT)
        }
        fn refuse(&self, _: &Refusal, _: &str) -> Response {
            Response::empty(StatusCode::NOT_FOUND)
        }
    }

    const LOOK: usize = 0;
    const CHANGE: usize = 1;

    async fn status(route: usize, tcp: bool, headers: &[(&'static str, &'static str)]) -> u16 {
        let settings = AdminSettings {
            listen: vec![ListenAddress::parse("127.0.0.1:8421").unwrap()],
            public_url: "http://127.0.0.1:8420".to_owned(),
            token_path: "/oauth2/token".to_owned(),
        };
        let headers: HeaderMap =
            headers.iter().map(|&(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect();
        let request = Request {
            id: "r".to_owned(),
            peer: tcp.then(|| "127.0.0.1:5".parse().unwrap()),
            address: None,
            certificate: None,
            path: "/x".to_owned(),
            params: Vec::new(),
            query: String::new(),
            headers,
            principal: None,
            standing: crate::http::Standing::default(),
            body: Bytes::new(),
        };
        let response = Guarded::new(&settings, Arc::new(Plain)).call(route, request).await;
        if response.status == StatusCode::FORBIDDEN {
            assert!(String::from_utf8_lossy(&response.body).contains("problems/foreign-site"));
        }
        response.status.as_u16()
    }

    #[tokio::test]
    async fn on_tcp_every_request_must_name_the_listener() {
        for route in [LOOK, CHANGE] {
            assert_eq!(status(route, true, &[("host", "localhost:8421")]).await, 204);
            assert_eq!(status(route, true, &[("host", "evil.example")]).await, 403);
            assert_eq!(status(route, true, &[]).await, 403);
            let page = [("host", "localhost:8421"), ("origin", "http://evil.example")];
            assert_eq!(status(route, true, &page).await, 403);
        }
    }

    #[tokio::test]
    async fn on_a_unix_socket_only_a_browser_s_must() {
        for route in [LOOK, CHANGE] {
            assert_eq!(status(route, false, &[("host", "whatever")]).await, 204);
            assert_eq!(status(route, false, &[]).await, 204);
            let own = [("host", "localhost:1"), ("origin", "http://localhost:1"), ("sec-fetch-site", "same-origin")];
            assert_eq!(status(route, false, &own).await, 204);
            let rebound = [("host", "evil.example"), ("origin", "http://evil.example")];
            assert_eq!(status(route, false, &rebound).await, 403);
            assert_eq!(status(route, false, &[("host", "evil.example"), ("sec-fetch-mode", "navigate")]).await, 403);
        }
    }

    #[tokio::test]
    async fn what_another_site_s_page_asks_for_changes_nothing() {
        for tcp in [true, false] {
            for site in ["cross-site", "same-site", "what is this"] {
                let headers = [("host", "localhost:8421"), ("sec-fetch-site", site)];
                assert_eq!(status(LOOK, tcp, &headers).await, 204, "a link may lead here");
                assert_eq!(status(CHANGE, tcp, &headers).await, 403, "{site}");
            }
            for site in ["same-origin", "none"] {
                let headers = [("host", "localhost:8421"), ("sec-fetch-site", site)];
                assert_eq!(status(CHANGE, tcp, &headers).await, 204, "{site}");
            }
        }
    }
}

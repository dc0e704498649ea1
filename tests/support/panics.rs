//! A contract whose calls panic while they are told to: what a fault of our own is to a caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tidings::http::contract::{Contract, Refusal, Request, Response, Route};

struct Panics {
    inner: Arc<dyn Contract>,
    now: Arc<AtomicBool>,
}

/// `inner`, whose calls panic while `now` is set.
pub(crate) fn under(inner: Arc<dyn Contract>, now: &Arc<AtomicBool>) -> Arc<dyn Contract> {
    Arc::new(Panics { inner, now: now.clone() })
}

#[async_trait]
impl Contract for Panics {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn mount(&self) -> &str {
        self.inner.mount()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn routes(&self) -> Vec<Route<()>> {
        self.inner.routes()
    }

    fn max_body(&self) -> usize {
        self.inner.max_body()
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        assert!(!self.now.load(Ordering::SeqCst), "the fault that was asked for");
        self.inner.call(route, request).await
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        self.inner.refuse(refusal, request_id)
    }
}

//! Whether what a request was let in with is still good: for calls that wait, and may be overtaken by a reload.

use std::sync::Arc;

use hyper::header::HeaderMap;

use super::contract::{Access, Refusal};
use super::credential::{self, Origin};
use super::serving::{Serving, ServingSlot};

/// How a request was let in. The default is good for ever.
#[derive(Clone, Default)]
pub struct Standing(Option<Admitted>);

#[derive(Clone)]
struct Admitted {
    slot: ServingSlot,
    /// What it was let in by.
    by: Arc<Serving>,
    contract: &'static str,
    access: Access,
    origin: Origin,
}

impl Standing {
    pub(super) fn new(
        slot: &ServingSlot,
        by: &Arc<Serving>,
        contract: &'static str,
        access: Access,
        origin: Origin,
    ) -> Self {
        Self(Some(Admitted { slot: slot.clone(), by: Arc::clone(by), contract, access, origin }))
    }

    /// Whether a request with these headers would still be let in: after a reload its credential is looked at again. That
    /// there are too many requests, or that it cannot be told now, ends nothing.
    pub async fn is_good(&self, headers: &HeaderMap) -> bool {
        let Some(Admitted { slot, by, contract, access, origin }) = &self.0 else { return true };
        let now = slot.now();
        if Arc::ptr_eq(&now, by) {
            return true;
        }
        let checked = credential::check(&*now.authenticator, contract, *access, headers, *origin).await;
        checked.map_or_else(|denied| says_nothing_of_it(&denied.refusal), |_| true)
    }
}

/// Whether the credential may be as good as it was.
const fn says_nothing_of_it(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::TooManyRequests { .. } | Refusal::Unavailable { .. } | Refusal::Internal)
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Standing(…)" } else { "Standing" })
    }
}

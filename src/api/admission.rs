//! The admission of a request's caller, for polls that wait.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::header::HeaderMap;

use crate::engine::{Admission, StillAdmitted};
use crate::http::Standing;
use crate::http::contract::Request;

/// What a request was let in with.
struct LetIn {
    standing: Standing,
    headers: HeaderMap,
}

#[async_trait]
impl StillAdmitted for LetIn {
    async fn is_admitted(&self) -> bool {
        self.standing.is_good(&self.headers).await
    }
}

/// The admission of who sends `request`.
pub(super) fn of(request: &Request) -> Admission {
    Admission::new(Arc::new(LetIn { standing: request.standing.clone(), headers: request.headers.clone() }))
}

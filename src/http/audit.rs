//! What the audit trail says of requests: who was not let in, and what each change came to.
//!
//! A change is written before its answer is: who has the answer finds the line. Refusals of callers that have not shown
//! who they are, and of what a credential is not good for, are gathered ([`Trail::refused`]): they are not worth a
//! request's wait, and a flood of them must not be worth more than that.

use std::net::IpAddr;

use hyper::StatusCode;

use super::contract::{Note, Refusal, Response, Trace};
use super::credential::Denied;
use crate::auth::{Credential, Principal};
use crate::base::audit::{Actor, Address, Entry, Outcome, Trail};

/// A credential was missing or no good, or there were too many of them.
const AUTHENTICATE: &str = "authenticate";
/// A credential was good, but not for this.
const AUTHORISE: &str = "authorise";

/// What all lines of a request have in common.
#[derive(Clone, Copy)]
pub(super) struct Subject<'d> {
    pub(super) trail: &'d Trail,
    pub(super) contract: &'static str,
    pub(super) operation: &'static str,
    pub(super) address: Option<IpAddr>,
    pub(super) request: &'d str,
}

impl<'d> Subject<'d> {
    fn entry(&self, action: &'static str, outcome: Outcome) -> Entry {
        let Self { trail: _, contract, operation, address, request } = *self;
        Entry::new(action, outcome).from(Address::from(address)).through(contract, operation).of_request(request)
    }

    /// The request was not let in.
    pub(super) fn denied(self, params: &[(String, String)], denied: &Denied) {
        let (action, status, reason) = match &denied.refusal {
            Refusal::Unauthenticated { detail } => (AUTHENTICATE, 401, detail.clone()),
            Refusal::TooManyRequests { detail, .. } => (AUTHENTICATE, 429, detail.clone()),
            Refusal::Unavailable { detail } => (AUTHENTICATE, 503, detail.clone()),
            Refusal::NotAllowed { detail } => (AUTHORISE, 403, detail.clone()),
            Refusal::Forbidden { scope } => (AUTHORISE, 403, format!("it does not have the scope {scope}")),
            // Not for want of a credential.
            Refusal::NoSuchPath
            | Refusal::MethodNotAllowed { .. }
            | Refusal::BodyTooLarge { .. }
            | Refusal::BadRequest { .. }
            | Refusal::BodyTimeout { .. }
            | Refusal::Internal => return,
        };
        let entry = self.entry(action, Outcome::of_status(status)).answered(status).because(&reason);
        let entry = about(entry, object_of(params).as_deref());
        self.trail.refused(by(entry, denied.principal.as_ref().map(actor)));
    }

    /// The request is let in.
    pub(super) fn admitted(
        self,
        trace: Trace,
        params: &[(String, String)],
        principal: Option<&Principal>,
    ) -> Account<'d> {
        let (change, object) = match trace {
            Trace::None => (None, None),
            Trace::Change(change) => (Some(change), object_of(params)),
        };
        Account { subject: self, change, object, principal: principal.cloned() }
    }
}

/// A call until its line is written. Dropped before it is answered, a change is noted as unanswered.
pub(super) struct Account<'d> {
    subject: Subject<'d>,
    change: Option<&'static str>,
    object: Option<String>,
    principal: Option<Principal>,
}

impl Account<'_> {
    /// The call came to this answer.
    pub(super) async fn answered(mut self, response: &Response) {
        let status = response.status;
        let change = self.change.take();
        let Some(action) = change.or_else(|| refused_for(status)) else { return };
        let entry = self.entry(action, Outcome::of_status(status.as_u16()), response.audit.as_deref());
        let entry = about(entry, response.object.as_deref().or(self.object.as_deref())).answered(status.as_u16());
        if change.is_none() || self.principal.is_none() && !status.is_success() {
            self.subject.trail.refused(entry);
        } else {
            self.subject.trail.record(entry).await;
        }
    }

    fn entry(&self, action: &'static str, outcome: Outcome, note: Option<&Note>) -> Entry {
        let shown = self.principal.as_ref().map(actor);
        let entry = self.subject.entry(action, outcome);
        let Some(Note { principal, reason, details }) = note else { return by(entry, shown) };
        let entry = by(entry, shown.or_else(|| principal.clone()));
        let entry = reason.iter().fold(entry, |entry, reason| entry.because(reason));
        details.iter().fold(entry, |entry, (name, value)| entry.with(name, value.clone()))
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        let Some(action) = self.change.take() else { return };
        let entry = about(self.entry(action, Outcome::Unanswered, None), self.object.as_deref());
        if self.principal.is_some() {
            self.subject.trail.note(entry);
        } else {
            self.subject.trail.refused(entry);
        }
    }
}

/// What a contract's own refusal is to the trail where the route changes nothing.
fn refused_for(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::UNAUTHORIZED => Some(AUTHENTICATE),
        StatusCode::FORBIDDEN => Some(AUTHORISE),
        _ => None,
    }
}

fn by(entry: Entry, actor: Option<Actor>) -> Entry {
    match actor {
        Some(actor) => entry.by(actor),
        None => entry,
    }
}

fn about(entry: Entry, object: Option<&str>) -> Entry {
    match object {
        Some(object) => entry.about(object),
        None => entry,
    }
}

/// The path's parameters, in its order.
fn object_of(params: &[(String, String)]) -> Option<String> {
    let values: Vec<_> = params.iter().map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| values.join("/"))
}

fn actor(principal: &Principal) -> Actor {
    let id = principal.client_id.as_str().to_owned();
    match &principal.credential {
        Credential::Token => Actor::client(&id),
        Credential::ForeignToken { issuer } => Actor::Client { id, issuer: issuer.clone() },
        Credential::ApiKey { public } => Actor::ApiKey { id, key: public.clone() },
        Credential::Peer { uid } => Actor::Peer { uid: *uid },
    }
}

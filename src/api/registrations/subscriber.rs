//! For whom a call is.

use uuid::Uuid;

use super::contract::NAME;
use super::error::{Error, Problem};
use crate::auth::Principal;
use crate::http::contract::Request;

/// The parameter that names another subscriber.
pub(super) const PARAMETER: &str = "subscriberId";

/// The subscriber that the call is for: the caller's own, or the one that an administrator names.
pub(super) fn of(request: &Request, caller: &Principal) -> Result<String, Error> {
    let own = caller.affiliation.subscriber.as_deref();
    let is_admin = caller.acts_for_any.contains(NAME);
    match request.query_value(PARAMETER) {
        Some(named) if own.is_some_and(|own| is_same(own, &named)) => Ok(own.unwrap_or_default().to_owned()),
        Some(_) if !is_admin => Err(Error::NotAllowed(format!(
            "{PARAMETER} names another subscriber, which only administrators may; leave it out."
        ))),
        Some(named) => match Uuid::try_parse(&named) {
            Ok(id) if named.len() == 36 => Ok(id.hyphenated().to_string()),
            _ => Err(Error::Invalid(vec![Problem::of(PARAMETER, "must be a UUID")])),
        },
        None => match own {
            Some(own) => Ok(own.to_owned()),
            None if is_admin => {
                let missing = "is missing: the client has no subscriber of its own";
                Err(Error::Invalid(vec![Problem::of(PARAMETER, missing)]))
            }
            None => Err(Error::NotAllowed(
                "The client has no subscriber, so there is nobody that it could act for; its operator can name one."
                    .to_owned(),
            )),
        },
    }
}

/// Whether both are the same: UUIDs are, whatever the case of their letters (RFC 9562, 4).
fn is_same(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case(other) && one.len() == 36 && Uuid::try_parse(one).is_ok())
}

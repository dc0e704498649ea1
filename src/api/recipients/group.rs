//! Whose table a caller sees.

use super::error::Error;
use crate::auth::Principal;

/// The caller's group: the only one that its token names (within the bounds of its issuer's entry), or its client's.
pub(super) fn of(caller: &Principal) -> Result<&str, Error> {
    match &*caller.affiliation.groups {
        [group] => Ok(group),
        [] => Err(Error::Forbidden(
            "The token names no group, and its client has none: notifications are configured for a group.".to_owned(),
        )),
        _ => Err(Error::Forbidden(
            "The token names several groups, so that it cannot be told which one is meant: get one that names a single group."
                .to_owned(),
        )),
    }
}

//! Certificates and secrets that end soon.

use std::time::Duration;

use serde_json::json;

use super::finding::{DAY, Finding, Key, Repeat};
use crate::base::clock::Timestamp;
use crate::model::condition::Condition;
use crate::model::subscription::{ContractName, Endpoint, Subscription, SubscriptionSet};
use crate::model::target::Target;

/// How long before its end a certificate is told of, and daily from then on: one that is renewed in time by a program is
/// not told of.
const CERTIFICATE_AHEAD: Duration = Duration::from_hours(14 * 24);
/// How long before its end a secret is told of, and again.
const SECRET_AHEAD: Duration = Duration::from_hours(30 * 24);
const SECRET_AGAIN: [Duration; 2] = [Duration::from_hours(7 * 24), DAY];

/// Something that the files name and that has an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// [`Condition::CertificateExpiring`] or [`Condition::SecretExpiring`].
    pub condition: Condition,
    /// What it is known by, such as `server.tls`.
    pub subject: String,
    /// What it is, at the begin of a sentence, such as `The certificate of server.tls`.
    pub name: String,
    /// Its end.
    pub not_after: Timestamp,
    /// What to do about it.
    pub what_to_do: String,
}

/// Those of `all` that end soon, and the signing secrets of webhooks in `set` that do.
pub(super) fn find(all: Vec<Expiry>, set: &SubscriptionSet, now: Timestamp) -> Vec<Finding> {
    let of_files = all.into_iter().filter_map(|expiry| {
        let key = Key::Other(expiry.subject.clone());
        of_expiry(expiry, key, now)
    });
    let endpoints = set.iter().flat_map(|subscription| subscription.endpoints.iter().map(move |of| (subscription, of)));
    of_files.chain(endpoints.filter_map(|(subscription, endpoint)| of_webhook(subscription, endpoint, now))).collect()
}

fn of_expiry(expiry: Expiry, key: Key, now: Timestamp) -> Option<Finding> {
    let Expiry { condition, subject: _, name, not_after, what_to_do } = expiry;
    let has_ended = not_after <= now;
    let (ahead, repeat) = match condition {
        // One that has ended is of no use to anybody, and is told of until it is replaced.
        Condition::CertificateExpiring => (CERTIFICATE_AHEAD, Repeat::Daily),
        // One that has ended is as one that was taken out.
        _ if has_ended => return None,
        _ => (SECRET_AHEAD, Repeat::At(SECRET_AGAIN.map(|before| not_after.minus(before)).into())),
    };
    if not_after.minus(ahead) > now {
        return None;
    }
    let (end, left) = (not_after.to_rfc3339_seconds(), not_after.since(now));
    let detail = match left.as_secs() / DAY.as_secs() {
        _ if has_ended => format!("{name} has ended: it was good until {end}."),
        0 => format!("{name} ends within a day, at {end}."),
        days => format!("{name} ends in {days} days, at {end}."),
    };
    Some(Finding {
        condition,
        key,
        since: Some(not_after.minus(ahead)),
        repeat,
        detail,
        what_to_do,
        facts: [("notAfter".to_owned(), json!(not_after.to_rfc3339_seconds()))].into_iter().collect(),
        mark: None,
    })
}

/// The secret of a webhook after which it has none. What ends earlier is being replaced.
fn of_webhook(subscription: &Subscription, endpoint: &Endpoint, now: Timestamp) -> Option<Finding> {
    let Target::Webhook(webhook) = &endpoint.target else { return None };
    if subscription.contract == ContractName::Registrations {
        // Who made it is told, and nobody else can do anything about it (`notices`).
        return None;
    }
    let ends: Option<Vec<_>> = webhook.secrets.iter().map(|secret| secret.not_after).collect();
    let not_after = ends?.into_iter().max().filter(|_| !webhook.asymmetric)?;
    let (place, id) = (endpoint.target.place(), &subscription.id);
    let expiry = Expiry {
        condition: Condition::SecretExpiring,
        subject: String::new(),
        name: format!("The last secret that requests to the webhook {place} of the subscription {id} are signed with"),
        not_after,
        what_to_do: "Put a new one beside it, and give it to the receiver. Without one nothing is sent.".to_owned(),
    };
    of_expiry(expiry, Key::Endpoint(id.clone(), endpoint.number), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(condition: Condition, days_left: i64) -> Option<Finding> {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let not_after = Timestamp::from_millis(now.as_millis() + days_left * 86_400_000 + 1);
        let (subject, name, what_to_do) = ("s".to_owned(), "It".to_owned(), String::new());
        let expiry = Expiry { condition, subject, name, not_after, what_to_do };
        of_expiry(expiry, Key::Other("s".to_owned()), now)
    }

    #[test]
    fn certificates_and_secrets_are_told_of_ahead() {
        let detail = |condition, days| told(condition, days).map(|finding| finding.detail);
        let certificate = |days| detail(Condition::CertificateExpiring, days);
        assert_eq!((certificate(14), certificate(13).is_some()), (None, true));
        assert!(certificate(2).unwrap().starts_with("It ends in 2 days, at 2027-01-17T"));
        assert!(certificate(0).unwrap().starts_with("It ends within a day"));
        assert!(certificate(-1).unwrap().starts_with("It has ended"));
        let secret = |days| detail(Condition::SecretExpiring, days);
        assert_eq!((secret(30), secret(29).is_some(), secret(0).is_some(), secret(-1)), (None, true, true, None));
    }

    #[test]
    fn a_secret_is_told_of_three_times() {
        let finding = told(Condition::SecretExpiring, 29).unwrap();
        let not_after = finding.since.unwrap().plus(SECRET_AHEAD);
        let due = |told, now| finding.repeat.is_due(not_after.minus(told), not_after.minus(now));
        assert!(!due(SECRET_AHEAD, 8 * DAY) && due(SECRET_AHEAD, 7 * DAY));
        assert!(!due(7 * DAY, 2 * DAY) && due(7 * DAY, DAY) && !due(DAY, Duration::from_secs(1)));
    }
}

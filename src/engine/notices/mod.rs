//! Notices of time: what ends soon is told ahead, 30, 7 and 1 days.
//!
//! - The secret that a registration's webhook is signed with: an event `SECRET_EXPIRY` to that webhook and to nobody else
//!   (contracts/registrations.md, "Secrets").
//! - A subscription of management: its contacts are mailed (contracts/management.md, "Create").
//!
//! What has been told is kept in the transaction that stores the event, so each is queued exactly once, over restarts too.
//! Of several that were due while the appliance was down the latest is told. Another end (a rotation, a later date) begins
//! anew. Looked for with each sweep.

mod due;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::due::{Left, left};
use super::{Engine, PublishError, StoreError};
use crate::base::clock::Timestamp;
use crate::model::condition::SECRET_EXPIRY;
use crate::model::event::{EventDraft, EventTime};
use crate::model::id::{ClientId, EventTypeId};
use crate::model::json::RawJson;
use crate::model::subscription::{ContractName, Intake, Subscription};
use crate::model::target::{Target, WebhookTarget};
use crate::store::KeptCondition;

/// The type of those that tell contacts of the end of their subscription.
const SUBSCRIPTION_EXPIRING: &str = "tidings.subscription.expiring";

/// Who publishes them, and their source.
const APPLIANCE: &str = "urn:tidings:appliance";

/// Under which names the store keeps what has been told: those of no condition.
const KEPT: [(What, &str); 2] = [(What::Secret, "notice:secret"), (What::Subscription, "notice:subscription")];

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Secret,
    Subscription,
}

impl What {
    fn kept_as(self) -> &'static str {
        KEPT.into_iter().find(|(what, _)| *what == self).map_or("", |(_, name)| name)
    }
}

/// What has been told, by what ends and subscription; `None` until it is read, and again after a failure.
#[derive(Default)]
pub(super) struct Told(Mutex<Option<Rows>>);

type Rows = HashMap<(What, String), KeptCondition>;

/// Something that is to be told now.
struct Notice {
    what: What,
    subscription: Arc<Subscription>,
    end: Timestamp,
    left: Left,
}

impl Engine {
    /// Tells of what ends soon.
    pub(super) async fn tell_of_ends(&self) -> Result<(), PublishError> {
        // A clock in doubt tells nobody what is left.
        if self.store.clock_doubt().is_some() {
            return Ok(());
        }
        let mut told = self.notices.0.lock().await;
        // Only what was noted to its end is taken over.
        let mut rows = match told.take() {
            Some(rows) => rows,
            None => self.read_told().await?,
        };
        let now = self.store.now();
        let set = self.store.subscriptions();
        let due: Vec<_> = set.iter().filter_map(|subscription| due_of(subscription, &rows, now)).collect();
        for notice in due {
            let row = notice.row(now);
            match self.publish_notice(&notice, row.clone(), now).await {
                // It was told before something was interrupted.
                Ok(()) | Err(PublishError::Conflict { .. }) => drop(rows.insert(notice.key(), row)),
                Err(error) => return Err(error),
            }
        }
        let gone: Vec<_> = rows.keys().filter(|(_, id)| set.get(id).is_none()).cloned().collect();
        for key in gone {
            self.store.end_condition(key.0.kept_as(), &key.1).await?;
            rows.remove(&key);
        }
        *told = Some(rows);
        Ok(())
    }

    async fn read_told(&self) -> Result<Rows, StoreError> {
        let what = |row: &KeptCondition| KEPT.into_iter().find(|(_, name)| *name == row.name).map(|(what, _)| what);
        let rows = self.store.conditions().await?.into_iter();
        Ok(rows.filter_map(|row| Some(((what(&row)?, row.subject.clone()), row))).collect())
    }

    async fn publish_notice(&self, notice: &Notice, row: KeptCondition, now: Timestamp) -> Result<(), PublishError> {
        let id = &notice.subscription.id;
        let draft = notice.draft(now);
        match notice.what {
            What::Secret => self.publish_to_webhook(&draft, id, row).await?,
            What::Subscription => self.publish_to_contacts(&draft, id, row).await?,
        };
        let (event_type, days) = (draft.event_type, notice.left.days);
        tracing::info!(subscription = id.as_str(), %event_type, days, "told of an end");
        Ok(())
    }
}

/// What is to be told of a subscription now.
fn due_of(subscription: &Arc<Subscription>, told: &Rows, now: Timestamp) -> Option<Notice> {
    let (what, end, begin) = match subscription.contract {
        ContractName::Registrations => {
            let (end, begin) = end_of_secret(subscription)?;
            (What::Secret, end, begin)
        }
        ContractName::Management if subscription.intake == Intake::Open && has_contacts(subscription) => {
            (What::Subscription, subscription.expires_at?, subscription.created_at)
        }
        _ => return None,
    };
    let left = left(end, begin, now)?;
    let is_told = told
        .get(&(what, subscription.id.as_str().to_owned()))
        .is_some_and(|row| row.since == end && row.told.0 >= left.mark);
    (!is_told).then(|| Notice { what, subscription: Arc::clone(subscription), end, left })
}

/// When the last secret of a registration's webhook ends, and since when there is that secret.
fn end_of_secret(subscription: &Subscription) -> Option<(Timestamp, Timestamp)> {
    let WebhookTarget { secrets, .. } = subscription.endpoints.iter().find_map(|endpoint| match &endpoint.target {
        Target::Webhook(webhook) => Some(webhook),
        Target::Poll | Target::Email(_) => None,
    })?;
    if secrets.iter().any(|secret| secret.not_after.is_none()) {
        return None;
    }
    let last = secrets.iter().max_by_key(|secret| secret.not_after)?;
    let begin = last.not_before.map_or(subscription.created_at, |begin| begin.max(subscription.created_at));
    Some((last.not_after?, begin))
}

fn has_contacts(subscription: &Subscription) -> bool {
    subscription.endpoints.iter().any(|endpoint| !endpoint.target.takes_events())
}

impl Notice {
    fn key(&self) -> (What, String) {
        (self.what, self.subscription.id.as_str().to_owned())
    }

    /// What is kept once it is told.
    fn row(&self, now: Timestamp) -> KeptCondition {
        KeptCondition {
            name: self.what.kept_as().to_owned(),
            subject: self.subscription.id.as_str().to_owned(),
            since: self.end,
            told: (self.left.mark, now),
            detail: String::new(),
        }
    }

    /// Its event. The id follows from what is told.
    fn draft(&self, now: Timestamp) -> EventDraft {
        let (event_type, data) = match self.what {
            What::Secret => (SECRET_EXPIRY, self.of_secret()),
            What::Subscription => (SUBSCRIPTION_EXPIRING, self.of_subscription()),
        };
        let (id, end, mark) = (&self.subscription.id, self.end.as_millis(), self.left.mark);
        EventDraft {
            publisher: ClientId::new(APPLIANCE),
            id: Some(format!("{event_type}:{id}:{end}:{mark}")),
            source: APPLIANCE.to_owned(),
            event_type: event_type.into(),
            subject: Some(id.as_str().to_owned()),
            time: Some(EventTime { text: now.to_rfc3339_millis(), instant: now }),
            data_schema: None,
            audience: None,
            expiry: None,
            trace: None,
            extensions: Vec::new(),
            data: Some(RawJson::stored(data.to_string().into())),
        }
    }

    fn of_secret(&self) -> Value {
        json!({
            "registrationId": self.subscription.id.to_uuid().to_string(),
            "expiry": self.end.to_rfc3339_seconds(),
            "daysLeft": self.left.days,
        })
    }

    /// As the built-in mail of conditions shows it, and the same for programs.
    fn of_subscription(&self) -> Value {
        let (id, end, days) = (self.subscription.id.as_str(), self.end.to_rfc3339_seconds(), self.left.days);
        let types: Vec<_> = self.subscription.event_types.iter().map(EventTypeId::as_str).collect();
        let within = if days == 1 { "within a day".to_owned() } else { format!("in {days} days") };
        json!({
            "status": "started",
            "since": self.end.to_rfc3339_millis(),
            "subject": id,
            "told": self.left.mark,
            "detail": format!("The subscription {id} to {} ends {within}, at {end}. Nothing is sent for it from then on.",
                types.join(", ")),
            "whatToDo": "If you want to go on being told, change its expiresOn, or subscribe anew.",
            "subscriptionId": id,
            "eventTypes": types,
            "expiresOn": end,
            "daysLeft": days,
        })
    }
}

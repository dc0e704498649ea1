//! `[webhooks]` and `[[webhooks.egress]]`, as far as sending goes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use http::header::HeaderName;

use crate::base::outbound::EgressSettings;
use crate::base::rate::Rate;
use crate::base::secret::SecretString;
use crate::model::id::ClientId;

/// How webhooks are sent.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// How long an attempt may take in all.
    pub timeout: Duration,
    /// How much of that may go by until there is a connection.
    pub connect_timeout: Duration,
    /// The statuses that speak of the body: no other attempt would end otherwise.
    pub final_statuses: BTreeSet<u16>,
    /// The named policies, each name once; a webhook under any other is not sent.
    pub policies: Vec<WebhookPolicy>,
    /// How many unused connections to one target are kept.
    pub idle_connections: usize,
    /// The header in which those of registrations show their secret instead of signing (`api.registrations.proof_header`);
    /// `None`: they are signed.
    pub registration_header: Option<HeaderName>,
    /// What requests of a client's subscriptions of the management contract carry as `x-api-key`, by client.
    pub api_keys: HashMap<ClientId, SecretString>,
}

impl Default for WebhookSettings {
    /// The defaults of `[webhooks]` (design.md, "Configuration").
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            final_statuses: [400, 413, 415, 422].into(),
            policies: Vec::new(),
            idle_connections: 32,
            registration_header: None,
            api_keys: HashMap::new(),
        }
    }
}

/// One policy.
#[derive(Clone, Debug)]
pub struct WebhookPolicy {
    /// Its name, where it lets webhooks go, and how.
    pub egress: EgressSettings,
    /// How often all webhooks under it may be sent.
    pub rate: Option<Rate>,
    /// What becomes of the text of answers.
    pub answers: Answers,
}

/// What becomes of the text of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// It is kept for the operator.
    #[default]
    Kept,
    /// It is kept, and those who own the subscription may see it too.
    Shown,
    /// It is not kept.
    Dropped,
}

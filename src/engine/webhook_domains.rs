//! Where a subscriber's webhooks may be (contracts/registrations.md, "webhook-domains").

use super::{Engine, StoreError};

impl Engine {
    /// The domains that the subscriber has whitelisted, in order.
    pub async fn webhook_domains(&self, subscriber: &str) -> Result<Vec<String>, StoreError> {
        self.store.webhook_domains(subscriber).await
    }

    /// Adds a domain as it is written; answers whether it was not there.
    pub async fn add_webhook_domain(&self, subscriber: &str, domain: &str) -> Result<bool, StoreError> {
        self.store.add_webhook_domain(subscriber, domain).await
    }

    /// Takes a domain away; answers whether it was there.
    pub async fn remove_webhook_domain(&self, subscriber: &str, domain: &str) -> Result<bool, StoreError> {
        self.store.remove_webhook_domain(subscriber, domain).await
    }
}

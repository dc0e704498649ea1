//! Whether a poll that waits may still have what comes: its caller may have lost that by a reload.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::Engine;

/// Looks again at what a caller was let in with.
#[async_trait]
pub trait StillAdmitted: Send + Sync {
    /// Whether it would still be let in.
    async fn is_admitted(&self) -> bool;
}

/// How the caller of a poll was let in. The default is for ever. Clones share it.
#[derive(Clone, Default)]
pub struct Admission(Option<Arc<dyn StillAdmitted>>);

impl Admission {
    /// One that `looks` again after each reload.
    #[must_use]
    pub fn new(looks: Arc<dyn StillAdmitted>) -> Self {
        Self(Some(looks))
    }

    async fn holds(&self) -> bool {
        match &self.0 {
            Some(looks) => looks.is_admitted().await,
            None => true,
        }
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admission")
    }
}

/// An admission that is looked at again whenever there was a reload, and once at first: one may have come in between.
pub(super) struct Watched {
    admission: Admission,
    reloads: watch::Receiver<()>,
}

impl Watched {
    /// Resolves once the admission is no more.
    pub(super) async fn ended(&mut self) {
        loop {
            if self.reloads.changed().await.is_err() {
                return std::future::pending().await;
            }
            if !self.admission.holds().await {
                return;
            }
        }
    }
}

impl Engine {
    /// Everything has been replaced that a reload replaces: polls that wait look whether they still may.
    pub fn reloaded(&self) {
        self.reloads.send_replace(());
    }

    pub(super) fn watch(&self, admission: &Admission) -> Watched {
        let mut reloads = self.reloads.subscribe();
        reloads.mark_changed();
        Watched { admission: admission.clone(), reloads }
    }
}

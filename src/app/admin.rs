//! The admin listener: health, metrics and the operator half, and who may call that.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;

use crate::api::admin::{AdminSettings, Guarded, LateReconfigure, Reconfigure};
use crate::api::events::{LateCaretaker, LateEngine, OperatorContract, OperatorSettings};
use crate::auth::{Caller, Caretaker, Credential, Principal, scope};
use crate::engine::Engine;
use crate::http::contract::Contract;
use crate::http::{Authenticate, Denial, Presented, Shown};
use crate::model::id::ClientId;

/// What the admin listener answers with before it is there: it begins first.
#[derive(Clone, Default)]
pub(super) struct Late {
    engine: LateEngine,
    caretaker: LateCaretaker,
    authenticator: Arc<ArcSwapOption<Arc<dyn Authenticate>>>,
    configuration: LateReconfigure,
}

impl Late {
    /// The engine is there. Only the first call counts.
    pub(super) fn engine_came(&self, engine: &Arc<Engine>) {
        let _ = self.engine.set(Arc::clone(engine));
    }

    /// Who looks after the credentials is there. Only the first call counts.
    pub(super) fn caretaker_came(&self, caretaker: &Arc<Caretaker>) {
        let _ = self.caretaker.set(Arc::clone(caretaker));
    }

    /// Who looks after the credentials, once that is there.
    pub(super) fn caretaker(&self) -> Option<&Arc<Caretaker>> {
        self.caretaker.get()
    }

    /// This one knows the tokens of the contracts from now on.
    pub(super) fn authenticator_came(&self, authenticator: &Arc<dyn Authenticate>) {
        self.authenticator.store(Some(Arc::new(Arc::clone(authenticator))));
    }

    /// Who reloads is there. Only the first call counts.
    pub(super) fn reloader_came(&self, reloader: Arc<dyn Reconfigure>) {
        let _ = self.configuration.set(reloader);
    }

    /// Who reloads, once it is there.
    pub(super) fn configuration(&self) -> LateReconfigure {
        Arc::clone(&self.configuration)
    }
}

/// What is mounted on the admin listener: `root`, and the operator half; both behind the guard.
pub(super) fn contracts(
    settings: &AdminSettings,
    operator: &OperatorSettings,
    root: impl Contract,
    late: &Late,
) -> Vec<Arc<dyn Contract>> {
    let operator = OperatorContract::new(operator.clone(), Arc::clone(&late.engine), Arc::clone(&late.caretaker));
    let guarded = |inner: Arc<dyn Contract>| Arc::new(Guarded::new(settings, inner)) as Arc<dyn Contract>;
    vec![guarded(Arc::new(root)), guarded(Arc::new(operator))]
}

/// Who may call on the admin listener: a process of this machine on its unix socket, whose mode says who can open it;
/// and whoever the contracts take, with what scopes they have.
pub(super) struct Gate(pub(super) Late);

#[async_trait]
impl Authenticate for Gate {
    async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, Denial> {
        if let Shown::Peer { uid } = presented.credential {
            return Ok(local(uid));
        }
        match self.0.authenticator.load_full() {
            Some(authenticator) => authenticator.authenticate(presented).await,
            None => Err(Denial::Unavailable("the appliance is starting, and knows no tokens yet".to_owned())),
        }
    }
}

/// A process of the user `uid` on this machine.
fn local(uid: u32) -> Principal {
    let name = format!("uid:{uid}");
    Principal::of(Caller {
        credential: Credential::Peer { uid },
        ..Caller::new(ClientId::new(&name), name, BTreeSet::from([scope::OPERATE.to_owned()]))
    })
}

//! What the paths of routes name, and whose it is.

use std::collections::HashMap;

/// A kind of thing that is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Thing {
    /// A subscription that nothing waits for: it can be polled over and over.
    Polled,
    /// A subscription that something waits for. Nobody polls it here.
    Kept,
    /// A subscription of the management contract.
    Managed,
    /// What waits for a kept subscription.
    Notification,
    /// What somebody has published.
    Event,
    /// A registration.
    Registration,
    /// What waits for a registration.
    Sent,
    /// A client itself.
    Client,
    /// A mail address.
    Address,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The caller's own; the driver's where the caller is no client that owns anything.
    Caller,
    /// Another client's.
    Other,
    /// There is none.
    Nobody,
}

/// The client of this test: it has every scope.
pub(crate) const DRIVER: &str = "driver";
/// Another client, of which no credential is shown.
pub(crate) const OTHER: &str = "rival";
/// No client. The name is as long as that of the other one, so that answers can be compared.
const GHOST: &str = "ghost";
/// The id of nothing in the ledger.
const UNUSED: &str = "0198f0c2-1111-7000-8000-000000040001";

impl Owner {
    pub(crate) const ALL: [Self; 3] = [Self::Caller, Self::Other, Self::Nobody];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Caller => "its own",
            Self::Other => "another's",
            Self::Nobody => "nobody's",
        }
    }
}

/// The ids that were not known beforehand.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    /// Of a client.
    ids: HashMap<(Thing, String), String>,
}

impl Objects {
    pub(crate) fn add(&mut self, thing: Thing, client: &str, id: String) {
        self.ids.insert((thing, client.to_owned()), id);
    }

    /// The id of the `thing` of `owner`, as `caller` sees it.
    pub(crate) fn id(&self, thing: Thing, owner: Owner, caller: Option<&str>) -> String {
        let client = match owner {
            Owner::Caller => caller.unwrap_or(DRIVER),
            Owner::Other => OTHER,
            Owner::Nobody => GHOST,
        };
        match thing {
            Thing::Polled => polled(client),
            Thing::Kept => kept(client),
            Thing::Client => client.to_owned(),
            Thing::Address => format!("{client}@example.com"),
            Thing::Notification | Thing::Event | Thing::Registration | Thing::Sent | Thing::Managed
                if owner == Owner::Nobody =>
            {
                UNUSED.to_owned()
            }
            Thing::Notification | Thing::Event | Thing::Registration | Thing::Sent | Thing::Managed => {
                let of = |client: &str| self.ids.get(&(thing, client.to_owned())).cloned();
                of(client).or_else(|| of(DRIVER)).unwrap()
            }
        }
    }
}

/// The id of a client's subscription of [`Thing::Polled`].
pub(crate) fn polled(client: &str) -> String {
    format!("polled-{client}")
}

/// The id of a client's subscription of [`Thing::Kept`].
pub(crate) fn kept(client: &str) -> String {
    format!("kept-{client}")
}

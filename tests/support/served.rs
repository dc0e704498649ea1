//! The routes of a running appliance, as its own tables name them: what a test that leaves none out walks.

use tidings::app::{Running, Served};
use tidings::http::contract::Route;

/// One route as it is served.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Whether it is on the admin listener.
    pub(crate) admin: bool,
    pub(crate) contract: &'static str,
    pub(crate) mount: String,
    pub(crate) route: Route<()>,
}

/// Every route that is served.
pub(crate) fn targets(running: &Running) -> Vec<Target> {
    let of = |served: &Served| {
        let Served { admin, contract, mount, routes } = served.clone();
        routes.into_iter().map(move |route| Target { admin, contract, mount: mount.clone(), route })
    };
    running.served().iter().flat_map(of).collect()
}

impl Target {
    /// Its path, with `values` for the parameters and `unknown` for those that there are more.
    pub(crate) fn path(&self, values: &[&str]) -> String {
        let mut values = values.iter();
        let segment = |segment: &str| {
            if segment.starts_with('{') {
                (*values.next().unwrap_or(&"unknown")).to_owned()
            } else {
                segment.to_owned()
            }
        };
        let path: Vec<_> = self.route.path.split('/').map(segment).collect();
        self.mount.clone() + &path.join("/")
    }

    /// How many parameters its path has.
    pub(crate) fn parameters(&self) -> usize {
        self.route.path.matches('{').count()
    }
}

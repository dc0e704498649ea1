//! From a path and a method to a route: the longest mount by whole segments, then the contract's own table.
//!
//! Paths are compared as they were sent; only parameters are percent-decoded. A slash at the end makes another path.

use std::sync::Arc;

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::contract::{Access, BodyRule, Contract, Refusal, Route, Trace, Verb};
use super::listener::BindError;
use super::metrics::{HttpMetrics, Meter};

/// All contracts of a server.
pub(super) struct Routing {
    /// Longest mount first; the last is the root.
    mounts: Vec<Mount>,
}

/// One contract where it is mounted.
pub(super) struct Mount {
    pub(super) contract: Arc<dyn Contract>,
    prefix: String,
    /// Exact paths that stand for the mount itself.
    aliases: Vec<String>,
    paths: matchit::Router<Path>,
    /// Counts what has no route.
    pub(super) unrouted: Arc<Meter>,
}

/// The routes of one path.
struct Path {
    routes: Vec<Entry>,
    allow: String,
}

/// One route.
pub(super) struct Entry {
    method: Verb,
    /// Its index in the contract's table.
    pub(super) index: usize,
    pub(super) access: Access,
    pub(super) label: &'static str,
    pub(super) trace: Trace,
    /// The largest body in bytes.
    pub(super) limit: usize,
    pub(super) meter: Arc<Meter>,
}

/// The route of a request, with its path's parameters.
pub(super) struct Found<'m> {
    pub(super) entry: &'m Entry,
    pub(super) params: Vec<(String, String)>,
}

impl Routing {
    /// Builds the tables; two equal mounts, a missing root and routes that clash are errors.
    pub(super) fn new(
        contracts: Vec<Arc<dyn Contract>>,
        max_body: usize,
        metrics: &HttpMetrics,
    ) -> Result<Self, BindError> {
        let mut mounts: Vec<Mount> = Vec::with_capacity(contracts.len());
        for contract in contracts {
            if let Some(other) = mounts.iter().find(|m| m.prefix == contract.mount()) {
                return Err(BindError::SameMount {
                    mount: other.prefix.clone(),
                    first: other.contract.name(),
                    second: contract.name(),
                });
            }
            mounts.push(Mount::new(contract, max_body, metrics)?);
        }
        let taken = mounts.iter().flat_map(|mount| mount.aliases.iter().map(move |alias| (mount, alias))).find_map(
            |(mount, alias)| {
                let holds = |other: &&Mount| !std::ptr::eq(*other, mount) && other.answers_at(alias);
                mounts.iter().find(holds).map(|other| (alias.clone(), other.contract.name(), mount.contract.name()))
            },
        );
        if let Some((mount, first, second)) = taken {
            return Err(BindError::SameMount { mount, first, second });
        }
        mounts.sort_by_key(|m| std::cmp::Reverse(m.prefix.len()));
        if mounts.last().is_none_or(|m| !m.prefix.is_empty()) {
            return Err(BindError::NoRoot);
        }
        Ok(Self { mounts })
    }

    /// The mount that `path` is below: at least the root.
    pub(super) fn mount(&self, path: &str) -> &Mount {
        let alias = self.mounts.iter().find(|m| m.is_alias(path));
        alias.or_else(|| self.mounts.iter().find(|m| m.holds(path))).unwrap_or_else(|| self.root())
    }

    /// The contract at the root.
    pub(super) fn root(&self) -> &Mount {
        self.mounts.last().expect("`new` refuses tables without a root")
    }
}

impl Mount {
    fn new(contract: Arc<dyn Contract>, max_body: usize, metrics: &HttpMetrics) -> Result<Self, BindError> {
        let prefix = contract.mount().to_owned();
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
            return Err(BindError::Mount { contract: contract.name(), mount: prefix });
        }
        let mut table = Vec::<(&'static str, Vec<Entry>)>::new();
        for (index, route) in contract.routes().into_iter().enumerate() {
            let entry = Entry::new(&*contract, index, &route, max_body, metrics);
            match table.iter_mut().find(|(path, _)| *path == route.path) {
                Some((_, entries)) => entries.push(entry),
                None => table.push((route.path, vec![entry])),
            }
        }
        let mut paths = matchit::Router::new();
        for (path, routes) in table {
            paths.insert(path, Path::new(routes)).map_err(|error| BindError::Route {
                contract: contract.name(),
                path,
                detail: error.to_string(),
            })?;
        }
        let unrouted = Arc::new(metrics.meter(contract.name(), None));
        let aliases = contract.aliases().to_vec();
        Ok(Self { contract, prefix, aliases, paths, unrouted })
    }

    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&*self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn is_alias(&self, path: &str) -> bool {
        self.aliases.iter().any(|alias| alias == path)
    }

    /// Whether this path is where it is mounted, or stands for that.
    fn answers_at(&self, path: &str) -> bool {
        self.prefix == path || self.is_alias(path)
    }

    /// `path` without the mount.
    pub(super) fn below<'p>(&self, path: &'p str) -> &'p str {
        if self.is_alias(path) { "" } else { path.strip_prefix(&*self.prefix).unwrap_or(path) }
    }

    /// The route for `method` on `path`, which has the mount still in front.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Found<'_>, Refusal> {
        let matched = self.paths.at(self.below(path)).map_err(|_| Refusal::NoSuchPath)?;
        let params = matched.params.iter().map(|(name, value)| Some((name.to_owned(), decode(value)?))).collect();
        let params: Option<Vec<_>> = params;
        let params = params.ok_or(Refusal::NoSuchPath)?;
        let path: &Path = matched.value;
        let entry = path.routes.iter().find(|entry| entry.method.as_hyper() == *method);
        let entry = entry.ok_or_else(|| Refusal::MethodNotAllowed { allow: path.allow.clone() })?;
        Ok(Found { entry, params })
    }
}

impl Path {
    fn new(routes: Vec<Entry>) -> Self {
        let methods: Vec<Method> = routes.iter().map(|entry| entry.method.as_hyper()).collect();
        let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        Self { routes, allow }
    }
}

impl Entry {
    fn new(contract: &dyn Contract, index: usize, route: &Route<()>, max_body: usize, metrics: &HttpMetrics) -> Self {
        let limit = match route.body {
            BodyRule::None | BodyRule::Ordinary => max_body,
            BodyRule::Large => contract.max_body(),
        };
        let meter = Arc::new(metrics.meter(contract.name(), Some(route.label)));
        let Route { method, access, label, trace, .. } = *route;
        Self { method, index, access, label, trace, limit, meter }
    }
}

/// A parameter percent-decoded; `None` if an escape is malformed or the result is not UTF-8.
fn decode(value: &str) -> Option<String> {
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        let escape = rest.as_bytes().get(at + 1..at + 3)?;
        if !escape.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = &rest[at + 3..];
    }
    percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn parameters_are_decoded_once_and_only_if_valid() {
        assert_eq!(decode("a%2Fb%20c").as_deref(), Some("a/b c"));
        assert_eq!(decode("%2541").as_deref(), Some("%41"));
        assert_eq!(decode("%C3%A9").as_deref(), Some("é"));
        for bad in ["%", "%2", "%zz", "%+1", "%C3", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        // An escape that ends inside a character that needs more than one byte must not split it.
        assert_eq!(decode("%é"), None);
        assert_eq!(decode("%aé"), None);
    }
}

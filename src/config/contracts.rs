//! `[api.*]` and `auth.token_paths`: which contracts are served, and where.

use super::kind::{HOUR, KIB, MIB, SECOND, boolean, count, duration, list, memory, number, text};
use super::reader::{Item, Located, Section, Shown};
use super::server::Servers;
use crate::api::events::{EventsSettings, OperatorSettings};
use crate::api::polling::{PollingSettings, UnknownMembers};
use crate::api::root::RootSettings;

/// Paths at the root that are ours, whatever is mounted (contracts/events.md).
const RESERVED: [&str; 5] = ["/problems", "/.well-known", "/oauth2/revoke", "/oauth2/jwks", "/openapi.json"];

/// Paths of the admin listener, on which the events contract has its operator half (design.md, "Admin listener").
const RESERVED_ON_ADMIN: [&str; 3] = ["/health", "/metrics", "/console"];

/// The contracts that are served.
pub(super) struct Contracts {
    pub(super) polling: Option<PollingSettings>,
    pub(super) events: Option<EventsSettings>,
    /// The operator half on the admin listener: there too where the contract is not enabled.
    pub(super) operator: OperatorSettings,
    pub(super) root: RootSettings,
}

/// Reads `[api.polling]` and `[api.events]`; `token_paths` is that of `[auth]`.
pub(super) fn read(top: &Section<'_>, servers: &Servers, token_paths: Vec<Located<String>>) -> Contracts {
    // Without one the list has been refused.
    let token_path = token_paths.first().map(|path| path.value.clone()).unwrap_or_default();
    let (polling, events) = top.section("api", |api| {
        let polling = api.section("polling", |section| read_polling(section, servers, &token_path));
        (polling, api.section("events", |section| read_events(section, servers, &token_path)))
    });
    let operator = OperatorSettings {
        mount: events.2.clone().unwrap_or_default().value,
        public_url: servers.public_url.clone(),
        token_path: token_path.clone(),
    };
    let mounts = [&polling.1, &events.1];
    check_mounts(top, mounts);
    if let Some(mount) = &events.2 {
        check_mount(top, mount, &RESERVED_ON_ADMIN, "on the admin listener");
    }
    check_token_paths(top, &token_paths, mounts);
    let public_url = servers.public_url.clone();
    let token_paths = token_paths.into_iter().map(|path| path.value).collect();
    // Which clients have certificates is known later.
    let root = RootSettings { token_paths, public_url, certificates: false };
    Contracts { polling: polling.0, events: events.0, operator, root }
}

/// Where a contract that is enabled is mounted.
type Mount = Option<Located<String>>;

fn read_polling(section: &Section<'_>, servers: &Servers, token_path: &str) -> (Option<PollingSettings>, Mount) {
    let enabled = section.required("enabled", boolean);
    let mount = section.optional("mount", super::kind::located(path));
    let settings = PollingSettings {
        mount: mount.clone().unwrap_or_default().value,
        page_size: section.required("page_size", count(1..=1000)),
        max_wait: section.required("max_wait", duration(SECOND..=HOUR)),
        unknown_members: section
            .choice("unknown_members", &[("ignore", UnknownMembers::Ignore), ("refuse", UnknownMembers::Refuse)]),
        public_url: servers.public_url.clone(),
        token_path: token_path.to_owned(),
    };
    (enabled.then_some(settings), mount.filter(|_| enabled))
}

/// The contract where it is enabled, with its mount; and that mount, enabled or not.
fn read_events(section: &Section<'_>, servers: &Servers, token_path: &str) -> (Option<EventsSettings>, Mount, Mount) {
    let enabled = section.required("enabled", boolean);
    let mount = section.optional("mount", super::kind::located(path));
    let settings = EventsSettings {
        mount: mount.clone().unwrap_or_default().value,
        max_batch: section.required("max_batch", memory(KIB..=64 * MIB)),
        max_event: servers.server.max_body,
        max_handouts: section.required("max_handouts", handouts),
        max_wait: section.required("max_wait", duration(SECOND..=HOUR)),
        public_url: servers.public_url.clone(),
        token_path: token_path.to_owned(),
    };
    // 0 stands for one that has been refused already.
    if (1..settings.max_event).contains(&settings.max_batch) {
        let message = "is smaller than server.max_body, so that a batch could not hold every event";
        section.reader.error(&super::places::join_key(&section.path, "max_batch"), message);
    }
    (enabled.then_some(settings), mount.clone().filter(|_| enabled), mount)
}

/// Reads `auth.token_paths`.
pub(super) fn read_token_paths(auth: &Section<'_>) -> Vec<Located<String>> {
    auth.required("token_paths", list(1, path))
}

/// A path of whole segments: `/` before each, none empty, none that a URL would resolve away or have to encode.
fn path(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if is_path(&text) {
        return Some(text);
    }
    item.refuse(format!(
        "must be a path such as \"/a/b\": a slash before each segment, none at the end, and only letters, digits and \
         - . _ ~ in them, not {}",
        Shown(&text)
    ))
}

fn is_path(text: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let segment = |s: &str| !matches!(s, "" | "." | "..") && s.bytes().all(unreserved);
    text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment))
}

fn handouts(item: &Item<'_>) -> Option<u32> {
    number(1..=1000)(item).and_then(|count| u32::try_from(count).ok())
}

fn check_mounts(top: &Section<'_>, mounts: [&Mount; 2]) {
    let [polling, events] = mounts;
    if let (Some(polling), Some(events)) = (polling, events)
        && polling.value == events.value
    {
        let place = top.reader.place(&polling.path);
        top.reader.error(&events.path, format!("api.polling.mount is {} too ({place})", Shown(&polling.value)));
    }
    for mount in mounts.into_iter().flatten() {
        check_mount(top, mount, &RESERVED, "at the root");
    }
}

fn check_mount(top: &Section<'_>, mount: &Located<String>, reserved: &[&str], place: &str) {
    if let Some(ours) = reserved.iter().find(|ours| is_under(ours, &mount.value)) {
        top.reader.error(&mount.path, format!("would hide {ours}, which is served {place}"));
    }
}

fn check_token_paths(top: &Section<'_>, token_paths: &[Located<String>], mounts: [&Mount; 2]) {
    let mounts: Vec<_> = mounts.into_iter().flatten().map(|mount| mount.value.as_str()).collect();
    for path in token_paths {
        if let Some(above) = mounts.iter().chain(&RESERVED).find(|mount| is_under(&path.value, mount)) {
            let message = format!("{} lies under {above}, where another contract answers", Shown(&path.value));
            top.reader.error(&path.path, message);
        }
    }
}

/// Whether `path` is `mount` or below it, by whole segments.
fn is_under(path: &str, mount: &str) -> bool {
    path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_whole_segments() {
        for good in ["/v1", "/notification/v1", "/a-b_c.d~e"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "/", "v1", "/v1/", "//v1", "/a//b", "/a/../b", "/.", "/{id}", "/a b", "/é", "/a?b", "/%41"] {
            assert!(!is_path(bad), "{bad}");
        }
        assert!(is_under("/v1/x", "/v1") && is_under("/v1", "/v1") && !is_under("/v11", "/v1"));
    }
}

//! Where the contracts are: paths of whole segments, of which no two are equal and none hides what is ours.

use crate::config::kind::{located, text};
use crate::config::reader::{Item, Located, Section, Shown};

/// Paths at the root that are ours, whatever is mounted (contracts/events.md).
const RESERVED: [&str; 5] = ["/problems", "/.well-known", "/oauth2/revoke", "/oauth2/jwks", "/openapi.json"];

/// Paths of the admin listener, on which the events contract has its operator half (design.md, "Admin listener").
const RESERVED_ON_ADMIN: [&str; 3] = ["/health", "/metrics", "/console"];

/// Where a contract is mounted; without a path where that could not be read, which has been reported.
pub(super) type Mount = Located<String>;

/// Reads `mount`.
pub(super) fn read(section: &Section<'_>) -> Mount {
    section.optional("mount", located(path)).unwrap_or_default()
}

/// A path of whole segments: `/` before each, none empty, none that a URL would resolve away or have to encode.
pub(super) fn path(item: &Item<'_>) -> Option<String> {
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

/// Checks the mounts and exact paths (`aliases`) of what is enabled.
pub(super) fn check(top: &Section<'_>, mounts: &[Mount], aliases: &[Located<String>]) {
    let all: Vec<_> = mounts.iter().chain(aliases).filter(|mount| !mount.path.is_empty()).collect();
    for (index, mount) in all.iter().enumerate() {
        if let Some(earlier) = all[..index].iter().find(|earlier| earlier.value == mount.value) {
            let place = top.reader.place(&earlier.path);
            top.reader.error(&mount.path, format!("{} is {} too ({place})", earlier.path, Shown(&mount.value)));
        }
    }
    for mount in mounts.iter().filter(|mount| !mount.path.is_empty()) {
        check_hidden(top, mount, &RESERVED, "at the root");
    }
    for alias in aliases {
        if let Some(ours) = RESERVED.iter().find(|ours| is_under(&alias.value, ours)) {
            top.reader.error(&alias.path, format!("would hide what is served under {ours} at the root"));
        }
    }
}

/// Checks where the operator half is on the admin listener.
pub(super) fn check_admin(top: &Section<'_>, mount: &Mount) {
    if !mount.path.is_empty() {
        check_hidden(top, mount, &RESERVED_ON_ADMIN, "on the admin listener");
    }
}

fn check_hidden(top: &Section<'_>, mount: &Mount, reserved: &[&str], place: &str) {
    if let Some(ours) = reserved.iter().find(|ours| is_under(ours, &mount.value)) {
        top.reader.error(&mount.path, format!("would hide {ours}, which is served {place}"));
    }
}

/// Checks that no contract answers where tokens are to be had.
pub(super) fn check_token_paths(
    top: &Section<'_>,
    token_paths: &[Located<String>],
    mounts: &[Mount],
    aliases: &[Located<String>],
) {
    let mounts: Vec<_> = mounts.iter().map(|m| m.value.as_str()).filter(|mount| !mount.is_empty()).collect();
    for path in token_paths {
        if let Some(above) = mounts.iter().chain(&RESERVED).find(|mount| is_under(&path.value, mount)) {
            let message = format!("{} lies under {above}, where another contract answers", Shown(&path.value));
            top.reader.error(&path.path, message);
        }
        if let Some(alias) = aliases.iter().find(|alias| alias.value == path.value) {
            top.reader.error(&path.path, format!("{} is one of api.trigger.aliases too", Shown(&alias.value)));
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

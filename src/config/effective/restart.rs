//! The keys that a reload cannot change: they are named, and wait for a restart.

/// Section, key and why. A key stands for all below it; the empty one for the whole section.
pub(super) const RESTART_ONLY: [(&str, &str, &str); 8] = [
    ("", "data_dir", "the data file in it is open, with all that waits"),
    ("server", "listen", "its sockets are bound"),
    ("server", "socket_mode", "its sockets are bound"),
    ("server", "max_connections", "the places for connections are made at the start"),
    ("admin", "listen", "its sockets are bound"),
    ("admin", "socket_mode", "its sockets are bound"),
    ("audit", "", "the trail is one chain in one place"),
    ("log", "format", "the log is set up before anything else"),
];

/// Sections of which nothing can be changed by a reload.
pub(super) const WHOLE: [&str; 1] = ["store"];

/// Whether the key of a section waits for a restart.
pub(super) fn needs_restart(section: &str, key: &str) -> bool {
    let below = |above: &str| {
        above.is_empty() || key.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    WHOLE.contains(&section) || RESTART_ONLY.iter().any(|(of, above, _)| *of == section && below(above))
}

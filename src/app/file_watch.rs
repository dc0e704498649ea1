//! Files that change: where `reload_on_change` says so, the configuration is read again once they have settled.
//!
//! Their stamps are looked at, not their contents: an editor may write a file in several steps, a package manager several
//! files, so that what is new counts once it has stayed the same for a look. Whether the contents say anything else is
//! found by reading them. While they cannot be used they are read every so often as well: what they name, such as a
//! secret's file that comes later, is only known once they can.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::board::Trigger;
use super::reload::Reloader;
use crate::base::stop::Stop;

/// How often the stamps are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// After how many looks files that could not be used are read again.
const LOOKS_AT_BAD: u32 = 5;

/// Device, inode, size and time of the last change of each file; `None` for one that is not there.
type Stamps = Vec<(PathBuf, Option<(u64, u64, u64, i64, i64)>)>;

/// Reloads when the files change, until the stop is given.
pub(super) async fn run(reloader: Arc<Reloader>, stop: Stop) {
    let mut watch = Watch::default();
    // How many looks ago bad files were read; `None` while the last ones could be used.
    let mut bad: Option<u32> = None;
    while !stop.is_stopped() {
        tokio::select! {
            () = stop.stopped() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let has_changed = look(&reloader, &mut watch).await;
        if watch.known.is_none() {
            bad = None;
        }
        if has_changed || are_mended(&reloader, &mut bad).await {
            // How it ends is told by the reload itself.
            // What could be read before and after is refused for another reason; what was mended meanwhile is read again.
            let could_be_read = reloader.can_be_read().await;
            let done = reloader.reload(Trigger::Change).await.is_ok();
            bad = if done || could_be_read && reloader.can_be_read().await { None } else { Some(0) };
        }
    }
}

/// Whether files that were bad when they were read last, so many looks ago, can be used now.
async fn are_mended(reloader: &Reloader, bad: &mut Option<u32>) -> bool {
    let Some(looks) = bad else { return false };
    *looks += 1;
    if *looks < LOOKS_AT_BAD {
        return false;
    }
    *looks = 0;
    reloader.can_be_read().await
}

/// Whether the files have changed, and settled.
async fn look(reloader: &Arc<Reloader>, watch: &mut Watch) -> bool {
    let (enabled, named) = {
        let current = reloader.works.current.lock();
        let enabled = current.settings.reload_on_change;
        (enabled, if enabled { current.effective.files() } else { Vec::new() })
    };
    let Some(files) = reloader.files.clone().filter(|_| enabled) else {
        *watch = Watch::default();
        return false;
    };
    let stamps = tokio::task::spawn_blocking(move || stamps(&files.sources().file, named)).await;
    stamps.is_ok_and(|stamps| watch.is_settled(stamps))
}

/// What was seen.
#[derive(Debug, Default)]
struct Watch {
    known: Option<Stamps>,
    /// What is new since the last look.
    fresh: Option<Stamps>,
}

impl Watch {
    /// Whether what is seen now is new, and was the same at the last look.
    fn is_settled(&mut self, seen: Stamps) -> bool {
        if self.known.as_ref() == Some(&seen) {
            self.fresh = None;
            return false;
        }
        if self.fresh.as_ref() == Some(&seen) {
            self.fresh = None;
            self.known = Some(seen);
            return true;
        }
        self.fresh = Some(seen);
        false
    }
}

/// The stamps of the main file, of what lies in `conf.d` beside it, and of `named`. Blocks.
fn stamps(main: &Path, named: Vec<PathBuf>) -> Stamps {
    let folder = main.with_file_name("conf.d");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = [main.to_owned(), folder].into_iter().chain(entries).chain(named).collect();
    paths.sort_unstable();
    paths.dedup();
    let stamp = |path: PathBuf| {
        let stamp = fs::metadata(&path).ok().map(|m| (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec()));
        (path, stamp)
    };
    paths.into_iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_counts_once_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let (main, secret) = (folder.path().join("tidings.toml"), folder.path().join("secret"));
        let mut watch = Watch::default();
        let mut look = || watch.is_settled(stamps(&main, vec![secret.clone()]));
        fs::write(&main, "a").unwrap();
        assert_eq!([look(), look(), look()], [false, true, false], "the first look is at something new");
        fs::write(&secret, "x").unwrap();
        assert!(!look());
        fs::write(&secret, "xy").unwrap();
        assert_eq!([look(), look(), look()], [false, true, false]);
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        assert_eq!([look(), look(), look()], [false, true, false]);
        fs::write(folder.path().join("conf.d/10.toml"), "").unwrap();
        assert_eq!([look(), look()], [false, true]);
        fs::remove_file(&secret).unwrap();
        assert_eq!([look(), look(), look()], [false, true, false]);
    }
}

//! The probe F: what the disk gives to who flushes one page at a time.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::fdatasync;

const PAGE: usize = 4096;
const PAGES: u64 = 4096;

/// 4 KiB overwrites of a preallocated file, each followed by fdatasync(2), a second.
pub(crate) fn flushes_per_second(dir: &Path, measured: Duration) -> io::Result<f64> {
    let path = dir.join("probe-f");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    // Written once, so that no later write has to allocate.
    for page in 0..PAGES {
        file.write_all_at(&[1; PAGE], page * PAGE as u64)?;
    }
    file.sync_all()?;
    let (begun, mut written) = (Instant::now(), 0_u32);
    while begun.elapsed() < measured {
        file.write_all_at(&[2; PAGE], u64::from(written) % PAGES * PAGE as u64)?;
        fdatasync(&file)?;
        written += 1;
    }
    let rate = f64::from(written) / begun.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

//! A disk on which each fsync takes longer, as most of those that are rented do: a library that is
//! loaded before the C library's own, for whatever keeps data in a run.

use std::path::Path;

use anyhow::{Context, Result};

/// Names the library; `tools/slow-disk` builds it.
const LIBRARY: &str = "ONHAND_BENCH_SLOW_DISK";
const FILE: &str = "slow-disk.so";

/// What a process that works in `folder` needs in its environment; nothing where the disk is to be
/// as it is. The library is put into the folder, where whoever the process runs as may read it.
pub(super) fn environment(slow_disk_ms: u64, folder: &Path) -> Result<Vec<(&'static str, String)>> {
    if slow_disk_ms == 0 {
        return Ok(Vec::new());
    }
    let library = std::env::var_os(LIBRARY).with_context(|| {
        format!("a slower disk needs {LIBRARY}, the library that tools/slow-disk builds")
    })?;
    let file = folder.join(FILE);
    std::fs::copy(&library, &file)
        .with_context(|| format!("cannot copy {LIBRARY}, which is {}", library.display()))?;
    Ok(vec![
        ("LD_PRELOAD", file.display().to_string()),
        ("SLOW_DISK_US", (slow_disk_ms * 1_000).to_string()),
    ])
}

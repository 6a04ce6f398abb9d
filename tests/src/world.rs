//! The folder that one test lives in, and the end of everything that was started for it.
//!
//! Invariant: when the last handle is gone, no process that names the folder runs and the folder
//! is removed; a test that was itself killed is cleaned up after by the next one.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{files, place};

const PREFIX: &str = "onhand-test-";
const OWNER: &str = "owner.lock";
/// So many tests may run servers at the same time, whatever runs the tests.
const SLOTS: usize = 2;
const SHOWN_LINES: usize = 60;
/// A folder younger than this may not have got its lock yet.
const BORN: Duration = Duration::from_mins(1);

/// A handle to a test's folder; clones share it.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    logs: Mutex<Vec<PathBuf>>,
    // Unlocked when the folder is gone.
    _owner: File,
    _slot: File,
}

impl World {
    /// Makes a folder, first waiting until few enough other tests run servers.
    pub fn new() -> Self {
        // The HTTP clients of tests share their build with the one of a gateway, which has TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let slot = slot();
        clean_up_after_killed_tests();
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .expect("the temporary folder can be written")
            .keep();
        let owner = locked(&folder.join(OWNER)).expect("a new file is not locked by anybody");
        Self(Arc::new(Inner {
            folder,
            logs: Mutex::default(),
            _owner: owner,
            _slot: slot,
        }))
    }

    /// A folder in this one, made when it is not there.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.0.folder.join(name);
        std::fs::create_dir_all(&folder).expect("the test's folder can be written");
        folder
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0.folder
    }

    /// A new log file, shown when the test fails.
    pub fn log(&self, name: &str) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self.folder("logs").join(format!("{number:03}-{name}.log"));
        self.logs().push(path.clone());
        path
    }

    fn logs(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.0
            .logs
            .lock()
            .expect("nothing panics while it holds this")
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        files::kill_all_of(&self.folder);
        if std::thread::panicking() {
            let logs = self.logs.get_mut().map(std::mem::take).unwrap_or_default();
            for log in logs {
                eprintln!("---- {}", log.display());
                eprint!("{}", files::tail(&log, SHOWN_LINES));
            }
        }
        if std::env::var_os("ONHAND_TEST_KEEP").is_none() {
            // What cannot be removed now is removed by the next test.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Waits for one of the few places; under a plain `cargo test` every test is a thread of its own.
fn slot() -> File {
    let folder = place::target().join("onhand-tests");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    loop {
        for number in 0..SLOTS {
            if let Some(slot) = locked(&folder.join(format!("slot-{number}.lock"))) {
                return slot;
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The file, locked; nothing where somebody else has it.
fn locked(path: &Path) -> Option<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn clean_up_after_killed_tests() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let folder = entry.path();
        let is_world = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_old = entry
            .metadata()
            .and_then(|about| about.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > BORN));
        if is_world && is_old && locked(&folder.join(OWNER)).is_some() {
            files::kill_all_of(&folder);
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

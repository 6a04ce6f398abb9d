//! Disks to be hurt: one of few bytes that can be filled or made read-only, and one that is slow.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::World;

/// What a slow disk is made of: it waits before each sync, and leaves a mark that it has.
const SHIM: &str = include_str!("slow_sync.c");
const BALLAST: &str = "ballast";

/// A small disk in memory; dropped, it is unmounted.
pub struct Tmpfs {
    folder: PathBuf,
}

impl Tmpfs {
    /// Mounts one on a folder. Nothing, and a line that says so, where this is not allowed: that
    /// needs root, and a kernel that lets it.
    pub fn mount(folder: &Path, mebibytes: u32) -> Option<Self> {
        let options = format!("size={mebibytes}m,mode=0755");
        let mounted = mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], folder);
        if !mounted {
            eprintln!("SKIPPED: a tmpfs cannot be mounted here, so that no disk was hurt");
        }
        mounted.then(|| Self {
            folder: folder.to_owned(),
        })
    }

    /// Leaves not one byte free.
    pub fn fill(&self) {
        let path = self.folder.join(BALLAST);
        let mut ballast = File::create(path).expect("a new file on a small disk");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0; size];
            while ballast.write_all(&block).is_ok() {}
        }
    }

    /// Takes away what filled it.
    pub fn empty(&self) {
        std::fs::remove_file(self.folder.join(BALLAST)).expect("it was filled");
    }

    /// Lets nobody write, or everybody again; only while nobody has a file of it open for writing.
    pub fn set_read_only(&self, read_only: bool) {
        let way = if read_only { "ro" } else { "rw" };
        let done = mount(&["-o", &format!("remount,{way}")], &self.folder);
        assert!(done, "a mounted disk can be made {way}");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // At once, whoever still has it open; a folder that is not there any more is as good.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let mut command = Command::new("mount");
    let output = command.args(arguments).arg(folder).output();
    output.is_ok_and(|output| output.status.success())
}

/// A disk on which every sync takes its time, for programs that are started with its environment.
pub struct SlowDisk {
    library: PathBuf,
    mark: PathBuf,
    wait_ms: u32,
}

impl SlowDisk {
    /// Builds the library that waits so long before each sync.
    pub fn of(world: &World, wait_ms: u32) -> Self {
        let folder = world.folder("slow-disk");
        let (source, library) = (folder.join("slow_sync.c"), folder.join("slow_sync.so"));
        std::fs::write(&source, SHIM).expect("the test's folder can be written");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .expect("whoever builds Rust has a C compiler");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "the library is not built: {said}");
        Self {
            library,
            mark: folder.join("waited"),
            wait_ms,
        }
    }

    /// What a program is told that is to have this disk.
    pub fn environment(&self) -> [(String, String); 3] {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        [
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("SLOW_SYNC_MS".to_owned(), self.wait_ms.to_string()),
            ("SLOW_SYNC_MARK".to_owned(), text(&self.mark)),
        ]
    }

    /// Whether anybody has waited for it.
    pub fn was_asked(&self) -> bool {
        self.mark.is_file()
    }
}

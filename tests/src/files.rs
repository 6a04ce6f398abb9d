//! Small things done to files and folders, and to the system's list of processes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A user and a group of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub user: u32,
    /// The number of its first group.
    pub group: u32,
}

/// Looks an account up by name.
pub fn account(name: &str) -> Option<Account> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2).map(str::parse);
    let user = fields.next()?.ok()?;
    let group = fields.next()?.ok()?;
    Some(Account { user, group })
}

/// Copies a folder with everything in it, and hands it to an account when one is given.
pub fn copy_folder(from: &Path, to: &Path, owner: Option<Account>) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    give(to, owner)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target, owner)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
            give(&target, owner)?;
        }
    }
    Ok(())
}

/// Hands a file or folder to an account when one is given.
pub fn give(path: &Path, owner: Option<Account>) -> std::io::Result<()> {
    owner.map_or(Ok(()), |to| chown(path, Some(to.user), Some(to.group)))
}

/// The last lines of a text file; nothing where there is no such file.
pub fn tail(path: &Path, lines_max: usize) -> String {
    let Ok(file) = std::fs::File::open(path) else {
        return String::new();
    };
    let mut last = VecDeque::new();
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        if last.len() == lines_max {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    last.into_iter().map(|line| line + "\n").collect()
}

/// Kills the servers and nodes that were started for a folder: those that name it in their
/// arguments or environment. Reaches what no handle leads to, such as a killed node's child.
pub fn kill_all_of(folder: &Path) {
    for (pid, name) in processes() {
        if is_ours(&name) && mentions(pid, folder) {
            // Gone already is as good.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Sends a signal to a process and those that it started.
pub fn signal_family(parent: u32, signal: Signal) {
    let parent = Pid::from_raw(i32::try_from(parent).expect("a process id is small"));
    for (pid, _) in processes() {
        if Some(pid) == parent || parent_of(pid) == parent {
            // Gone already is as good.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Its parent, by `/proc`: the second field behind the name, which may itself have brackets.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
    Pid::from_raw(parent.parse().ok()?)
}

fn is_ours(name: &str) -> bool {
    let ours = [
        "nats-server",
        "postgres",
        "onhand",
        "product-node",
        "point-node",
        "coupon-node",
        "payment-node",
        "order-node",
        "ranking-node",
    ];
    ours.contains(&name)
}

fn processes() -> Vec<(Pid, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            Some((Pid::from_raw(pid)?, name.trim().to_owned()))
        })
        .collect()
}

fn mentions(pid: Pid, folder: &Path) -> bool {
    let needle = folder.as_os_str().as_bytes();
    ["cmdline", "environ"].iter().any(|file| {
        let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
        std::fs::read(path)
            .is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle))
    })
}

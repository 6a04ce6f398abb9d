//! What the figures were measured on, and room for many connections.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    cores: usize,
    processor: String,
    memory_mib: u64,
    kernel: String,
    /// Whether the databases lie in memory, where making something durable costs nothing; not
    /// known of a server that the bench did not start.
    data_in_memory: Option<bool>,
}

impl Machine {
    /// `data` is where the databases were, if the bench knows.
    pub(super) fn look(data: Option<&Path>) -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: field("/proc/cpuinfo", "model name"),
            memory_mib: field("/proc/meminfo", "MemTotal")
                .trim_end_matches(" kB")
                .parse::<u64>()
                .unwrap_or(0)
                / 1_024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            data_in_memory: data.map(in_memory),
        }
    }

    pub(super) fn data_in_memory(&self) -> bool {
        self.data_in_memory == Some(true)
    }
}

/// Lets this process and its children hold as many files open as the system allows: the usual
/// first limit of 1,024 is less than 1,024 connections need.
pub(super) fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it fails the connections tell: the limit that was there may suffice.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

/// How much memory a process holds at the moment, in MiB; 0 where it is not there.
pub(super) fn resident_mib(pid: &str) -> u64 {
    let resident = field(&format!("/proc/{pid}/status"), "VmRSS");
    resident.trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1_024
}

fn in_memory(folder: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::statfs(folder).is_ok_and(|system| u64::try_from(system.f_type) == Ok(TMPFS))
}

fn field(file: &str, name: &str) -> String {
    read(file)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

//! A private Postgres cluster, for a comparison or as a store: in a temporary folder, reachable through a socket
//! in that folder alone, with the server's own defaults, gone with this value.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::slow_disk;

pub(super) struct Postgres {
    programs: PathBuf,
    user: Option<User>,
    folder: TempDir,
    server: Child,
}

/// Postgres refuses to run as root, so somebody else has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    id: u32,
    group: u32,
}

const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pgbench"];
const READY_WITHIN: Duration = Duration::from_mins(1);
const STOPPED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Postgres {
    /// Makes and starts the cluster, on a disk that is so much slower. Blocks.
    pub(super) fn start(slow_disk_ms: u64) -> Result<Self> {
        let programs = find_programs()?;
        let user = user()?;
        let folder = tempfile::Builder::new()
            .prefix("onhand-pgbench-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        if let Some(user) = user {
            chown(folder.path(), Some(user.id), Some(user.group))?;
        }
        let program = |name: &str| command(&programs, name, folder.path(), user);
        succeed(program("initdb").args([
            "-D",
            "cluster",
            "-U",
            "bench",
            "-A",
            "trust",
            "--no-sync",
        ]))?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let server = program("postgres")
            .args(["-D", "cluster", "-c", "listen_addresses=", "-k"])
            .arg(folder.path())
            .envs(slow_disk::environment(slow_disk_ms, folder.path())?)
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C at the terminal is for the bench, which stops it by dropping this.
            .process_group(0)
            .spawn()
            .context("cannot start postgres")?;
        let mut postgres = Self {
            programs,
            user,
            folder,
            server,
        };
        postgres.wait_until_ready()?;
        Ok(postgres)
    }

    /// Runs SQL and demands that all of it succeeds.
    pub(super) fn sql(&self, sql: &str) -> Result<String> {
        succeed(
            self.client("psql")
                .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]),
        )
    }

    /// Has done at once what it would put off: else it does it in the time of whoever is measured
    /// next.
    pub(super) fn settle(&self) -> Result<()> {
        for work in ["VACUUM", "CHECKPOINT"] {
            self.sql(work)?;
        }
        Ok(())
    }

    /// A client program, set up to reach this cluster.
    pub(super) fn client(&self, name: &str) -> Command {
        let mut command = command(&self.programs, name, self.folder.path(), self.user);
        command
            .env("PGHOST", self.folder.path())
            .env("PGUSER", "bench")
            .env("PGDATABASE", "postgres");
        command
    }

    /// The address of a database in it, for a program of this user.
    pub(super) fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display();
        format!("postgres://bench@localhost/{database}?host={socket}")
    }

    /// Where the clients may read files.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let Err(fault) = self.sql("SELECT 1") else {
                return Ok(());
            };
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                bail!("postgres ended with {status}:\n{}", log.unwrap_or_default());
            }
            ensure!(
                Instant::now() < deadline,
                "postgres does not start: {fault}"
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Without a checkpoint: nothing in it is wanted any more.
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let deadline = Instant::now() + STOPPED_WITHIN;
        while matches!(self.server.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = self.server.kill();
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Runs a program to its end and hands over what it printed.
fn succeed(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    ensure!(
        output.status.success(),
        "{name} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program that sees nothing of this process's own settings for Postgres.
fn command(programs: &Path, name: &str, folder: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(programs.join(name));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("LC_ALL", "C")
        .current_dir(folder)
        .stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.id).gid(user.group);
    }
    command
}

fn find_programs() -> Result<PathBuf> {
    let complete = |folder: &PathBuf| PROGRAMS.iter().all(|name| folder.join(name).is_file());
    if let Some(folder) = std::env::var_os("ONHAND_POSTGRES_BIN").map(PathBuf::from) {
        ensure!(
            complete(&folder),
            "ONHAND_POSTGRES_BIN is {}, where not all of {} are",
            folder.display(),
            PROGRAMS.join(", ")
        );
        return Ok(folder);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    debian.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    std::env::split_paths(&path)
        .chain(debian.into_iter().map(|(_, folder)| folder))
        .find(complete)
        .with_context(|| {
            format!(
                "this needs {}: install Postgres or set ONHAND_POSTGRES_BIN to their folder",
                PROGRAMS.join(", ")
            )
        })
}

/// Who runs the cluster: this user, or where that is root, `postgres` or else `nobody`.
fn user() -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| find_user(&users, name))
        .map(Some)
        .context("Postgres does not run as root, and there is neither a user postgres nor nobody")
}

fn find_user(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        Some(User {
            id: fields.nth(1)?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users =
            "root:x:0:0::/root:/bin/sh\npostgresql:x:7:8::/:/bin/sh\npostgres:x:26:27::/:/bin/sh\n";
        assert_eq!(
            find_user(users, "postgres"),
            Some(User { id: 26, group: 27 })
        );
        assert_eq!(find_user(users, "nobody"), None);
    }
}

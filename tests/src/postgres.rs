//! A Postgres cluster of the test's own.
//!
//! Making one takes seconds, so it is made once a build folder and copied. Postgres refuses to
//! run as root: a test that does runs it as an account without rights.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use sqlx::{Connection, PgConnection};

use crate::files::{self, Account};
use crate::process::Process;
use crate::{World, eventually, place};

const USER: &str = "onhand";
const CONNECTIONS_MAX: u32 = 200;

/// A cluster on a port that stays the same over restarts.
pub struct Postgres {
    world: World,
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Postgres {
    /// Starts a cluster, syncing to disk as it does by default, with no database of ours in it.
    pub async fn start(world: &World) -> Self {
        let folder = world.folder("postgres").join("cluster");
        files::copy_folder(&template(world), &folder, account())
            .expect("the template can be copied");
        let mut cluster = Self {
            world: world.clone(),
            folder,
            port: place::free_port(),
            process: None,
        };
        cluster.start_again().await;
        cluster
    }

    /// Makes a database and gives its address.
    pub async fn database(&self, name: &str) -> String {
        self.run(&format!("create database \"{name}\"")).await;
        self.url(name)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs one statement as the cluster's owner, and says how many rows it was about.
    pub async fn run(&self, statement: &str) -> u64 {
        let mut connection = PgConnection::connect(&self.url("postgres"))
            .await
            .expect("a running cluster takes its owner's connection");
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|why| panic!("{statement}: {why}"));
        done.rows_affected()
    }

    /// Ends the connections of a program, and says how many there were.
    pub async fn terminate(&self, application: &str) -> u64 {
        self.run(&format!(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where application_name = '{application}'"
        ))
        .await
    }

    /// Ends every connection but the one that asks for it, and says how many there were.
    pub async fn terminate_all(&self) -> u64 {
        self.run(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where backend_type = 'client backend' and pid <> pg_backend_pid()",
        )
        .await
    }

    /// Stops the clock of all its processes.
    pub fn pause(&self) {
        files::signal_family(self.pid(), Signal::STOP);
    }

    /// Lets them go on.
    pub fn cont(&self) {
        files::signal_family(self.pid(), Signal::CONT);
    }

    /// Has it end at once, as `pg_ctl stop -m immediate` does: what it left is recovered at the next
    /// start.
    pub async fn stop_at_once(&mut self) {
        let mut process = self.process.take().expect("only a running cluster ends");
        process.signal(Signal::QUIT);
        process.ended().await;
    }

    fn pid(&self) -> u32 {
        let process = self.process.as_ref();
        process.expect("only a running cluster has one").pid()
    }

    /// Starts it on the port and the data that it had before; returns when it takes connections.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "the cluster runs already");
        let url = self.url("postgres");
        eventually("postgres", async || {
            // It refuses to start as long as backends of a killed predecessor are still there.
            if self
                .process
                .as_mut()
                .is_none_or(|it| it.outcome().is_some())
            {
                self.process = Some(self.launched());
            }
            let refused = |why| format!("{why}\n{}", self.log_tail());
            PgConnection::connect(&url).await.map_err(refused)
        })
        .await;
    }

    /// Kills the postmaster at once; its backends end when they see that.
    pub fn kill9(&mut self) {
        let process = self.process.take();
        process.expect("only a running cluster is killed").kill9();
    }

    fn launched(&self) -> Process {
        let mut command = as_unprivileged(&place::postgres("postgres"), &self.folder);
        command.arg("-D").arg(&self.folder);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=32MB",
            &format!("max_connections={CONNECTIONS_MAX}"),
            &format!("port={}", self.port),
        ] {
            command.args(["-c", setting]);
        }
        Process::start(&self.world, "postgres", &mut command)
    }

    fn log_tail(&self) -> String {
        self.process
            .as_ref()
            .map(Process::log_tail)
            .unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once but in order: a killed one leaves its shared memory segment to the system.
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::QUIT);
            for _ in 0..100 {
                if process.outcome().is_some() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
    }
}

/// Whom Postgres is to run as, when that is not who runs the test.
fn account() -> Option<Account> {
    let root = rustix::process::geteuid().is_root();
    root.then(|| {
        files::account("postgres")
            .or_else(|| files::account("nobody"))
            .expect("a system has an account without rights")
    })
}

fn as_unprivileged(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").current_dir(
        folder
            .parent()
            .expect("a cluster's folder lies in the test's"),
    );
    if let Some(account) = account() {
        command.uid(account.user).gid(account.group);
    }
    command
}

/// An empty cluster to copy from, made by whoever needs it first.
fn template(world: &World) -> PathBuf {
    let cache = place::target().join("onhand-tests");
    let version = Command::new(place::postgres("postgres"))
        .arg("--version")
        .output()
        .expect("postgres tells its version");
    let version = String::from_utf8_lossy(&version.stdout)
        .trim()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let template = cache.join(version);
    std::fs::create_dir_all(&cache).expect("the target folder can be written");
    let lock = std::fs::File::create(cache.join("postgres.lock")).expect("a lock file");
    lock.lock().expect("a lock is waited for");
    if !template.is_dir() {
        let new = initialised(world);
        let half = cache.join("postgres-half");
        let _ = std::fs::remove_dir_all(&half);
        files::copy_folder(&new, &half, None).expect("the target folder can be written");
        std::fs::rename(&half, &template).expect("a folder can be renamed beside itself");
    }
    template
}

fn initialised(world: &World) -> PathBuf {
    let parent = world.folder("postgres-template");
    files::give(&parent, account()).expect("root may give a folder away");
    let folder = parent.join("cluster");
    let output = as_unprivileged(&place::postgres("initdb"), &folder)
        .args(["--no-sync", "--auth=trust", "--locale=C", "--encoding=UTF8"])
        .arg(format!("--username={USER}"))
        .arg("-D")
        .arg(&folder)
        .output()
        .expect("initdb can be run");
    assert!(
        output.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    folder
}

//! An Onhand of the bench's own: child processes on fresh databases in a temporary folder, so that
//! load, stop and audit touch nothing that anybody keeps.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axum::http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::args::{Ground, Store};
use super::connection::Connection;
use super::machine;
use super::postgres::Postgres;
use super::slow_disk;
use super::target::Target;

pub(super) struct Server {
    /// The first starts the broker; the others use it.
    processes: Vec<Process>,
    data: Data,
}

struct Process {
    child: Child,
    /// Its data folder.
    folder: PathBuf,
}

const READY_WITHIN: Duration = Duration::from_mins(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const ADDRESS: &str = "onhand.addr";
const BROKER: &str = "nats.url";
const BROKER_PID: &str = "nats.pid";
const LOG: &str = "bench-server.log";
const LOG_LINES_SHOWN: usize = 10;
/// What would lead the bench's own Onhand to a broker or to databases that somebody else uses.
const NOT_INHERITED: [&str; 14] = [
    "ONHAND_NATS_URL",
    "ONHAND_NATS_CREDS",
    "ONHAND_NATS_USER",
    "ONHAND_NATS_PASSWORD",
    "ONHAND_NATS_INBOX_PREFIX",
    "ONHAND_NATS_CA",
    "ONHAND_ORDER_DATABASE_URL",
    "ONHAND_PRODUCT_DATABASE_URL",
    "ONHAND_POINT_DATABASE_URL",
    "ONHAND_COUPON_DATABASE_URL",
    "ONHAND_PAYMENT_DATABASE_URL",
    "ONHAND_RANKING_DATABASE_URL",
    // Nor may it ask anybody for money.
    "ONHAND_PAYMENT_GATEWAY",
    "ONHAND_PORTONE_URL",
];

impl Server {
    /// Starts the process on fresh databases; it is then still getting ready. Blocks where it needs
    /// a Postgres.
    pub(super) fn spawn(ground: Ground) -> Result<Self> {
        Self::on(Data::new(ground)?)
    }

    /// Starts the process on what another left.
    pub(super) fn on(data: Data) -> Result<Self> {
        let mut first = data.up(data.path())?;
        first.args(["--nats-listen", "127.0.0.1:0"]);
        let processes = vec![Process::start(first, data.path().to_owned())?];
        Ok(Self { processes, data })
    }

    /// Waits until it takes orders at each of its addresses.
    pub(super) async fn ready(&mut self) -> Result<Vec<Target>> {
        let mut targets = vec![self.processes[0].ready().await?];
        for number in 2..=self.data.ground.processes {
            let folder = self.data.path().join(format!("process-{number}"));
            std::fs::create_dir(&folder).context("cannot make a data folder")?;
            let broker = std::fs::read_to_string(self.data.path().join(BROKER))?;
            let mut another = self.data.up(&folder)?;
            another.args(["--nats-url", broker.trim()]);
            self.processes.push(Process::start(another, folder)?);
        }
        for another in &mut self.processes[1..] {
            targets.push(another.ready().await?);
        }
        Ok(targets)
    }

    /// Ends it as a fault would, and hands over its data. Its broker lives on, as it does then.
    pub(super) async fn kill(mut self) -> Result<Data> {
        for process in &mut self.processes {
            process.child.kill().await?;
            let address = process.folder.join(ADDRESS);
            std::fs::remove_file(address).context("cannot remove its address")?;
        }
        Ok(self.data)
    }

    /// Stops it as an operator would, and hands over its data.
    pub(super) async fn stop(mut self) -> Result<Data> {
        let mut well = Ok(());
        // The first has the broker, so it goes last.
        while let Some(process) = self.processes.pop() {
            well = well.and(process.stop().await);
        }
        well.map(|()| self.data)
    }

    /// How much memory it and its broker hold at the moment, in MiB.
    pub(super) fn resident_mib(&self) -> u64 {
        let broker = std::fs::read_to_string(self.data.path().join(BROKER_PID)).ok();
        let ids = self.processes.iter().filter_map(|p| p.child.id());
        let pids = ids.map(|id| id.to_string()).chain(broker);
        pids.map(|pid| machine::resident_mib(pid.trim())).sum()
    }
}

impl Process {
    fn start(mut command: Command, folder: PathBuf) -> Result<Self> {
        let log = std::fs::File::create(folder.join(LOG)).context("cannot write its log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C at the terminal reaches the bench alone, which then stops it in good order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start onhand up")?;
        Ok(Self { child, folder })
    }

    async fn ready(&mut self) -> Result<Target> {
        let deadline = Instant::now() + READY_WITHIN;
        let file = self.folder.join(ADDRESS);
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("onhand up ended with {status}:\n{}", self.log());
            }
            if let Ok(address) = std::fs::read_to_string(&file)
                && let Ok(target) = Target::parse(&address)
                && ready(target).await.is_ok()
            {
                return Ok(target);
            }
            ensure!(
                Instant::now() < deadline,
                "onhand up is not ready within {} s:\n{}",
                READY_WITHIN.as_secs(),
                self.log()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id().and_then(|id| pid(&id.to_string())) {
            // It may be gone already, which the wait below tells.
            let _ = kill_process(pid, Signal::TERM);
        }
        if let Ok(status) = tokio::time::timeout(STOPPED_WITHIN, self.child.wait()).await {
            let status = status?;
            ensure!(
                status.success(),
                "onhand up ended with {status}:\n{}",
                self.log()
            );
            return Ok(());
        }
        self.child.kill().await?;
        let broker = std::fs::read_to_string(self.folder.join(BROKER_PID));
        if let Some(pid) = broker.ok().as_deref().and_then(pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
        bail!(
            "onhand up did not stop within {} s:\n{}",
            STOPPED_WITHIN.as_secs(),
            self.log()
        )
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join(LOG)).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

/// Where a server keeps its data; it is removed with this.
pub(super) struct Data {
    folder: TempDir,
    ground: Ground,
    /// Its databases, where they are not in the folder.
    postgres: Option<Postgres>,
}

/// The services that have a database.
const DATABASES: [&str; 6] = ["order", "product", "point", "coupon", "payment", "ranking"];

impl Data {
    fn new(ground: Ground) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("onhand-bench-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let postgres = match ground.store {
            Store::Sqlite => None,
            Store::Postgres => Some(Postgres::start(ground.slow_disk_ms)?),
        };
        if let Some(postgres) = &postgres {
            for name in DATABASES {
                postgres.sql(&format!("CREATE DATABASE onhand_{name}"))?;
            }
        }
        Ok(Self {
            folder,
            ground,
            postgres,
        })
    }

    /// Runs `onhand audit` and demands that it finds nothing.
    pub(super) async fn audit(&self) -> Result<()> {
        let output = self
            .onhand("audit", self.path())?
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start onhand audit")?;
        ensure!(
            output.status.success(),
            "onhand audit ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder where it is, for a look at what is wrong in it. A Postgres goes.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// `onhand up` with a data folder, and a disk as slow as this one.
    fn up(&self, folder: &Path) -> Result<Command> {
        let mut command = self.onhand("up", folder)?;
        command
            .envs(slow_disk::environment(self.ground.slow_disk_ms, folder)?)
            .args(["--listen", "127.0.0.1:0"]);
        if let Some(partitions) = self.ground.partitions {
            command.env("ONHAND_PARTITIONS", partitions.to_string());
        }
        Ok(command)
    }

    /// This program, set up for this data.
    fn onhand(&self, subcommand: &str, folder: &Path) -> Result<Command> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(program);
        command.arg(subcommand).arg("--data").arg(folder);
        // Only the end of its log is shown, and that should be the fault and not where it passed by.
        command.env("RUST_LIB_BACKTRACE", "0");
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        if let Some(postgres) = &self.postgres {
            for name in DATABASES {
                let variable = format!("ONHAND_{}_DATABASE_URL", name.to_uppercase());
                command.env(variable, postgres.url(&format!("onhand_{name}")));
            }
        }
        Ok(command)
    }
}

/// Demands that an Onhand answers there and can work.
pub(super) async fn ready(target: Target) -> Result<()> {
    let asked = async { Connection::open(target).await?.status("/readyz").await };
    let status = tokio::time::timeout(ANSWER_WITHIN, asked)
        .await
        .with_context(|| format!("{target} does not answer"))??;
    ensure!(
        status == StatusCode::OK,
        "{target} is not ready: /readyz answers {status}"
    );
    Ok(())
}

fn pid(text: &str) -> Option<Pid> {
    text.trim().parse().ok().and_then(Pid::from_raw)
}

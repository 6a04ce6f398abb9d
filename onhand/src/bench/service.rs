//! The comparison over HTTP: a small service of the usual kind, in a process of its own on a
//! Postgres of its own, under the same load as ours.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::args::Ground;
use super::postgres::Postgres;
use super::redis::Redis;
use super::target::Target;

/// How it keeps two orders from taking the same piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// By a lock on the product's row.
    Row,
    /// By a lock in Redis, around reading, checking and writing.
    Redis,
}

/// The service, and what it stands on; all gone with this.
pub(super) struct Service {
    child: Child,
    // In this order: whoever uses another goes first.
    _redis: Option<Redis>,
    postgres: Postgres,
}

const PROGRAM: &str = "baseline-service";
const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

impl Service {
    /// Starts it and waits until it takes orders.
    pub(super) async fn start(lock: Lock, ground: Ground) -> Result<(Self, Target)> {
        let postgres = Postgres::start(ground.slow_disk_ms)?;
        let redis = match lock {
            Lock::Row => None,
            Lock::Redis => Some(Redis::start().await?),
        };
        let mut command = Command::new(program()?);
        command.args(["--database-url", &postgres.url("postgres")]);
        if let Some(redis) = &redis {
            command.args(["--redis-url", redis.url()]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the service that is compared with")?;
        let printed = child.stdout.take().context("it prints where it listens")?;
        let mut lines = BufReader::new(printed).lines();
        let address = tokio::time::timeout(READY_WITHIN, lines.next_line())
            .await
            .context("the service that is compared with does not start")??
            .context("the service that is compared with ended")?;
        let service = Self {
            child,
            _redis: redis,
            postgres,
        };
        Ok((service, Target::parse(&address)?))
    }

    /// Has its database done with what it put off. Blocks.
    pub(super) fn settle(&self) -> Result<()> {
        self.postgres.settle()
    }

    /// Ends it before what it stands on.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.child.start_kill()?;
        tokio::time::timeout(STOPPED_WITHIN, self.child.wait())
            .await
            .context("the service that is compared with does not end")??;
        Ok(())
    }
}

/// It is built beside this program.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let program = own.with_file_name(PROGRAM);
    ensure!(
        program.is_file(),
        "{} is not there: build it by cargo build --release -p onhand-baselines",
        program.display()
    );
    Ok(program)
}

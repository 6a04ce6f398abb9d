//! The comparison: the same order in a database alone, run by pgbench without HTTP, without a broker,
//! without services. Once as the classic transaction, which locks the product's row and holds it
//! until the commit, and once as one statement, which is the best that can be done.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::args::Setting;
use super::postgres::Postgres;
use super::scenario::Plan;
use super::stop::Stop;

/// The clients that the comparison runs with.
pub(super) const CLIENTS: u32 = 32;

const TABLES: &str = "
    CREATE TABLE product (id bigint PRIMARY KEY, version bigint NOT NULL, stock bigint NOT NULL CHECK (stock >= 0));
    CREATE TABLE orders (id bigserial PRIMARY KEY, buyer_id text NOT NULL, product_id bigint NOT NULL,
        quantity bigint NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE ledger (product_id bigint NOT NULL, order_id bigint NOT NULL, amount bigint NOT NULL,
        balance bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (product_id, order_id));";

const TRANSACTION: &str = "\\set product random(1, :products)
BEGIN;
INSERT INTO orders (buyer_id, product_id, quantity, status) VALUES ('u-1', :product, 1, 'CONFIRMED') RETURNING id AS order_id \\gset
SELECT stock FROM product WHERE id = :product FOR UPDATE \\gset
UPDATE product SET stock = stock - 1, version = version + 1 WHERE id = :product;
INSERT INTO ledger (product_id, order_id, amount, balance) VALUES (:product, :order_id, -1, :stock - 1);
COMMIT;
";

const STATEMENT: &str = "\\set product random(1, :products)
WITH taken AS (
    UPDATE product SET stock = stock - 1, version = version + 1 WHERE id = :product AND stock >= 1 RETURNING id, stock
), placed AS (
    INSERT INTO orders (buyer_id, product_id, quantity, status) SELECT 'u-1', id, 1, 'CONFIRMED' FROM taken RETURNING id
)
INSERT INTO ledger (product_id, order_id, amount, balance) SELECT taken.id, placed.id, -1, taken.stock FROM taken, placed;
";

/// How an order is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// `SELECT … FOR UPDATE`, and what follows from it.
    ForUpdate,
    /// One statement with a condition.
    SingleStatement,
}

impl Script {
    const fn file(self) -> &'static str {
        match self {
            Self::ForUpdate => "for-update.sql",
            Self::SingleStatement => "single-statement.sql",
        }
    }
}

/// What pgbench found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transactions {
    pub(super) per_second: f64,
    pub(super) average_ms: f64,
}

pub(super) struct Baseline {
    postgres: Postgres,
    prepared: Option<Plan>,
    version: String,
}

impl Baseline {
    /// Makes a cluster with the tables, on a disk that is so much slower. Blocks.
    pub(super) fn start(slow_disk_ms: u64) -> Result<Self> {
        let postgres = Postgres::start(slow_disk_ms)?;
        postgres.sql(TABLES)?;
        for (script, text) in [
            (Script::ForUpdate, TRANSACTION),
            (Script::SingleStatement, STATEMENT),
        ] {
            fs::write(postgres.folder().join(script.file()), text)?;
        }
        let version = postgres.sql("SHOW server_version")?.trim().to_owned();
        Ok(Self {
            postgres,
            prepared: None,
            version,
        })
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Runs orders as long as the setting measures; the first time that a plan comes they run as
    /// long as it warms up too. Blocks, and ends early when `stop` is set.
    pub(super) fn run(
        &mut self,
        setting: Setting,
        (script, clients): (Script, u32),
        stop: &Stop,
    ) -> Result<Transactions> {
        if self.prepared != Some(setting.plan) {
            self.postgres.sql(&format!(
                "TRUNCATE product, orders, ledger;
                 INSERT INTO product SELECT id, 1, {} FROM generate_series(1, {}) AS id;",
                setting.plan.stock, setting.plan.goods
            ))?;
            self.postgres.sql("VACUUM ANALYZE")?;
            self.prepared = Some(setting.plan);
            if !setting.warm_up.is_zero() {
                self.pgbench(setting, (script, clients), setting.warm_up, stop)?;
            }
        }
        let measured = self.pgbench(setting, (script, clients), setting.measured, stop)?;
        self.postgres.settle()?;
        Ok(measured)
    }

    fn pgbench(
        &self,
        setting: Setting,
        (script, clients): (Script, u32),
        time: Duration,
        stop: &Stop,
    ) -> Result<Transactions> {
        let (clients, seconds) = (clients.to_string(), time.as_secs().to_string());
        let mut command = self.postgres.client("pgbench");
        command
            .args(["-n", "-M", "prepared", "-f", script.file(), "-j", "2"])
            .args(["-c", &clients, "-T", &seconds])
            .args(["-D", &format!("products={}", setting.plan.goods)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().context("cannot start pgbench")?;
        wait(&mut child, stop)?;
        let output = child.wait_with_output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "pgbench ended with {}: {complained}",
            output.status
        );
        read(&printed)
            .with_context(|| format!("cannot read what pgbench printed: {printed}{complained}"))
    }
}

/// Waits for the end of `child`, and brings it about where the bench is stopped.
fn wait(child: &mut Child, stop: &Stop) -> Result<()> {
    while child.try_wait()?.is_none() {
        if stop.is_set() {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn read(printed: &str) -> Option<Transactions> {
    let after = |start: &str| {
        let line = printed
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(start))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    // Only since version 15; transactions that fail end older ones.
    let failed = after("number of failed transactions: ").unwrap_or(0.0);
    (failed == 0.0).then_some(Transactions {
        per_second: after("tps = ")?,
        average_ms: after("latency average = ")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "transaction type: order.sql
number of transactions actually processed: 20412
number of failed transactions: 0 (0.000%)
latency average = 15.671 ms
initial connection time = 22.117 ms
tps = 2042.002131 (without initial connection time)
";

    #[test]
    fn the_rate_and_the_latency_are_read_from_what_pgbench_prints() {
        assert_eq!(
            read(PRINTED),
            Some(Transactions {
                per_second: 2_042.002_131,
                average_ms: 15.671
            })
        );
    }

    #[test]
    fn a_run_with_failed_transactions_is_no_baseline() {
        assert_eq!(
            read(&PRINTED.replace("transactions: 0", "transactions: 3")),
            None
        );
    }

    #[test]
    fn a_run_without_a_rate_is_no_baseline() {
        assert_eq!(read("pgbench: error"), None);
    }
}

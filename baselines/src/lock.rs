//! The lock of a product in Redis, as it is usually done: a key with a time to live, set where it is
//! not there, and deleted by who set it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use redis::Script;
use redis::aio::MultiplexedConnection;

/// The locks in one Redis.
pub(crate) struct Locks {
    connection: MultiplexedConnection,
    release: Script,
    taken: AtomicU64,
}

/// A lock that is held.
pub(crate) struct Held {
    key: String,
    owner: String,
}

/// Whoever dies with a lock keeps it no longer than this.
const HELD_MAX_MS: u64 = 5_000;
const TRY_AGAIN: Duration = Duration::from_millis(1);
const TRIES_MAX: u32 = 5_000;
/// Another may have it by now, if it took too long.
const RELEASE: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

impl Locks {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let client = redis::Client::open(url).context("no address of a Redis")?;
        let connection = client.get_multiplexed_async_connection().await;
        Ok(Self {
            connection: connection.context("cannot connect to Redis")?,
            release: Script::new(RELEASE),
            taken: AtomicU64::new(0),
        })
    }

    /// Waits for a product's lock.
    pub(crate) async fn take(&self, product: i64) -> Result<Held> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let (key, owner) = (
            format!("lock:{product}"),
            format!("{}-{number}", std::process::id()),
        );
        for _ in 0..TRIES_MAX {
            let taken: Option<String> = redis::cmd("SET")
                .arg(&key)
                .arg(&owner)
                .arg(("NX", "PX", HELD_MAX_MS))
                .query_async(&mut self.connection.clone())
                .await?;
            if taken.is_some() {
                return Ok(Held { key, owner });
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        anyhow::bail!("the lock of product {product} does not come free")
    }

    pub(crate) async fn give_back(&self, held: Held) -> Result<()> {
        let gone: i64 = self
            .release
            .key(&held.key)
            .arg(&held.owner)
            .invoke_async(&mut self.connection.clone())
            .await?;
        ensure!(gone == 1, "{} was not ours any more", held.key);
        Ok(())
    }
}

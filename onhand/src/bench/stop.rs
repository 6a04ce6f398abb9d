//! Ctrl-C and SIGTERM, as one flag that everything looks at which may take long. Nothing is torn
//! down half-way: the load ends, servers are stopped, temporary folders go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

/// What is reported where somebody stopped the bench.
#[derive(Debug)]
pub(super) struct Stopped;

const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Stop {
    /// A flag that the signals set.
    pub(super) fn on_signals() -> Result<Self> {
        let cannot = "cannot listen for signals";
        let mut interrupt = signal(SignalKind::interrupt()).context(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).context(cannot)?;
        let stop = Self::default();
        let flag = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            flag.set();
        });
        Ok(stop)
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Does `work`, which may be given up at any moment, unless the flag is set before it is done.
    pub(super) async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let stopped = async {
            while !self.is_set() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = stopped => bail!(Stopped),
        }
    }

    /// Runs `work`, which looks at the flag itself, on a thread where it may block.
    pub(super) async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = tokio::task::spawn_blocking(work)
            .await
            .context("a thread of the bench broke")?;
        if self.is_set() {
            bail!(Stopped);
        }
        done
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped before the end, nothing is reported")
    }
}

impl std::error::Error for Stopped {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_given_up_when_the_bench_is_stopped() {
        let stop = Stop::default();
        stop.set();
        let fault = stop
            .or(std::future::pending::<Result<()>>())
            .await
            .expect_err("stopped");
        assert!(fault.is::<Stopped>());
    }

    #[tokio::test]
    async fn work_that_was_stopped_half_way_is_not_reported() {
        let stop = Stop::default();
        let flag = stop.clone();
        let half = stop.block(move || {
            flag.set();
            Ok(1)
        });
        assert!(half.await.expect_err("stopped").is::<Stopped>());
    }
}

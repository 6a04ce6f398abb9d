//! Waiting for something to become true, with a deadline that a slow machine does not reach.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long something that should happen soon may take before it counts as never happening.
pub const SOON: Duration = Duration::from_secs(45);

const POLL: Duration = Duration::from_millis(50);

/// Asks again and again until the answer is `Ok`, and gives its value.
///
/// Panics after [`SOON`] with what was waited for and the last reason why it was not there.
pub async fn eventually<T, E: Display>(what: &str, ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    eventually_within(SOON, what, ask).await
}

/// [`eventually`] with a deadline of its own.
pub async fn eventually_within<T, E: Display>(
    deadline: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(why) if start.elapsed() > deadline => {
                panic!("waited {deadline:?} for {what}: {why}")
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

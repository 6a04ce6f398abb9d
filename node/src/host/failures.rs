//! What keeps failing is tried again ever less often, and told once a reason: a disk that is full
//! for an hour is one line in the log.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait after the first failure.
const PAUSE: Duration = Duration::from_millis(100);
/// How long to wait at most.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// What lived as long as this had got over what failed before.
const WELL: Duration = Duration::from_secs(5);

/// The failures of a service, one session after another.
pub(super) struct Failures {
    begun: Instant,
    pause: Duration,
    told: String,
}

impl Failures {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            pause: PAUSE,
            told: String::new(),
        }
    }

    /// A session begins.
    pub(super) fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// A session has failed: how long to wait before the next.
    pub(super) fn pause(&mut self) -> Duration {
        if self.begun.elapsed() >= WELL {
            *self = Self::new();
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE_MAX);
        pause
    }

    /// Whether this reason has not just been told.
    pub(super) fn is_news(&mut self, reason: &str) -> bool {
        let news = self.told != reason;
        reason.clone_into(&mut self.told);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_keeps_failing_is_tried_less_often_and_told_once() {
        let mut failures = Failures::new();
        let pauses: Vec<u128> = (0..7).map(|_| failures.pause().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert!(failures.is_news("the disk is full"));
        assert!(!failures.is_news("the disk is full"));
        assert!(failures.is_news("the database is away"));

        failures.begin();
        tokio::time::sleep(WELL).await;

        assert_eq!(failures.pause(), PAUSE);
        assert!(failures.is_news("the database is away"));
    }
}

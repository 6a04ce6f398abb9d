//! Who lets a client send its next order: itself (closed loop) or the clock (open loop).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::schedule::Schedule;

pub(super) struct Pacing(Option<Clocked>);

/// Orders become due on a thread that sleeps between them, because tokio's timer of a millisecond
/// would be a good part of the latencies that are measured. What is due waits for a free
/// connection, and its latency counts all the same.
struct Clocked {
    schedule: Schedule,
    begin: Instant,
    due: Semaphore,
    taken: AtomicU64,
}

/// Orders that become due within this time are let go together, to spare the machine the wake-ups.
const TOGETHER: Duration = Duration::from_micros(200);
/// How long the releasing thread may sleep at low rates, so that it sees a stop soon.
const SLEEP_MAX: Duration = Duration::from_millis(50);

impl Pacing {
    pub(super) fn closed() -> Self {
        Self(None)
    }

    pub(super) fn open(schedule: Schedule, begin: Instant) -> Self {
        Self(Some(Clocked {
            schedule,
            begin,
            due: Semaphore::new(0),
            taken: AtomicU64::new(0),
        }))
    }

    /// Waits until an order is due and takes it: the moment from which its latency counts, or none
    /// when a closed loop is `over` or the schedule has ended. What was taken is to be sent.
    pub(super) async fn next(&self, over: impl Fn() -> bool) -> Option<Instant> {
        let Some(clocked) = &self.0 else {
            return (!over()).then(Instant::now);
        };
        clocked.due.acquire().await.ok()?.forget();
        let number = clocked.taken.fetch_add(1, Ordering::Relaxed);
        Some(clocked.begin + clocked.schedule.due(number))
    }

    /// Lets orders go as they become due, until `end` or a stop. Blocks; nothing in a closed loop.
    pub(super) fn release(&self, end: Instant, stopped: impl Fn() -> bool) {
        let Some(Clocked {
            schedule,
            begin,
            due,
            ..
        }) = &self.0
        else {
            return;
        };
        let mut released = 0;
        loop {
            let now = Instant::now();
            if now >= end || stopped() {
                due.close();
                return;
            }
            let by_now = schedule.due_by(now - *begin);
            due.add_permits(usize::try_from(by_now - released).unwrap_or(0));
            released = by_now;
            let next = (*begin + schedule.due(released)).min(end);
            std::thread::sleep(
                next.saturating_duration_since(now)
                    .clamp(TOGETHER, SLEEP_MAX),
            );
        }
    }

    /// When each order was due that was due before `end` and taken by nobody.
    pub(super) fn unsent(&self, end: Instant) -> Vec<Instant> {
        let Some(clocked) = &self.0 else {
            return Vec::new();
        };
        let until = end.saturating_duration_since(clocked.begin);
        let due = clocked
            .schedule
            .due_by(until.saturating_sub(Duration::from_nanos(1)));
        (clocked.taken.load(Ordering::Relaxed)..due)
            .map(|number| clocked.begin + clocked.schedule.due(number))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn orders_count_from_their_place_in_the_schedule_however_late_they_are_taken() {
        let begin = Instant::now();
        let end = begin + Duration::from_millis(100);
        let pacing = Pacing::open(Schedule::new(100), begin);
        std::thread::scope(|scope| {
            scope.spawn(|| pacing.release(end + Duration::from_mins(1), || Instant::now() > end));
        });
        assert!(
            pacing.next(|| false).await.is_none(),
            "the schedule has ended"
        );
        let unsent = pacing.unsent(end);
        assert_eq!(unsent.len(), 10);
        assert_eq!(unsent[3], begin + Duration::from_millis(30));
    }

    #[tokio::test]
    async fn orders_are_handed_out_in_the_order_in_which_they_are_due() {
        let begin = Instant::now();
        let pacing = Pacing::open(Schedule::new(1_000), begin);
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (pacing, stop) = (&pacing, &stop);
            scope.spawn(move || {
                pacing.release(begin + Duration::from_mins(1), || {
                    stop.load(Ordering::Relaxed)
                });
            });
            futures::executor::block_on(async {
                for number in 0..20 {
                    let due = pacing.next(|| false).await;
                    assert_eq!(due, Some(begin + Duration::from_millis(number)));
                }
            });
            stop.store(true, Ordering::Relaxed);
        });
    }

    #[tokio::test]
    async fn a_closed_loop_never_waits_and_leaves_nothing_unsent() {
        let pacing = Pacing::closed();
        assert!(pacing.next(|| false).await.is_some());
        assert!(pacing.unsent(Instant::now()).is_empty());
    }
}

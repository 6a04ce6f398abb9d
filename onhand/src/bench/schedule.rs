//! When orders are due in an open loop, as arithmetic without a clock, and the draw of a product.

use std::time::Duration;

/// Order `n` is due `n / per_second` after the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    per_second: u64,
}

const NANOS: u128 = 1_000_000_000;

impl Schedule {
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second }
    }

    /// When order `number` (from 0) is due, after the start.
    pub(super) fn due(self, number: u64) -> Duration {
        let nanos = (u128::from(number) * NANOS).div_ceil(u128::from(self.per_second));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many orders are due once `elapsed` has passed since the start.
    pub(super) fn due_by(self, elapsed: Duration) -> u64 {
        let due = elapsed.as_nanos() * u128::from(self.per_second) / NANOS + 1;
        u64::try_from(due).unwrap_or(u64::MAX)
    }
}

/// Splitmix64: a draw of a few nanoseconds that needs to be even and not secret.
#[derive(Debug)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let scaled = (u128::from(z ^ (z >> 31)) * (end as u128)) >> 64;
        usize::try_from(scaled).expect("it is below end, which is a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_due_evenly_from_the_start() {
        let schedule = Schedule::new(1_000);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_millis(1));
        assert_eq!(schedule.due(60_000), Duration::from_mins(1));
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let schedule = Schedule::new(7_001);
        assert_eq!(schedule.due(7_001 * 3_600), Duration::from_hours(1));
    }

    #[test]
    fn an_order_counts_as_due_from_its_moment_on_and_not_before() {
        for per_second in [1, 3, 999, 7_001, 1_000_000] {
            let schedule = Schedule::new(per_second);
            for number in [1, 2, 17, 100_003] {
                let due = schedule.due(number);
                assert_eq!(
                    schedule.due_by(due),
                    number + 1,
                    "{number} at {per_second}/s"
                );
                assert_eq!(
                    schedule.due_by(due.saturating_sub(Duration::from_nanos(1))),
                    number,
                    "{number} at {per_second}/s"
                );
            }
        }
    }

    #[test]
    fn draws_reach_every_product_about_equally_often() {
        let mut draw = Draw::new(7);
        let mut drawn = [0_u32; 10];
        for _ in 0..100_000 {
            drawn[draw.below(10)] += 1;
        }
        assert!(
            drawn.iter().all(|times| (9_500..10_500).contains(times)),
            "{drawn:?}"
        );
    }
}

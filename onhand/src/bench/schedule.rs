//! When orders are due in an open loop, as arithmetic without a clock, and the draw of a product.

use std::time::Duration;

/// Orders are due evenly: at one rate, or at one after another.
#[derive(Debug, Clone)]
pub(super) struct Schedule(Vec<Stage>);

/// From a moment and a number on, order `first + n` is due `n / per_second` after it.
#[derive(Debug, Clone, Copy)]
struct Stage {
    begins: Duration,
    first: u64,
    per_second: u64,
}

const NANOS: u128 = 1_000_000_000;

impl Schedule {
    pub(super) fn new(per_second: u64) -> Self {
        Self::stages(&[per_second], Duration::ZERO)
    }

    /// At each rate for so long, and at the last one from then on.
    pub(super) fn stages(rates: &[u64], each: Duration) -> Self {
        let (mut stages, mut begins, mut first) = (Vec::new(), Duration::ZERO, 0);
        for per_second in rates {
            let stage = Stage {
                begins,
                first,
                per_second: *per_second,
            };
            stages.push(stage);
            begins += each;
            first = stage.due_before(begins);
        }
        Self(stages)
    }

    /// When order `number` (from 0) is due, after the start.
    pub(super) fn due(&self, number: u64) -> Duration {
        let stage = self.stage(|stage| stage.first <= number);
        let nanos = (u128::from(number - stage.first) * NANOS).div_ceil(stage.per_second.into());
        stage.begins + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many orders are due once `elapsed` has passed since the start.
    pub(super) fn due_by(&self, elapsed: Duration) -> u64 {
        let stage = self.stage(|stage| stage.begins <= elapsed);
        stage.due_before(elapsed + Duration::from_nanos(1))
    }

    /// The last stage of which this is so; it is of the first.
    fn stage(&self, so: impl Fn(&Stage) -> bool) -> Stage {
        let found = self.0.iter().rev().find(|stage| so(stage));
        *found.expect("the first stage begins with everything")
    }
}

impl Stage {
    /// How many orders are due before `moment`, those of earlier stages included.
    fn due_before(self, moment: Duration) -> u64 {
        let Some(last) = moment.saturating_sub(self.begins).as_nanos().checked_sub(1) else {
            return self.first;
        };
        let due = last * u128::from(self.per_second) / NANOS + 1;
        self.first + u64::try_from(due).unwrap_or(u64::MAX)
    }
}

/// Which of many is drawn where few are wanted most: the second half as often as the first, the
/// third a third as often, and so on (Zipf's law with exponent 1).
#[derive(Debug)]
pub(super) struct Zipf {
    /// How often one up to each place is drawn, of `whole`.
    sums: Vec<u64>,
}

impl Zipf {
    pub(super) fn new(places: usize) -> Self {
        let mut sum = 0;
        let weight = |place: usize| u64::MAX / 64 / (place as u64 + 1);
        let sums = (0..places).map(|place| {
            sum += weight(place);
            sum
        });
        Self {
            sums: sums.collect(),
        }
    }

    /// A place, from 0.
    pub(super) fn draw(&self, draw: &mut Draw) -> usize {
        let whole = self.sums.last().copied().unwrap_or(1);
        let drawn = draw.below(usize::try_from(whole).unwrap_or(usize::MAX)) as u64;
        self.sums.partition_point(|sum| *sum <= drawn)
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
    fn stages_follow_each_other_without_a_gap() {
        let schedule = Schedule::stages(&[100, 300, 500], Duration::from_secs(30));
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(3_000), Duration::from_secs(30));
        assert_eq!(schedule.due(3_300), Duration::from_secs(31));
        assert_eq!(schedule.due(12_000), Duration::from_mins(1));
        assert_eq!(
            schedule.due_by(Duration::from_secs(90) - Duration::from_nanos(1)),
            27_000
        );
        for number in [1, 2_999, 3_000, 3_001, 12_000, 20_000] {
            assert_eq!(schedule.due_by(schedule.due(number)), number + 1);
        }
    }

    #[test]
    fn few_of_many_are_drawn_most() {
        let (zipf, mut draw) = (Zipf::new(1_000), Draw::new(7));
        let mut drawn = vec![0_u32; 1_000];
        for _ in 0..100_000 {
            drawn[zipf.draw(&mut draw)] += 1;
        }
        // The first of a thousand is drawn once in H(1000) = 7.5 times, the second half as often.
        assert!((12_800..13_900).contains(&drawn[0]), "{}", drawn[0]);
        assert!((6_300..7_100).contains(&drawn[1]), "{}", drawn[1]);
        assert!(drawn[500..].iter().sum::<u32>() > 5_000);
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

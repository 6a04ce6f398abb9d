//! The figures of a run, and what several runs come to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::tally::Tally;

/// The figures of one run, or of several together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    /// Orders confirmed, or coupons issued.
    pub(super) orders_per_second: f64,
    /// Refused as they must be.
    pub(super) refused_per_second: f64,
    pub(super) reads_per_second: f64,
    /// Latencies are of both, reads apart.
    pub(super) mean_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// Orders confirmed or coupons issued, and whatever was read, warm-up included.
    pub(super) done: u64,
    /// Answers 503 `RETRY_LATER`, warm-up included.
    pub(super) busy: u64,
    /// Open loop: due, and not sent before the end.
    pub(super) unsent: u64,
    /// By kind, warm-up included.
    pub(super) errors: BTreeMap<String, u64>,
}

impl Figures {
    pub(super) fn of(tally: &Tally, measured: Duration) -> Self {
        let ms = |micros: u64| float(micros) / 1e3;
        let per_second = |count: u64| float(count) / measured.as_secs_f64().max(1e-9);
        Self {
            orders_per_second: per_second(tally.confirmed()),
            refused_per_second: per_second(tally.refused()),
            reads_per_second: per_second(tally.read()),
            mean_ms: tally.latency_mean_micros() / 1e3,
            p50_ms: ms(tally.latency_micros(0.50)),
            p90_ms: ms(tally.latency_micros(0.90)),
            p95_ms: ms(tally.latency_micros(0.95)),
            p99_ms: ms(tally.latency_micros(0.99)),
            max_ms: ms(tally.latency_max_micros()),
            done: tally.done(),
            busy: tally.busy(),
            unsent: tally.unsent(),
            errors: tally.unexpected_by_kind().clone(),
        }
    }

    /// The median of each speed and latency, the highest maximum, the sum of what was counted.
    pub(super) fn median(runs: &[Self]) -> Self {
        let mid = |value: fn(&Self) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>());
        let mut errors = BTreeMap::new();
        for (kind, count) in runs.iter().flat_map(|run| &run.errors) {
            *errors.entry(kind.clone()).or_default() += count;
        }
        Self {
            orders_per_second: mid(|run| run.orders_per_second),
            refused_per_second: mid(|run| run.refused_per_second),
            reads_per_second: mid(|run| run.reads_per_second),
            mean_ms: mid(|run| run.mean_ms),
            p50_ms: mid(|run| run.p50_ms),
            p90_ms: mid(|run| run.p90_ms),
            p95_ms: mid(|run| run.p95_ms),
            p99_ms: mid(|run| run.p99_ms),
            max_ms: runs.iter().map(|run| run.max_ms).fold(0.0, f64::max),
            done: runs.iter().map(|run| run.done).sum(),
            busy: runs.iter().map(|run| run.busy).sum(),
            unsent: runs.iter().map(|run| run.unsent).sum(),
            errors,
        }
    }

    pub(super) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// A count as a number to calculate with; counts of one run stay far below four billion.
pub(super) fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::connection::Outcome;
    use super::super::sold::Window;
    use super::super::work::Wish;
    use super::*;

    #[test]
    fn a_histogram_becomes_the_figures_of_its_run() {
        let start = Instant::now();
        let mut tally = Tally::new(
            Window {
                start,
                end: start + Duration::from_secs(2),
            },
            1,
            &[],
        );
        for milliseconds in 1..=100 {
            tally.sent(&[0]);
            let now = start + Duration::from_millis(milliseconds);
            tally.answered(Wish::Order, &[0], (start, now), Outcome::Done);
        }
        let figures = Figures::of(&tally, Duration::from_secs(2));
        assert!((figures.orders_per_second - 50.0).abs() < f64::EPSILON);
        for (shown, expected) in [
            (figures.p50_ms, 50.0),
            (figures.p90_ms, 90.0),
            (figures.p99_ms, 99.0),
            (figures.max_ms, 100.0),
        ] {
            assert!(
                (shown / expected - 1.0).abs() < 0.002,
                "{shown} for {expected}"
            );
        }
    }

    #[test]
    fn the_median_of_runs_takes_the_middle_and_loses_no_error() {
        let runs = [run(10.0, 5.0, 1), run(30.0, 9.0, 0), run(20.0, 7.0, 2)];
        let median = Figures::median(&runs);
        assert_eq!(
            median,
            Figures {
                max_ms: 9.0,
                ..run(20.0, 7.0, 3)
            }
        );
    }

    #[test]
    fn the_median_of_an_even_number_of_values_lies_between_the_two_in_the_middle() {
        assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
    }

    fn run(orders_per_second: f64, ms: f64, errors: u64) -> Figures {
        Figures {
            orders_per_second,
            refused_per_second: 0.0,
            reads_per_second: 0.0,
            mean_ms: ms,
            p50_ms: ms,
            p90_ms: ms,
            p95_ms: ms,
            p99_ms: ms,
            max_ms: ms,
            done: 0,
            busy: 0,
            unsent: 0,
            errors: if errors > 0 {
                [("reset".to_owned(), errors)].into()
            } else {
                BTreeMap::new()
            },
        }
    }
}

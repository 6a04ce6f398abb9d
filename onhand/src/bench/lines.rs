//! The table of comparisons: what is measured, and beside what. A new line is an entry here.

use super::args::{Pace, Setting, Store};
use super::baseline::Script;
use super::figures::Figures;
use super::scenario::Scenario;
use super::service::Lock;

/// One line: something of ours, and those that it is compared with, all run in turns.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) setting: Setting,
    pub(super) rivals: Vec<Rival>,
    /// Not in the short form.
    pub(super) long: bool,
    /// At half the rate that the first rival reaches.
    pub(super) at_half: bool,
    /// Each run is on an Onhand that has just been started.
    pub(super) cold: bool,
}

/// Something to compare with.
#[derive(Debug, Clone)]
pub(super) struct Rival {
    pub(super) name: &'static str,
    pub(super) clients: usize,
    pub(super) kind: Kind,
    /// What is taken of our figures, and of theirs.
    pub(super) metrics: (Metric, Metric),
    /// Not in the short form.
    pub(super) long: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// The same order in a database alone.
    Pgbench(Script),
    /// The same load on a service of the usual kind.
    Service(Lock),
    /// Another load on ours.
    Own(Setting),
    /// A figure that is known.
    Known(f64),
}

/// A figure of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Orders,
    Refusals,
    Mean,
    P50,
    P95,
    P99,
}

impl Metric {
    pub(super) const fn of(self, figures: &Figures) -> f64 {
        match self {
            Self::Orders => figures.orders_per_second,
            Self::Refusals => figures.refused_per_second,
            Self::Mean => figures.mean_ms,
            Self::P50 => figures.p50_ms,
            Self::P95 => figures.p95_ms,
            Self::P99 => figures.p99_ms,
        }
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Orders => "orders/s",
            Self::Refusals => "refusals/s",
            Self::Mean => "ms, mean",
            Self::P50 => "ms, p50",
            Self::P95 => "ms, p95",
            Self::P99 => "ms, p99",
        }
    }

    /// How many times better `ours` is: more of something, or sooner.
    pub(super) fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Orders | Self::Refusals => ours / theirs,
            Self::Mean | Self::P50 | Self::P95 | Self::P99 => theirs / ours,
        }
    }
}

/// Every line, for runs of these times: under load before they are measured, and measured.
pub(super) fn lines(times: (u64, u64)) -> Vec<Line> {
    let usual = |scenario| Setting::usual(scenario, 256, times);
    let hot = usual(Scenario::Hot);
    let slow = on(hot, Store::Sqlite, 1);
    let mut all = vec![
        line("hot", hot, databases().chain(services()).collect()),
        line(
            "hot-slow-disk",
            slow,
            databases().chain(services().take(1)).collect(),
        ),
        line(
            "catalogue",
            usual(Scenario::Catalogue),
            databases().collect(),
        ),
        line("saga", usual(Scenario::Saga), vec![own("stock-alone", hot)]),
        line(
            "selling-out",
            usual(Scenario::SellingOut),
            vec![Rival {
                metrics: (Metric::Refusals, Metric::Orders),
                ..own("accepted", hot)
            }],
        ),
        line(
            "postgres",
            on(hot, Store::Postgres, 0),
            vec![own("sqlite", hot)],
        ),
        Line {
            at_half: true,
            ..line(
                "half-rate",
                hot,
                vec![
                    own("full-rate", hot),
                    known("wanted-p50", 8.0, Metric::P50),
                    known("wanted-p99", 20.0, Metric::P99),
                ],
            )
        },
        line(
            "one-client",
            Setting::usual(Scenario::Hot, 1, times),
            vec![known("wanted-p50", 2.5, Metric::P50)],
        ),
        Line {
            cold: true,
            ..line(
                "burst",
                Setting::usual(Scenario::Burst, 1_000, times),
                vec![known("system-before", 7_931.0, Metric::Mean)],
            )
        },
        line(
            "coupons",
            // In full the 90 seconds that the system before was measured for.
            Setting::usual(Scenario::Coupons, 256, (0, times.1 * 9)),
            vec![known("system-before", 36.0, Metric::P95)],
        ),
    ];
    let long = |name, setting, rival| Line {
        long: true,
        ..line(name, setting, vec![rival])
    };
    all.extend([
        long(
            "skewed",
            usual(Scenario::Skewed),
            own("catalogue", usual(Scenario::Catalogue)),
        ),
        long(
            "baskets",
            usual(Scenario::Baskets),
            own("catalogue", usual(Scenario::Catalogue)),
        ),
        long(
            "mixed",
            usual(Scenario::Mixed),
            own("catalogue", usual(Scenario::Catalogue)),
        ),
        long(
            "million",
            usual(Scenario::Million),
            own("skewed", usual(Scenario::Skewed)),
        ),
        long(
            "connections",
            Setting::usual(Scenario::Hot, 10_000, times),
            own("hot", hot),
        ),
    ]);
    all
}

fn line(name: &'static str, setting: Setting, rivals: Vec<Rival>) -> Line {
    Line {
        name,
        setting,
        rivals,
        long: false,
        at_half: false,
        cold: false,
    }
}

fn on(setting: Setting, store: Store, slow_disk_ms: u64) -> Setting {
    let ground = super::args::Ground {
        store,
        slow_disk_ms,
        partitions: None,
        processes: 1,
    };
    Setting { ground, ..setting }
}

/// The order in a database alone: the figure that counts first, at 32 clients.
fn databases() -> impl Iterator<Item = Rival> {
    let scripts = [
        ("pgbench-for-update", Script::ForUpdate),
        ("pgbench-single-statement", Script::SingleStatement),
    ];
    [32, 8, 64].into_iter().flat_map(move |clients| {
        scripts.map(|(name, script)| Rival {
            name,
            clients,
            kind: Kind::Pgbench(script),
            metrics: (Metric::Orders, Metric::Orders),
            long: clients != 32,
        })
    })
}

/// The order over HTTP, with as many clients as ours.
fn services() -> impl Iterator<Item = Rival> {
    let services = [("axum-for-update", Lock::Row), ("redis-lock", Lock::Redis)];
    services.into_iter().map(|(name, lock)| Rival {
        name,
        clients: 256,
        kind: Kind::Service(lock),
        metrics: (Metric::Orders, Metric::Orders),
        long: false,
    })
}

fn own(name: &'static str, setting: Setting) -> Rival {
    let clients = match setting.pace {
        Pace::Closed { clients } => clients,
        Pace::Open { .. } | Pace::Stages { .. } => 0,
    };
    Rival {
        name,
        clients,
        kind: Kind::Own(setting),
        metrics: (Metric::Orders, Metric::Orders),
        long: false,
    }
}

fn known(name: &'static str, value: f64, metric: Metric) -> Rival {
    Rival {
        name,
        clients: 0,
        kind: Kind::Known(value),
        metrics: (metric, metric),
        long: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_a_hot_product_against_rows_that_are_locked() {
        let first = lines((1, 1)).remove(0);
        assert_eq!(
            (first.name, first.rivals[0].name),
            ("hot", "pgbench-for-update")
        );
        assert_eq!(first.rivals[0].clients, 32);
    }

    #[test]
    fn lines_have_names_of_their_own() {
        let mut names: Vec<_> = lines((1, 1)).into_iter().map(|line| line.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_ratio_above_one_is_better_of_rates_and_of_latencies() {
        assert!((Metric::Orders.ratio(6.0, 2.0) - 3.0).abs() < 1e-9);
        assert!((Metric::P99.ratio(2.0, 6.0) - 3.0).abs() < 1e-9);
    }
}

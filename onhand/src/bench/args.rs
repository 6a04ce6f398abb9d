//! What a bench run is told: the flags, and the settings that follow from them.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;

use super::scenario::{Plan, Scenario, Wants};

/// Puts a load of orders on an Onhand of this machine, checks every answer and measures it
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Args {
    /// Base address of an Onhand that runs on this machine; without it the bench starts its own,
    /// on fresh databases in a temporary folder
    #[arg(long, conflicts_with_all = ["store", "slow_disk_ms"])]
    pub(super) url: Option<String>,
    /// What is ordered
    #[arg(long, value_enum, default_value_t = Scenario::Hot, conflicts_with = "matrix")]
    pub(super) scenario: Scenario,
    /// So many products, where the scenario has another number
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=2_000_000))]
    pub(super) products: Option<usize>,
    /// So many lines an order, each of another product
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    pub(super) lines: Option<usize>,
    /// Clients that each order again as soon as they are answered; with --rate the most orders
    /// that may be outstanding [default: 256; with --rate 1024]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000), conflicts_with = "matrix")]
    pub(super) clients: Option<usize>,
    /// Orders a second, sent when they are due whether or not the ones before are answered;
    /// latency counts from when an order was due
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000), conflicts_with = "matrix")]
    pub(super) rate: Option<u64>,
    /// How long each run is measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) seconds: u64,
    /// How long each run is under load before it is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(super) warm_up_seconds: u64,
    /// Runs of each setting; with more than one their median is shown too
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    pub(super) runs: usize,
    /// Where the databases are
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    pub(super) store: Store,
    /// Each fsync takes so many milliseconds longer, ours and everybody's; needs
    /// `ONHAND_BENCH_SLOW_DISK`, which `make bench` sets
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) slow_disk_ms: Option<u64>,
    /// Also write the results, the machine and the settings to this file
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Run the same order as a database transaction (SELECT … FOR UPDATE, 32 clients) by pgbench
    /// in turns with each run, and show the ratio
    #[arg(long)]
    pub(super) pgbench: bool,
    /// Run one hot product and 1,000 products with 64, 256 and 1,024 clients
    #[arg(long)]
    pub(super) matrix: bool,
    /// Compare: each line of the table of comparisons, ours and the others in turns
    #[arg(long, conflicts_with_all = ["url", "matrix", "pgbench", "clients", "rate"])]
    pub(super) table: bool,
    /// Measure with more and more products, clients, lines an order, partitions,
    /// processes, and orders in the databases
    #[arg(long, conflicts_with_all = ["url", "matrix", "pgbench", "clients", "rate", "table"])]
    pub(super) growth: bool,
    /// Kill an Onhand with so many orders in flight, and see how long it takes to go on
    #[arg(long, value_name = "ORDERS", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000), conflicts_with_all = ["url", "matrix", "pgbench", "table", "growth"])]
    pub(super) restart: Option<usize>,
    /// Of the table, the lines of this name
    #[arg(long, value_name = "LINE", requires = "table")]
    pub(super) only: Option<String>,
    /// Of the table, also the lines that take long; of what grows, the points that do
    #[arg(long)]
    pub(super) full: bool,
    /// Of the table, write just the comparisons, as a list, to this file
    #[arg(long, value_name = "FILE", requires = "table")]
    pub(super) list: Option<PathBuf>,
}

/// Where an Onhand of the bench's own keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Store {
    /// In SQLite
    Sqlite,
    /// In a Postgres of its own
    Postgres,
}

/// What an Onhand of the bench's own stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ground {
    pub(super) store: Store,
    /// How many milliseconds longer each fsync takes.
    pub(super) slow_disk_ms: u64,
    /// How many partitions each service has; none for as many as it has by itself.
    pub(super) partitions: Option<u16>,
    /// How many processes share the work; more than one need Postgres.
    pub(super) processes: usize,
}

/// Who decides when the next order is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Pace {
    /// The answer to the one before: a fixed number of clients.
    Closed { clients: usize },
    /// The clock, at a fixed rate, with a limit on what is outstanding.
    Open {
        per_second: u64,
        outstanding_max: usize,
    },
    /// The clock, at three rates one after another.
    Stages {
        per_second: [u64; 3],
        outstanding_max: usize,
    },
}

impl Pace {
    pub(super) fn connections(self) -> usize {
        match self {
            Self::Closed { clients } => clients,
            Self::Open {
                outstanding_max, ..
            }
            | Self::Stages {
                outstanding_max, ..
            } => outstanding_max,
        }
    }
}

/// One line of the table to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) scenario: Scenario,
    pub(super) plan: Plan,
    pub(super) pace: Pace,
    pub(super) ground: Ground,
    pub(super) warm_up: Duration,
    pub(super) measured: Duration,
}

/// How many users ask for coupons in each third of the time.
const COUPON_STAGES: [u64; 3] = [100, 300, 500];
/// How long a run may take that is ended by its number of requests.
const COUNTED_MAX: Duration = Duration::from_mins(5);

impl Setting {
    /// A scenario as it is usually run: so many clients, or as the scenario itself says.
    pub(super) fn usual(scenario: Scenario, clients: usize, times: (u64, u64)) -> Self {
        let plan = scenario.plan();
        let pace = match plan.wants {
            Wants::Coupons => Pace::Stages {
                per_second: COUPON_STAGES,
                outstanding_max: 500,
            },
            _ => Pace::Closed { clients },
        };
        let (warm_up, measured) = if plan.requests_max.is_some() {
            (Duration::ZERO, COUNTED_MAX)
        } else if plan.wants == Wants::Coupons {
            (Duration::ZERO, Duration::from_secs(times.1))
        } else {
            (Duration::from_secs(times.0), Duration::from_secs(times.1))
        };
        Self {
            scenario,
            plan,
            pace,
            ground: Ground {
                store: Store::Sqlite,
                slow_disk_ms: 0,
                partitions: None,
                processes: 1,
            },
            warm_up,
            measured,
        }
    }
}

impl Args {
    /// How long runs are under load, and how long they are measured.
    pub(super) const fn times(&self) -> (u64, u64) {
        (self.warm_up_seconds, self.seconds)
    }

    /// The settings to go through, in order.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let setting = |scenario: Scenario, clients| {
            let mut setting = Setting::usual(scenario, clients, self.times());
            setting.ground = Ground {
                store: self.store,
                slow_disk_ms: self.slow_disk_ms.unwrap_or(0),
                partitions: None,
                processes: 1,
            };
            setting.plan.goods = self.products.unwrap_or(setting.plan.goods);
            setting.plan.lines = self.lines.unwrap_or(setting.plan.lines);
            setting.plan.goods = setting.plan.goods.max(setting.plan.lines);
            setting
        };
        if self.matrix {
            return [Scenario::Hot, Scenario::Catalogue]
                .into_iter()
                .flat_map(|scenario| [64, 256, 1_024].map(|clients| setting(scenario, clients)))
                .collect();
        }
        let usual = if self.scenario == Scenario::Burst {
            1_000
        } else {
            256
        };
        let mut one = setting(self.scenario, self.clients.unwrap_or(usual));
        if let Some(per_second) = self.rate {
            one.pace = Pace::Open {
                per_second,
                outstanding_max: self.clients.unwrap_or(1_024),
            };
        }
        vec![one]
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn the_matrix_is_two_scenarios_with_every_number_of_clients() {
        let lines: Vec<_> = args(&["--matrix"])
            .settings()
            .iter()
            .map(|s| (s.scenario, s.pace))
            .collect();
        let clients = |clients| Pace::Closed { clients };
        assert_eq!(
            lines,
            [
                (Scenario::Hot, clients(64)),
                (Scenario::Hot, clients(256)),
                (Scenario::Hot, clients(1_024)),
                (Scenario::Catalogue, clients(64)),
                (Scenario::Catalogue, clients(256)),
                (Scenario::Catalogue, clients(1_024)),
            ]
        );
    }

    #[test]
    fn clients_are_the_limit_on_what_is_outstanding_where_a_rate_is_given() {
        let settings = args(&["--rate", "500", "--clients", "7"]).settings();
        assert_eq!(
            settings[0].pace,
            Pace::Open {
                per_second: 500,
                outstanding_max: 7
            }
        );
    }

    #[test]
    fn an_order_of_many_lines_has_as_many_products_to_choose_from() {
        let plan = args(&["--lines", "20"]).settings()[0].plan;
        assert_eq!((plan.goods, plan.lines), (20, 20));
        let plan = args(&["--scenario", "baskets", "--products", "50"]).settings()[0].plan;
        assert_eq!((plan.goods, plan.lines), (50, 5));
    }

    #[test]
    fn settings_without_an_end_or_without_a_client_are_refused() {
        for flags in [
            ["--seconds", "0"],
            ["--clients", "0"],
            ["--rate", "0"],
            ["--runs", "0"],
            ["--only", "hot"],
        ] {
            assert!(parse(&flags).is_err(), "{flags:?}");
        }
        assert!(parse(&["--matrix", "--clients", "5"]).is_err());
        assert!(parse(&["--table", "--clients", "5"]).is_err());
    }

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        Program::try_parse_from(["bench"].iter().chain(flags)).map(|program| program.args)
    }

    fn args(flags: &[&str]) -> Args {
        parse(flags).expect("the flags are valid")
    }
}

//! What a bench run is told: the flags, the scenarios, and the settings that follow from both.
//! A new scenario is a variant here and its row in [`Scenario::plan`].

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;

/// Puts a load of orders on an Onhand of this machine, checks every answer and measures it
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Base address of an Onhand that runs on this machine; without it the bench starts its own,
    /// on fresh databases in a temporary folder
    #[arg(long)]
    pub(super) url: Option<String>,
    /// What is ordered
    #[arg(long, value_enum, default_value_t = Scenario::Hot, conflicts_with = "matrix")]
    pub(super) scenario: Scenario,
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
    /// Also write the results, the machine and the settings to this file
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Run the same order as a database transaction (SELECT … FOR UPDATE, 32 clients) by pgbench
    /// in turns with each run, and show the ratio
    #[arg(long)]
    pub(super) pgbench: bool,
    /// Run every scenario with 64, 256 and 1,024 clients
    #[arg(long)]
    pub(super) matrix: bool,
}

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scenario {
    /// Every order takes one piece of the same product
    Hot,
    /// Every order takes one piece of one of 1,000 products, drawn uniformly
    Catalogue,
}

/// What a scenario needs before its load begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) products: usize,
    /// Pieces of each product, more than the longest run can sell.
    pub(super) stock: i64,
}

impl Scenario {
    pub(super) fn plan(self) -> Plan {
        match self {
            Self::Hot => Plan {
                name: "hot",
                products: 1,
                stock: 1_000_000_000,
            },
            Self::Catalogue => Plan {
                name: "catalogue",
                products: 1_000,
                stock: 1_000_000_000,
            },
        }
    }
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
}

impl Pace {
    pub(super) fn connections(self) -> usize {
        match self {
            Self::Closed { clients } => clients,
            Self::Open {
                outstanding_max, ..
            } => outstanding_max,
        }
    }
}

/// One line of the table to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) scenario: Scenario,
    pub(super) pace: Pace,
    pub(super) warm_up: Duration,
    pub(super) measured: Duration,
}

impl Args {
    /// The settings to go through, in order.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let setting = |scenario, pace| Setting {
            scenario,
            pace,
            warm_up: Duration::from_secs(self.warm_up_seconds),
            measured: Duration::from_secs(self.seconds),
        };
        if self.matrix {
            return Scenario::value_variants()
                .iter()
                .flat_map(|&scenario| {
                    [64, 256, 1_024].map(|clients| setting(scenario, Pace::Closed { clients }))
                })
                .collect();
        }
        let pace = match self.rate {
            Some(per_second) => Pace::Open {
                per_second,
                outstanding_max: self.clients.unwrap_or(1_024),
            },
            None => Pace::Closed {
                clients: self.clients.unwrap_or(256),
            },
        };
        vec![setting(self.scenario, pace)]
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn the_matrix_is_every_scenario_with_every_number_of_clients() {
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
    fn settings_without_an_end_or_without_a_client_are_refused() {
        for flags in [
            ["--seconds", "0"],
            ["--clients", "0"],
            ["--rate", "0"],
            ["--runs", "0"],
        ] {
            assert!(parse(&flags).is_err(), "{flags:?}");
        }
        assert!(parse(&["--matrix", "--clients", "5"]).is_err());
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

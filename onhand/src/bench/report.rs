//! The results: a table for people on standard output, JSON for programs in a file.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Color, Table};
use serde::Serialize;

use super::args::{Ground, Pace, Setting};
use super::baseline::{CLIENTS, Transactions};
use super::figures::{Figures, float, median};
use super::labels::{name, whole};
use super::machine::Machine;
use super::scenario::Scenario;

/// Everything that is known at the end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) versions: Versions,
    /// The server's own settings that were given by environment, as `NAME=value`.
    pub(super) environment: Vec<String>,
    pub(super) seconds: u64,
    pub(super) warm_up_seconds: u64,
    pub(super) results: Vec<Measured>,
}

/// What was measured, and beside what.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    pub(super) onhand: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) postgres: Option<String>,
}

/// What one setting came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    scenario: Scenario,
    #[serde(skip)]
    name: String,
    products: usize,
    lines: usize,
    pace: Pace,
    ground: Ground,
    median: Figures,
    runs: Vec<Figures>,
    /// How much memory the server and its broker held at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_mib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pgbench: Option<Comparison>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    clients: u32,
    median: Transactions,
    runs: Vec<Transactions>,
    /// Our median of orders a second by pgbench's of transactions.
    ratio: f64,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            onhand: env!("CARGO_PKG_VERSION"),
            postgres: None,
        }
    }
}

impl Measured {
    pub(super) fn new(setting: Setting, runs: Vec<Figures>, pgbench: Vec<Transactions>) -> Self {
        let ours = Figures::median(&runs);
        let mid = |value: fn(&Transactions) -> f64| {
            median(&pgbench.iter().map(value).collect::<Vec<_>>())
        };
        let theirs = Transactions {
            per_second: mid(|t| t.per_second),
            average_ms: mid(|t| t.average_ms),
        };
        let ratio = ours.orders_per_second / theirs.per_second;
        Self {
            scenario: setting.scenario,
            name: name(setting),
            products: setting.plan.goods,
            lines: setting.plan.lines,
            pace: setting.pace,
            ground: setting.ground,
            median: ours,
            runs,
            resident_mib: None,
            pgbench: (!pgbench.is_empty()).then_some(Comparison {
                clients: CLIENTS,
                median: theirs,
                runs: pgbench,
                ratio,
            }),
        }
    }

    /// Together with how much memory the server held at the end.
    pub(super) fn holding(self, resident_mib: u64) -> Self {
        Self {
            resident_mib: Some(resident_mib),
            ..self
        }
    }

    fn load(&self) -> String {
        let name = &self.name;
        match self.pace {
            Pace::Closed { clients } => format!("{name}, {} clients", whole(float(clients as u64))),
            Pace::Open { per_second, .. } => {
                format!("{name}, {} due a second", whole(float(per_second)))
            }
            Pace::Stages { per_second, .. } => format!("{name}, {per_second:?} due a second"),
        }
    }
}

impl Report {
    /// The table, and under it what a figure alone does not say.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "load", "orders/s", "p50 ms", "p90 ms", "p99 ms", "max ms", "refused", "errors",
        ]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut notes = Vec::new();
        for measured in &self.results {
            let load = measured.load();
            if measured.runs.len() > 1 {
                for (number, run) in (1..).zip(&measured.runs) {
                    table.add_row(row(format!("{load}, run {number}"), run));
                }
                table.add_row(row(format!("{load}, median"), &measured.median));
            } else {
                table.add_row(row(load.clone(), &measured.median));
            }
            if let Some(pgbench) = &measured.pgbench {
                table.add_row(baseline_row(&measured.name, pgbench));
                notes.push(format!(
                    "{load}: {:.1} × pgbench's FOR UPDATE at {} clients",
                    pgbench.ratio, pgbench.clients
                ));
            }
            let median = &measured.median;
            if median.refused_per_second > 0.0 {
                notes.push(format!(
                    "{load}: {} refusals a second, as they must be",
                    whole(median.refused_per_second)
                ));
            }
            if median.reads_per_second > 0.0 {
                notes.push(format!(
                    "{load}: besides {} reads a second",
                    whole(median.reads_per_second)
                ));
            }
            if median.unsent > 0 {
                notes.push(format!(
                    "{load}: {} orders were due and not sent, their wait is counted",
                    median.unsent
                ));
            }
            for (kind, count) in &median.errors {
                notes.push(format!("{load}: {count} × {kind}"));
            }
        }
        if self.machine.data_in_memory() {
            notes.push(
                "the databases lay in memory (tmpfs): durable cost nothing here; set TMPDIR"
                    .to_owned(),
            );
        }
        std::iter::once(table.to_string())
            .chain(notes)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn row(load: String, figures: &Figures) -> Vec<Cell> {
    let errors = figures.error_count();
    let errors_cell = Cell::new(errors);
    vec![
        Cell::new(load),
        Cell::new(whole(figures.orders_per_second)),
        Cell::new(format!("{:.1}", figures.p50_ms)),
        Cell::new(format!("{:.1}", figures.p90_ms)),
        Cell::new(format!("{:.1}", figures.p99_ms)),
        Cell::new(format!("{:.1}", figures.max_ms)),
        Cell::new(figures.busy),
        if errors > 0 {
            errors_cell.fg(Color::Red)
        } else {
            errors_cell
        },
    ]
}

fn baseline_row(name: &str, pgbench: &Comparison) -> Vec<Cell> {
    let runs = if pgbench.runs.len() > 1 {
        ", median"
    } else {
        ""
    };
    let mut cells = vec![
        Cell::new(format!(
            "{name}, {} clients, pgbench FOR UPDATE{runs}",
            pgbench.clients
        )),
        Cell::new(whole(pgbench.median.per_second)),
        Cell::new(format!("mean {:.1}", pgbench.median.average_ms)),
    ];
    cells.resize_with(8, || Cell::new(""));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_becomes_one_row_with_its_errors_named_below() {
        let text = report(vec![run(12_345.6, 3)], Vec::new()).text();
        let row = text
            .lines()
            .find(|line| line.contains("hot, 1,024 clients"))
            .expect("a row");
        let cells: Vec<_> = row
            .split(['│', '┆'])
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .collect();
        assert_eq!(
            cells,
            [
                "hot, 1,024 clients",
                "12,346",
                "1.5",
                "2.5",
                "9.0",
                "20.0",
                "7",
                "3"
            ]
        );
        assert!(text.ends_with("hot, 1,024 clients: 3 × 500"), "{text}");
    }

    #[test]
    fn several_runs_are_compared_by_their_medians() {
        let runs = vec![run(9_000.0, 0), run(8_000.0, 0), run(100.0, 0)];
        let pgbench = [1_000.0, 2_000.0, 9_000.0].map(|per_second| Transactions {
            per_second,
            average_ms: 16.0,
        });
        let text = report(runs, pgbench.to_vec()).text();
        assert!(text.contains("hot, 1,024 clients, median"), "{text}");
        assert!(
            text.ends_with("4.0 × pgbench's FOR UPDATE at 32 clients"),
            "{text}"
        );
    }

    fn report(runs: Vec<Figures>, pgbench: Vec<Transactions>) -> Report {
        let setting = Setting::usual(Scenario::Hot, 1_024, (0, 1));
        Report {
            machine: Machine::default(),
            versions: Versions {
                onhand: "0.1.0",
                postgres: None,
            },
            environment: Vec::new(),
            seconds: 1,
            warm_up_seconds: 0,
            results: vec![Measured::new(setting, runs, pgbench)],
        }
    }

    fn run(orders_per_second: f64, errors: u64) -> Figures {
        Figures {
            orders_per_second,
            refused_per_second: 0.0,
            reads_per_second: 0.0,
            mean_ms: 1.7,
            p50_ms: 1.5,
            p90_ms: 2.5,
            p95_ms: 4.5,
            p99_ms: 9.0,
            max_ms: 20.0,
            done: 0,
            busy: 7,
            unsent: 0,
            errors: (errors > 0)
                .then(|| ("500".to_owned(), errors))
                .into_iter()
                .collect(),
        }
    }
}

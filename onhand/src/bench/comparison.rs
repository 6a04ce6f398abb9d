//! What the lines of the table came to: for programs a list, for people a table.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::figures::Figures;
use super::labels::whole;

/// One comparison, by medians.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comparison {
    pub(super) scenario: &'static str,
    pub(super) baseline: &'static str,
    /// The clients of what is compared with; 0 where that was not measured here.
    pub(super) clients: usize,
    pub(super) ours: f64,
    pub(super) theirs: f64,
    /// How many times better ours is.
    pub(super) ratio: f64,
    /// How many runs the medians are of.
    pub(super) runs: usize,
    pub(super) unit: &'static str,
    pub(super) ours_runs: Vec<f64>,
    pub(super) theirs_runs: Vec<f64>,
}

/// Everything that is known of a line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    pub(super) scenario: &'static str,
    pub(super) median: Figures,
    pub(super) runs: Vec<Figures>,
    /// How much memory the nodes and the broker held at the end.
    pub(super) resident_mib: u64,
    pub(super) comparisons: Vec<Comparison>,
}

/// The table, and under it what a ratio does not say.
pub(super) fn text(measured: &[Measured]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "line", "beside", "clients", "figure", "ours", "theirs", "ratio", "runs",
    ]);
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut notes = Vec::new();
    for line in measured {
        for row in &line.comparisons {
            let number = |value: f64| match row.unit {
                "orders/s" | "refusals/s" => whole(value),
                _ => format!("{value:.2}"),
            };
            let clients = match row.clients {
                0 => String::new(),
                clients => clients.to_string(),
            };
            table.add_row([
                row.scenario.to_owned(),
                row.baseline.to_owned(),
                clients,
                row.unit.to_owned(),
                number(row.ours),
                number(row.theirs),
                format!("{:.2}", row.ratio),
                row.runs.to_string(),
            ]);
        }
        let median = &line.median;
        notes.push(format!(
            "{}: p50 {:.1} ms, p99 {:.1} ms, {} MiB held",
            line.scenario, median.p50_ms, median.p99_ms, line.resident_mib
        ));
    }
    std::iter::once(table.to_string())
        .chain(notes)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::lines::Metric;
    use super::*;

    #[test]
    fn what_programs_read_has_the_names_that_they_know() {
        let row = Comparison {
            scenario: "hot",
            baseline: "pgbench-for-update",
            clients: 32,
            ours: 6.0,
            theirs: 2.0,
            ratio: Metric::Orders.ratio(6.0, 2.0),
            runs: 1,
            unit: Metric::Orders.unit(),
            ours_runs: vec![6.0],
            theirs_runs: vec![2.0],
        };
        let row = serde_json::to_value(&row).expect("JSON");
        for (name, value) in [("ours", 6.0), ("theirs", 2.0), ("ratio", 3.0)] {
            assert_eq!(row[name], value);
        }
        assert_eq!(
            (&row["scenario"], &row["baseline"]),
            (&"hot".into(), &"pgbench-for-update".into())
        );
        assert_eq!((&row["clients"], &row["runs"]), (&32.into(), &1.into()));
    }
}

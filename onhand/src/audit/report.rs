//! What an audit says: what it looked at, and what is off.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::release::Release;

/// How many findings are listed; more are counted.
pub(super) const LISTED_MAX: usize = 10_000;

/// Something that is off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Whose, such as `order 0190a1b2-…`.
    pub(super) whose: String,
    /// What was looked at.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) found: String,
    /// What undoes it, where one command does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) release: Option<Release>,
}

impl Finding {
    pub(super) fn new(
        whose: impl fmt::Display,
        what: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self {
            whose: whose.to_string(),
            what: what.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
            release: None,
        }
    }

    /// Names the release that undoes it.
    pub(super) fn undone_by(self, release: Option<Release>) -> Self {
        Self { release, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            whose,
            what,
            expected,
            found,
            release,
        } = self;
        write!(f, "{whose}: {what}: expected {expected}, found {found}")?;
        match release {
            Some(release) => write!(f, "; undone by {release}"),
            None => Ok(()),
        }
    }
}

/// What was looked at.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checked {
    pub(super) products: u64,
    pub(super) ledger_rows: u64,
    pub(super) order_ledger_rows: u64,
    /// Ledger rows of the other participants, by service.
    pub(super) other_ledger_rows: BTreeMap<String, u64>,
    /// Users who ever had points.
    pub(super) wallets: u64,
    pub(super) campaigns: u64,
    /// Coupons that were issued.
    pub(super) coupons: u64,
    pub(super) orders: u64,
    /// Orders by their status.
    pub(super) orders_by_status: BTreeMap<String, u64>,
    /// Orders that are pending, being cancelled or owe something: not judged by how they end.
    pub(super) in_flight: u64,
    /// Ids under which something was done to products, and that no order has.
    pub(super) orders_gone: u64,
    /// Commands that such orders have asked for and not been answered.
    pub(super) still_owed: u64,
    /// Ledger rows of our sagas, of order systems outside, and of callers with keys of their own.
    pub(super) effects_by_origin: BTreeMap<String, u64>,
    /// Orders that looked off at first, and were looked at again.
    pub(super) looked_at_again: u64,
}

/// The outcome of an audit.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) checked: Checked,
    /// The first findings.
    pub(super) findings: Vec<Finding>,
    /// How many findings there are.
    pub(super) findings_total: u64,
}

impl Report {
    pub(super) fn is_clean(&self) -> bool {
        self.findings_total == 0
    }

    /// What undoes what is off, as far as it is listed.
    pub(super) fn releases(&self) -> Vec<&Release> {
        let findings = self.findings.iter();
        findings.filter_map(|f| f.release.as_ref()).collect()
    }

    /// Whether nothing is off but what releases undo.
    pub(super) fn is_undone_by_releases(&self) -> bool {
        self.findings_total == self.releases().len() as u64
    }

    pub(super) fn found(&mut self, finding: Finding) {
        self.findings_total += 1;
        if self.findings.len() < LISTED_MAX {
            self.findings.push(finding);
        }
    }

    pub(super) fn found_all(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.found(finding);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checked = &self.checked;
        let mut rows = vec![
            ("products".to_owned(), checked.products),
            ("their ledger rows".to_owned(), checked.ledger_rows),
        ];
        for (origin, name) in [
            ("saga", "  of our orders"),
            ("rest", "  of foreign order systems"),
            ("client", "  of other callers"),
        ] {
            let count = checked.effects_by_origin.get(origin).copied();
            rows.push((name.to_owned(), count.unwrap_or(0)));
        }
        rows.push(("wallets".to_owned(), checked.wallets));
        rows.push(("campaigns".to_owned(), checked.campaigns));
        rows.push(("their coupons".to_owned(), checked.coupons));
        for (service, count) in &checked.other_ledger_rows {
            rows.push((format!("ledger rows of {service}s"), *count));
        }
        rows.push(("orders".to_owned(), checked.orders));
        for (status, count) in &checked.orders_by_status {
            rows.push((format!("  {status}"), *count));
        }
        rows.extend([
            ("their ledger rows".to_owned(), checked.order_ledger_rows),
            ("in flight".to_owned(), checked.in_flight),
            ("orders that are gone".to_owned(), checked.orders_gone),
            ("still owed".to_owned(), checked.still_owed),
            ("looked at again".to_owned(), checked.looked_at_again),
        ]);
        for (name, count) in rows {
            writeln!(f, "{name:<28}{count:>12}")?;
        }
        writeln!(f)?;
        if self.is_clean() {
            return writeln!(f, "clean");
        }
        writeln!(f, "{} off:", self.findings_total)?;
        for finding in &self.findings {
            writeln!(f, "  {finding}")?;
        }
        match self.findings_total - self.findings.len() as u64 {
            0 => Ok(()),
            more => writeln!(f, "  … and {more} more"),
        }
    }
}

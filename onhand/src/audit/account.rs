//! Whether the ledger of what runs out explains what is left of it, of a product's stock as of a
//! wallet's points: all amounts make it, every balance is the sum up to it and never negative, and
//! versions count from 1 without gap.

use std::collections::BTreeSet;

use anyhow::Result;
use futures::StreamExt as _;
use node::table::{Kind, Reader, RowError};

use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::Snapshot;

/// What is counted, and how its tables and a person speak of it.
pub(super) struct Counted {
    /// What one is called, and its table: `product`.
    pub(super) owner: &'static str,
    /// What it has so much of, and that column: `stock`.
    pub(super) holding: &'static str,
    /// What its ledger begins with, where it is made before anything happens to it.
    pub(super) opening: Option<&'static str>,
}

/// Products and their stock.
pub(super) const STOCK: &Counted = &Counted {
    owner: "product",
    holding: "stock",
    opening: Some("its opening stock"),
};

/// Wallets and their points.
pub(super) const POINTS: &Counted = &Counted {
    owner: "wallet",
    holding: "balance",
    opening: None,
};

/// A row of an owner's ledger, and the owner's own row beside it where there is one.
#[derive(Clone, Debug)]
struct Entry {
    owner: String,
    version: i64,
    partition: i64,
    kind: String,
    request_id: String,
    amount: Option<i64>,
    balance: Option<i64>,
    state: Option<State>,
}

/// An owner's row.
#[derive(Clone, Copy, Debug)]
struct State {
    version: i64,
    holding: i64,
    partition: i64,
}

const ENTRY: &[Kind] = &[
    Kind::Text,
    Kind::Integer,
    Kind::Integer,
    Kind::Text,
    Kind::Text,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
];

/// Checks every owner against its ledger, in one scan of the ledger in the order of its key; says
/// how many there are.
pub(super) async fn check(
    counted: &'static Counted,
    database: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<u64> {
    progress.part("what is left, and the ledgers:");
    let Counted { owner, holding, .. } = counted;
    let sql = format!(
        "SELECT l.entity, l.version, l.partition, l.kind, l.request_id, l.amount, l.balance, \
         o.version, o.{holding}, o.partition \
         FROM ledger l LEFT JOIN {owner} o ON o.id = l.entity ORDER BY l.entity, l.version"
    );
    let mut owners = 0;
    let mut account: Option<Account> = None;
    let mut rows = database.rows(sql, &[], ENTRY);
    while let Some(row) = rows.next().await {
        let entry = entry(row?)?;
        progress.row();
        match &mut account {
            Some(account) if account.owner == entry.owner => account.add(&entry),
            _ => {
                if let Some(account) = account.replace(Account::open(counted, &entry)) {
                    owners += account.close(report);
                }
            }
        }
    }
    drop(rows);
    if let Some(account) = account {
        owners += account.close(report);
    }
    let sql = format!(
        "SELECT o.id, o.{holding} FROM {owner} o \
         WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.entity = o.id)"
    );
    let mut rows = database.rows(sql, &[], &[Kind::Text, Kind::Integer]);
    while let Some(row) = rows.next().await {
        let mut row = row?;
        let (id, left) = (row.text()?, row.integer()?);
        owners += 1;
        report.found(Finding::new(
            format_args!("{owner} {id}"),
            "ledger",
            counted.opening.unwrap_or("its first change"),
            format_args!("none, and a {holding} of {left}"),
        ));
    }
    Ok(owners)
}

fn entry(mut row: Reader) -> Result<Entry, RowError> {
    Ok(Entry {
        owner: row.text()?,
        version: row.integer()?,
        partition: row.integer()?,
        kind: row.text()?,
        request_id: row.text()?,
        amount: row.integer_or_null()?,
        balance: row.integer_or_null()?,
        state: match (
            row.integer_or_null()?,
            row.integer_or_null()?,
            row.integer_or_null()?,
        ) {
            (Some(version), Some(holding), Some(partition)) => Some(State {
                version,
                holding,
                partition,
            }),
            _ => None,
        },
    })
}

/// What can be wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    Gap,
    Balance,
    Negative,
    Place,
}

/// One owner's books, row after row. Each kind of error is told once, where it first shows: what
/// follows from it would only hide it.
struct Account {
    counted: &'static Counted,
    owner: String,
    state: Option<State>,
    sum: i64,
    version: i64,
    told: BTreeSet<Wrong>,
    findings: Vec<Finding>,
}

impl Account {
    fn open(counted: &'static Counted, first: &Entry) -> Self {
        let mut account = Self {
            counted,
            owner: first.owner.clone(),
            state: first.state,
            sum: 0,
            version: 0,
            told: BTreeSet::new(),
            findings: Vec::new(),
        };
        if let Some(opening) = counted.opening
            && first.kind != "created"
        {
            let expected = format!("{opening} (created)");
            account.find("first ledger row", expected, &first.kind);
        }
        account.add(first);
        account
    }

    fn add(&mut self, entry: &Entry) {
        let row = format!("{} in version {}", entry.request_id, entry.version);
        if entry.version != self.version + 1 && self.told.insert(Wrong::Gap) {
            self.find(
                "ledger versions",
                format!("{} next", self.version + 1),
                entry.version,
            );
        }
        self.version = entry.version;
        self.sum = self.sum.saturating_add(entry.amount.unwrap_or(0));
        // A row without amount (an edit) need not repeat the balance.
        let balance = entry.balance.or(entry.amount.is_none().then_some(self.sum));
        if balance != Some(self.sum) && self.told.insert(Wrong::Balance) {
            let found = balance.map_or("none".to_owned(), |balance| balance.to_string());
            self.find(format!("balance after {row}"), self.sum, found);
        }
        if let Some(lowest) = [Some(self.sum), balance].into_iter().flatten().min()
            && lowest < 0
            && self.told.insert(Wrong::Negative)
        {
            self.find(format!("balance after {row}"), "0 or more", lowest);
        }
        if let Some(state) = self.state
            && state.partition != entry.partition
            && self.told.insert(Wrong::Place)
        {
            self.find(
                format!("partition of {row}"),
                state.partition,
                entry.partition,
            );
        }
    }

    /// Tells what is off, and counts the owner.
    fn close(mut self, report: &mut Report) -> u64 {
        let Counted { owner, holding, .. } = self.counted;
        match self.state {
            None => self.find(owner, "one with this ledger", "none"),
            Some(state) => {
                if state.holding != self.sum {
                    let expected = format!("{} by its ledger", self.sum);
                    self.find(holding, expected, state.holding);
                }
                if state.holding < 0 {
                    self.find(holding, "0 or more", state.holding);
                }
                if state.version != self.version {
                    self.find(
                        "version",
                        format!("{} by its ledger", self.version),
                        state.version,
                    );
                }
            }
        }
        report.found_all(self.findings);
        u64::from(self.state.is_some())
    }

    fn find(
        &mut self,
        what: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) {
        let whose = format!("{} {}", self.counted.owner, self.owner);
        self.findings
            .push(Finding::new(whose, what, expected, found));
    }
}

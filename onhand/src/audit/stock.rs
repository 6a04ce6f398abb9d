//! Whether a product's ledger explains its stock: opening stock and all amounts make it, every
//! balance is the sum up to it and never negative, and versions count from 1 without gap.

use std::collections::BTreeSet;

use anyhow::Result;
use futures::StreamExt as _;
use node::table::{Kind, Reader, RowError};

use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::Snapshot;

/// A row of a product's ledger, and the product's own row beside it where there is one.
#[derive(Clone, Debug)]
struct Entry {
    product: String,
    version: i64,
    partition: i64,
    kind: String,
    request_id: String,
    amount: Option<i64>,
    balance: Option<i64>,
    state: Option<State>,
}

/// A product's row.
#[derive(Clone, Copy, Debug)]
struct State {
    version: i64,
    stock: i64,
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

/// Checks every product against its ledger, in one scan of the ledger in the order of its key.
pub(super) async fn check(
    products: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    progress.part("products and their ledgers:");
    let sql = "SELECT l.entity, l.version, l.partition, l.kind, l.request_id, l.amount, l.balance, \
               p.version, p.stock, p.partition \
               FROM ledger l LEFT JOIN product p ON p.id = l.entity ORDER BY l.entity, l.version";
    let mut account: Option<Account> = None;
    let mut rows = products.rows(sql.to_owned(), &[], ENTRY);
    while let Some(row) = rows.next().await {
        let entry = entry(row?)?;
        progress.row();
        match &mut account {
            Some(account) if account.product == entry.product => account.add(&entry),
            _ => {
                if let Some(account) = account.replace(Account::open(&entry)) {
                    account.close(report);
                }
            }
        }
    }
    drop(rows);
    if let Some(account) = account {
        account.close(report);
    }
    let sql = "SELECT p.id, p.stock FROM product p \
               WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.entity = p.id)";
    let mut rows = products.rows(sql.to_owned(), &[], &[Kind::Text, Kind::Integer]);
    while let Some(row) = rows.next().await {
        let mut row = row?;
        let (product, stock) = (row.text()?, row.integer()?);
        report.checked.products += 1;
        let found = format!("none, and a stock of {stock}");
        report.found(Finding::new(
            whose(&product),
            "ledger",
            "its opening stock",
            found,
        ));
    }
    Ok(())
}

fn entry(mut row: Reader) -> Result<Entry, RowError> {
    Ok(Entry {
        product: row.text()?,
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
            (Some(version), Some(stock), Some(partition)) => Some(State {
                version,
                stock,
                partition,
            }),
            _ => None,
        },
    })
}

fn whose(product: &str) -> String {
    format!("product {product}")
}

/// What can be wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    Gap,
    Balance,
    Negative,
    Place,
}

/// One product's books, row after row. Each kind of error is told once, where it first shows: what
/// follows from it would only hide it.
struct Account {
    product: String,
    state: Option<State>,
    sum: i64,
    version: i64,
    told: BTreeSet<Wrong>,
    findings: Vec<Finding>,
}

impl Account {
    fn open(first: &Entry) -> Self {
        let mut account = Self {
            product: first.product.clone(),
            state: first.state,
            sum: 0,
            version: 0,
            told: BTreeSet::new(),
            findings: Vec::new(),
        };
        if first.kind != "created" {
            account.find(
                "first ledger row",
                "its opening stock (created)",
                &first.kind,
            );
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

    fn close(mut self, report: &mut Report) {
        match self.state {
            None => self.find("product", "one with this ledger", "none"),
            Some(state) => {
                report.checked.products += 1;
                if state.stock != self.sum {
                    let expected = format!("{} by its opening stock and ledger", self.sum);
                    self.find("stock", expected, state.stock);
                }
                if state.stock < 0 {
                    self.find("stock", "0 or more", state.stock);
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
    }

    fn find(
        &mut self,
        what: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) {
        let finding = Finding::new(whose(&self.product), what, expected, found);
        self.findings.push(finding);
    }
}

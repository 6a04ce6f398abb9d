//! Orders and what sagas did to products, side by side: two scans in the order of the order's id,
//! one of each database, so that no more than one order is held at a time.

use std::collections::BTreeSet;

use anyhow::Result;
use futures::StreamExt as _;
use node::table::{Kind, Reader, RowError};

use super::order::{self, Effect, Line, Order};
use super::orphan;
use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::{Rows, Snapshot};

/// How many orders are looked at again; where more look off, they are not in flight.
const SUSPECTS_MAX: usize = 100_000;

/// An order that looks off, and where it left effects.
pub(super) struct Suspect {
    pub(super) order: String,
    pub(super) products: BTreeSet<String>,
    pub(super) attempts: i64,
}

/// The columns of [`effect_of`]; the first is the id of the order in the request id.
pub(super) const EFFECT: &[Kind] = &[
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Integer,
];
pub(super) const EFFECT_SQL: &str = "SELECT substr(request_id, 5, 36), entity, request_id, kind, \
     order_id, coalesce(amount, 0) FROM ledger WHERE origin = 'saga'";

pub(super) const ORDER: &[Kind] = &[
    Kind::Text,
    Kind::Text,
    Kind::Boolean,
    Kind::Boolean,
    Kind::Integer,
    Kind::Text,
    Kind::Text,
];
pub(super) const ORDER_SQL: &str =
    "SELECT id, status, owing, cancelling, attempt, lines, parts FROM orders";

/// Judges every order by the effects that bear its id; answers those that want a second look.
pub(super) async fn check(
    products: &mut Snapshot,
    orders: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<Vec<Suspect>> {
    progress.part("orders and their effects:");
    let by_bytes = products.by_bytes();
    let sql = format!("{EFFECT_SQL} ORDER BY substr(request_id, 5, 36){by_bytes}");
    let mut effects = Groups::new(products.rows(sql, &[], EFFECT), effect_of);
    let sql = format!("{ORDER_SQL} ORDER BY id{}", orders.by_bytes());
    let mut orders = Groups::new(orders.rows(sql, &[], ORDER), order_of);
    let mut suspects = Suspects(Vec::new());
    let mut effect = effects.next(progress).await?;
    let mut order = orders.next(progress).await?;
    while let Some(id) = earlier(order.as_ref(), effect.as_ref()) {
        let row = take(&mut order, &id);
        let done = take(&mut effect, &id).unwrap_or_default();
        if row.is_some() {
            order = orders.next(progress).await?;
        }
        if !done.is_empty() {
            effect = effects.next(progress).await?;
        }
        let order = row.and_then(|rows| rows.into_iter().next());
        match &order {
            Some(order) => count(order, report),
            None => report.checked.orders_gone += 1,
        }
        suspects.consider(&id, order.as_ref(), &done, report);
    }
    Ok(suspects.0)
}

/// What is off with an order, or with effects that bear the id of none.
pub(super) fn judge(id: &str, order: Option<&Order>, effects: &[Effect]) -> Vec<Finding> {
    match order {
        Some(order) => order::judge(order, effects),
        None => orphan::judge(id, effects),
    }
}

struct Suspects(Vec<Suspect>);

impl Suspects {
    fn consider(
        &mut self,
        id: &str,
        order: Option<&Order>,
        effects: &[Effect],
        report: &mut Report,
    ) {
        let findings = judge(id, order, effects);
        if findings.is_empty() {
            return;
        }
        if self.0.len() >= SUSPECTS_MAX {
            report.found_all(findings);
            return;
        }
        let lines = order
            .map(|order| order.lines.as_slice())
            .unwrap_or_default();
        let of_lines = lines.iter().map(|line| line.product.clone());
        let of_effects = effects.iter().map(|effect| effect.product.clone());
        self.0.push(Suspect {
            order: id.to_owned(),
            products: of_lines.chain(of_effects).collect(),
            attempts: order
                .map_or(1, |order| order.attempt)
                .max(effects.len().try_into().unwrap_or(1)),
        });
    }
}

fn count(order: &Order, report: &mut Report) {
    let checked = &mut report.checked;
    checked.orders += 1;
    *checked
        .orders_by_status
        .entry(order.status.clone())
        .or_default() += 1;
    if order.in_flight() {
        checked.in_flight += 1;
        checked.still_owed += order.still_owed();
    }
}

/// Rows that follow each other and have one key.
pub(super) type Group<T> = (String, Vec<T>);

pub(super) struct Groups<'c, T> {
    rows: Rows<'c>,
    read: fn(Reader) -> Result<(String, T), RowError>,
    ahead: Option<(String, T)>,
}

impl<'c, T> Groups<'c, T> {
    pub(super) fn new(rows: Rows<'c>, read: fn(Reader) -> Result<(String, T), RowError>) -> Self {
        Self {
            rows,
            read,
            ahead: None,
        }
    }

    pub(super) async fn next(&mut self, progress: &Progress) -> Result<Option<Group<T>>> {
        let mut group: Option<Group<T>> = self.ahead.take().map(|(id, first)| (id, vec![first]));
        while let Some(row) = self.rows.next().await {
            let (id, row) = (self.read)(row?)?;
            progress.row();
            match &mut group {
                None => group = Some((id, vec![row])),
                Some((of, rows)) if *of == id => rows.push(row),
                Some(_) => {
                    self.ahead = Some((id, row));
                    break;
                }
            }
        }
        Ok(group)
    }
}

/// The key that comes first of two groups.
pub(super) fn earlier<A, B>(one: Option<&Group<A>>, other: Option<&Group<B>>) -> Option<String> {
    let keys = [one.map(|(id, _)| id), other.map(|(id, _)| id)];
    keys.into_iter().flatten().min().cloned()
}

/// The rows of a group, where it has this key.
pub(super) fn take<T>(group: &mut Option<Group<T>>, id: &str) -> Option<Vec<T>> {
    group.take_if(|(of, _)| of == id).map(|(_, rows)| rows)
}

/// The effect of a row of [`EFFECT_SQL`].
pub(super) fn effect_of(mut row: Reader) -> Result<(String, Effect), RowError> {
    let id = row.text()?;
    let effect = Effect {
        product: row.text()?,
        request_id: row.text()?,
        kind: row.text()?,
        order: row.text_or_null()?,
        amount: row.integer()?,
    };
    Ok((id, effect))
}

/// The order of a row of [`ORDER_SQL`].
pub(super) fn order_of(mut row: Reader) -> Result<(String, Order), RowError> {
    let id = row.text()?;
    let order = Order {
        id: id.clone(),
        status: row.text()?,
        owing: row.boolean()?,
        cancelling: row.boolean()?,
        attempt: row.integer()?,
        lines: lines_of(&row.text()?)
            .map_err(|error| RowError(format!("lines of order {id}: {error}")))?,
        parts_owed: parts_owed(row.text_or_null()?.as_deref()),
    };
    Ok((id, order))
}

fn lines_of(json: &str) -> serde_json::Result<Vec<Line>> {
    serde_json::from_str(json)
}

/// How many of the parts that no line says are asked for, or being given back.
fn parts_owed(json: Option<&str>) -> u64 {
    let list = json.and_then(|json| serde_json::from_str::<Vec<serde_json::Value>>(json).ok());
    let owed = |part: &&serde_json::Value| part["hold"] == "asked" || part["hold"] == "releasing";
    list.map_or(0, |list| list.iter().filter(owed).count() as u64)
}

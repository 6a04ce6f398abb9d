//! What holds of a ledger by itself: numbers without gap in a partition, versions without gap in
//! an order, and foreign releases that give back exactly what was taken.

use anyhow::Result;
use futures::StreamExt as _;
use node::table::Kind;

use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::Snapshot;

/// Checks that each partition's rows count from 1 without gap, and counts them.
pub(super) async fn check_numbers(
    service: &str,
    database: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    const PARTITION: &[Kind] = &[Kind::Integer; 4];
    progress.part("the numbers of the ledger:");
    let sql = "SELECT partition, count(*), min(number), max(number) FROM ledger \
               GROUP BY partition ORDER BY partition";
    for mut row in database.all(sql.to_owned(), &[], PARTITION).await? {
        progress.row();
        let (partition, rows) = (row.integer()?, row.integer()?);
        let (first, last) = (row.integer()?, row.integer()?);
        let count = u64::try_from(rows).unwrap_or_default();
        match service {
            "order" => report.checked.order_ledger_rows += count,
            "product" => report.checked.ledger_rows += count,
            other => {
                let rows = &mut report.checked.other_ledger_rows;
                *rows.entry(other.to_owned()).or_default() += count;
            }
        }
        // A number stands at most once in a partition, so that these three say it all.
        if (first, last) == (1, rows) {
            continue;
        }
        let gap = format!(
            "SELECT coalesce(min(l.number), 0) + 1 FROM ledger l WHERE l.partition = {partition} \
             AND NOT EXISTS (SELECT 1 FROM ledger n \
             WHERE n.partition = {partition} AND n.number = l.number + 1)"
        );
        let missing = match database.all(gap, &[], &[Kind::Integer]).await?.pop() {
            Some(mut row) if first == 1 => row.integer()?,
            _ => 1,
        };
        report.found(Finding::new(
            format_args!("{service} ledger, partition {partition}"),
            "numbers",
            format_args!("1 to {last} without gap"),
            format_args!("{rows} rows from {first} to {last}, without number {missing}"),
        ));
    }
    Ok(())
}

/// Checks that each order's ledger leads up to its version.
pub(super) async fn check_versions(
    orders: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    const VERSIONS: &[Kind] = &[Kind::Text, Kind::Integer, Kind::Integer, Kind::Integer];
    progress.part("the ledgers of orders:");
    let sql = "SELECT o.id, o.version, count(l.version), coalesce(max(l.version), 0) \
               FROM orders o LEFT JOIN ledger l ON l.entity = o.id GROUP BY o.id, o.version \
               HAVING count(l.version) <> o.version OR coalesce(max(l.version), 0) <> o.version";
    let mut rows = orders.rows(sql.to_owned(), &[], VERSIONS);
    while let Some(row) = rows.next().await {
        let mut row = row?;
        progress.row();
        let (order, version) = (row.text()?, row.integer()?);
        let (count, last) = (row.integer()?, row.integer()?);
        report.found(Finding::new(
            format_args!("order {order}"),
            "ledger versions",
            format_args!("1 to {version}, its version"),
            format_args!("{count} rows up to {last}"),
        ));
    }
    Ok(())
}

/// Counts what each origin did to products, and checks what foreign order systems gave back.
///
/// Their orders are not ours to know, so that a decrease of theirs belongs to no order here.
pub(super) async fn check_foreign(
    products: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    const COUNT: &[Kind] = &[Kind::Text, Kind::Integer];
    const PAIR: &[Kind] = &[Kind::Text, Kind::Text, Kind::Integer, Kind::Integer];
    progress.part("foreign order systems:");
    let sql = "SELECT origin, count(*) FROM ledger GROUP BY origin";
    for mut row in products.all(sql.to_owned(), &[], COUNT).await? {
        let (origin, count) = (row.text()?, u64::try_from(row.integer()?)?);
        report.checked.effects_by_origin.insert(origin, count);
    }
    let sql = "SELECT i.entity, i.request_id, i.amount, d.amount FROM ledger i \
               LEFT JOIN ledger d ON d.entity = i.entity AND d.origin = 'rest' \
               AND d.request_id = 'DEC-' || substr(i.request_id, 5) \
               WHERE i.origin = 'rest' AND i.kind = 'released' \
               AND coalesce(i.amount, 0) + coalesce(d.amount, 0) <> 0";
    let mut rows = products.rows(sql.to_owned(), &[], PAIR);
    while let Some(row) = rows.next().await {
        let mut row = row?;
        progress.row();
        let (product, request) = (row.text()?, row.text()?);
        let (back, taken) = (row.integer_or_null()?, row.integer_or_null()?);
        report.found(Finding::new(
            format_args!("product {product}"),
            format_args!("{request} of a foreign order system"),
            format_args!("{} given back, as was taken", -taken.unwrap_or(0)),
            back.unwrap_or(0),
        ));
    }
    Ok(())
}

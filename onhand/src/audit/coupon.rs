//! Whether a campaign's books agree: as many coupons as it says were issued, numbered from 1
//! without gap, one to a user; its ledger issued exactly those; and a coupon is used by the order
//! whose use was not given back. Whether that order may have it, `taken` says.

use anyhow::Result;
use futures::StreamExt as _;
use node::table::{Kind, Reader, RowError};

use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::Snapshot;

/// A campaign, what was counted of its coupons, and what its ledger says.
struct Books {
    campaign: String,
    version: i64,
    quantity: i64,
    issued: i64,
    coupons: Coupons,
    ledger: Ledger,
}

/// What was counted of a campaign's coupons.
struct Coupons {
    count: i64,
    first: i64,
    last: i64,
    users: i64,
}

/// What a campaign's ledger says.
struct Ledger {
    rows: i64,
    version: i64,
    issued: i64,
    left: i64,
    lowest: i64,
}

const BOOKS: &[Kind] = &[
    Kind::Text,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
];

const BOOKS_SQL: &str = "SELECT c.id, c.version, c.quantity, c.issued, \
     coalesce(i.coupons, 0), coalesce(i.first, 1), coalesce(i.last, 0), coalesce(i.users, 0), \
     coalesce(l.entries, 0), coalesce(l.version, 0), coalesce(l.issued, 0), \
     coalesce(l.remaining, 0), coalesce(l.lowest, 0) FROM coupon c \
     LEFT JOIN (SELECT coupon_id, count(*) AS coupons, min(number) AS first, max(number) AS last, \
     count(DISTINCT user_id) AS users FROM coupon_issue GROUP BY coupon_id) i ON i.coupon_id = c.id \
     LEFT JOIN (SELECT entity, count(*) AS entries, max(version) AS version, \
     sum(CASE WHEN kind = 'issued' THEN 1 ELSE 0 END) AS issued, \
     CAST(sum(amount) AS BIGINT) AS remaining, min(balance) AS lowest \
     FROM ledger GROUP BY entity) l ON l.entity = c.id ORDER BY c.id";

/// What belongs to a campaign that is not there.
const STRAYS: [(&str, &str); 2] = [
    (
        "coupons",
        "SELECT DISTINCT i.coupon_id FROM coupon_issue i LEFT JOIN coupon c ON c.id = i.coupon_id \
         WHERE c.id IS NULL",
    ),
    (
        "ledger",
        "SELECT DISTINCT l.entity FROM ledger l LEFT JOIN coupon c ON c.id = l.entity \
         WHERE c.id IS NULL",
    ),
];

/// How often an order holds a coupon of a campaign, and how often it did by the ledger, where
/// these differ.
const USES: &str = "SELECT campaign, order_id, CAST(sum(held) AS BIGINT), CAST(sum(taken) AS BIGINT) \
     FROM (SELECT coupon_id AS campaign, order_id, 1 AS held, 0 AS taken FROM coupon_issue \
     WHERE order_id IS NOT NULL UNION ALL \
     SELECT entity, order_id, 0, CASE kind WHEN 'used' THEN 1 ELSE -1 END FROM ledger \
     WHERE kind IN ('used', 'restored')) uses \
     GROUP BY campaign, order_id HAVING sum(held) <> sum(taken)";

const USE: &[Kind] = &[Kind::Text, Kind::Text, Kind::Integer, Kind::Integer];

/// Checks every campaign against its coupons and its ledger.
pub(super) async fn check(
    coupons: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    progress.part("campaigns and their coupons:");
    let mut rows = coupons.rows(BOOKS_SQL.to_owned(), &[], BOOKS);
    while let Some(row) = rows.next().await {
        let books = books(row?)?;
        progress.row();
        report.checked.campaigns += 1;
        report.checked.coupons += u64::try_from(books.coupons.count)?;
        judge(&books, report);
    }
    drop(rows);
    for (what, sql) in STRAYS {
        for mut row in coupons.all(sql.to_owned(), &[], &[Kind::Text]).await? {
            let campaign = row.text()?;
            report.found(finding(&campaign, what, "a campaign of theirs", "none"));
        }
    }
    for mut row in coupons.all(USES.to_owned(), &[], USE).await? {
        let (campaign, order) = (row.text()?, row.text()?);
        let (held, taken) = (row.integer()?, row.integer()?);
        let what = format!("coupons used by order {order}");
        let expected = format!("{taken} by its ledger");
        report.found(finding(&campaign, what, expected, held));
    }
    Ok(())
}

fn books(mut row: Reader) -> Result<Books, RowError> {
    Ok(Books {
        campaign: row.text()?,
        version: row.integer()?,
        quantity: row.integer()?,
        issued: row.integer()?,
        coupons: Coupons {
            count: row.integer()?,
            first: row.integer()?,
            last: row.integer()?,
            users: row.integer()?,
        },
        ledger: Ledger {
            rows: row.integer()?,
            version: row.integer()?,
            issued: row.integer()?,
            left: row.integer()?,
            lowest: row.integer()?,
        },
    })
}

fn judge(books: &Books, report: &mut Report) {
    let Books {
        campaign,
        issued,
        coupons,
        ledger,
        ..
    } = books;
    let mut same = |what: &str, expected: i64, by: &str, found: i64| {
        if expected != found {
            report.found(finding(campaign, what, format!("{expected}{by}"), found));
        }
    };
    same("coupons", *issued, ", as were issued", coupons.count);
    same("their first number", 1, "", coupons.first);
    same("their last number", coupons.count, "", coupons.last);
    same("users who have one", coupons.count, "", coupons.users);
    same("issued", ledger.issued, " by its ledger", *issued);
    same(
        "left",
        ledger.left,
        " by its ledger",
        books.quantity - issued,
    );
    same("version", ledger.version, " by its ledger", books.version);
    same(
        "ledger rows",
        ledger.version,
        ", its last version",
        ledger.rows,
    );
    if ledger.lowest < 0 || *issued > books.quantity {
        let most = format!("{} at most", books.quantity);
        report.found(finding(campaign, "issued", most, issued));
    }
}

fn finding(
    campaign: &str,
    what: impl std::fmt::Display,
    expected: impl std::fmt::Display,
    found: impl std::fmt::Display,
) -> Finding {
    Finding::new(format_args!("campaign {campaign}"), what, expected, found)
}

//! How the best sellers of some days are found without adding up all that was sold.
//!
//! Fagin's threshold algorithm (Fagin, Lotem, Naor 2001): of each day only its best rows are looked
//! at, by an index, and what these products sold on all days. A product that is not among them sold
//! at most the sum of the last rows looked at; once that is no more than what the last of the best
//! sold, nobody is left who could be better. Where the best do not stand out, it looks deeper.

use messages::ProductId;
use node::{
    store::{EventDatabase, StoreFault},
    table::{Kind, Reader, RowError, Value},
};

use crate::day::Day;

#[cfg(test)]
pub(crate) mod tests;

/// How many rows of each day are looked at first, at least.
const DEPTH_FIRST: u32 = 64;
/// By how much deeper it looks when that was not enough.
const DEEPER: u32 = 8;
/// Beyond this depth adding up everything costs less.
const DEPTH_MAX: u32 = 4096;

/// A product, and how many pieces of it were sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seller {
    /// The product.
    pub product_id: ProductId,
    /// Its name when it was last sold.
    pub name: String,
    /// How many pieces.
    pub quantity: i64,
}

/// Why the best sellers could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TopFault {
    /// The database is away.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A row does not hold what this service writes.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// The best sellers of the days up to `last`, best first; where two sold the same, by id.
pub async fn top(
    database: &EventDatabase,
    last: Day,
    days: u32,
    limit: u32,
) -> Result<Vec<Seller>, TopFault> {
    let mut depth = DEPTH_FIRST.max(limit.saturating_mul(2));
    while depth <= DEPTH_MAX {
        let (sellers, beyond) = look(database, last, days, limit, depth).await?;
        let worst = sellers.last().map_or(0, |seller| seller.quantity);
        let enough = sellers.len() == limit as usize && beyond <= worst;
        if enough || beyond == 0 {
            return Ok(sellers);
        }
        depth *= DEEPER;
    }
    add_up(database, last, days, limit).await
}

/// The best among the first rows of each day, and the most that any other product can have sold.
async fn look(
    database: &EventDatabase,
    last: Day,
    days: u32,
    limit: u32,
    depth: u32,
) -> Result<(Vec<Seller>, i64), TopFault> {
    let mut parameters = span(last, days);
    let (mut candidates, mut floors) = (Vec::new(), Vec::new());
    for n in 0..days {
        parameters.push(last.before(i64::from(n)).to_string().into());
        let best = format!(
            "FROM sales_daily WHERE day = ${} AND quantity > 0 \
             ORDER BY quantity DESC, product_id DESC",
            parameters.len()
        );
        candidates.push(format!(
            "SELECT product_id FROM (SELECT product_id {best} LIMIT {depth}) AS best_{n}"
        ));
        let floor = depth - 1;
        floors.push(format!(
            "coalesce((SELECT quantity {best} LIMIT 1 OFFSET {floor}), 0)"
        ));
    }
    // The cross join keeps SQLite from reading the days and looking for the products.
    let sums = sums(
        "best CROSS JOIN sales_daily s",
        "s.product_id = best.product_id AND",
        limit,
    );
    let statement = format!(
        "WITH best (product_id) AS ({}), {sums} UNION ALL SELECT '', {}, ''",
        candidates.join(" UNION "),
        floors.join(" + "),
    );
    let rows = read(database, statement, &parameters).await?;
    let (beyond, sellers): (Vec<Line>, Vec<Line>) =
        rows.into_iter().partition(|(id, ..)| id.is_empty());
    let beyond = beyond.into_iter().map(|(_, quantity, _)| quantity).sum();
    Ok((ranked(sellers)?, beyond))
}

/// The same by adding up all that was sold on these days.
pub async fn add_up(
    database: &EventDatabase,
    last: Day,
    days: u32,
    limit: u32,
) -> Result<Vec<Seller>, TopFault> {
    let statement = format!("WITH {}", sums("sales_daily s", "", limit));
    let rows = read(database, statement, &span(last, days)).await?;
    ranked(rows)
}

/// A common table of the best sums over rows `s`, and the reading of it, each with its name.
///
/// A day on which more was cancelled than sold, since what was sold came too early for the stream,
/// counts nothing.
fn sums(source: &str, condition: &str, limit: u32) -> String {
    format!(
        "sums (product_id, quantity) AS (\
             SELECT s.product_id, CAST(sum(s.quantity) AS BIGINT) FROM {source} \
             WHERE {condition} s.day BETWEEN $1 AND $2 AND s.quantity > 0 \
             GROUP BY s.product_id ORDER BY 2 DESC, 1 LIMIT {limit}) \
         SELECT product_id, quantity, (SELECT n.name FROM sales_daily n \
             WHERE n.product_id = sums.product_id ORDER BY n.day DESC LIMIT 1) FROM sums"
    )
}

/// The first day and the last.
fn span(last: Day, days: u32) -> Vec<Value> {
    let first = last.before(i64::from(days) - 1);
    vec![first.to_string().into(), last.to_string().into()]
}

/// A product's id, how many pieces were sold, its name.
type Line = (String, i64, String);

async fn read(
    database: &EventDatabase,
    statement: String,
    parameters: &[Value],
) -> Result<Vec<Line>, TopFault> {
    let kinds = [Kind::Text, Kind::Integer, Kind::Text];
    let rows = database.query(statement, parameters, &kinds).await?;
    let lines: Result<Vec<Line>, RowError> = rows
        .into_iter()
        .map(|row| {
            let mut row = Reader::new(row);
            Ok((row.text()?, row.integer()?, row.text()?))
        })
        .collect();
    Ok(lines?)
}

fn ranked(lines: Vec<Line>) -> Result<Vec<Seller>, TopFault> {
    let sellers: Result<Vec<Seller>, RowError> = lines
        .into_iter()
        .map(|(id, quantity, name)| {
            let product_id = id
                .parse()
                .map_err(|error| RowError(format!("{id:?}: {error}")))?;
            Ok(Seller {
                product_id,
                name,
                quantity,
            })
        })
        .collect();
    let mut sellers = sellers?;
    sellers.sort_by_key(|seller| (std::cmp::Reverse(seller.quantity), seller.product_id));
    Ok(sellers)
}

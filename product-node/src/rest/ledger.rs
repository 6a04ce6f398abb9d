//! A product's ledger: every movement of its stock, newest first.
//!
//! What moved no stock (made, edited, a reserve closed before it came) is in the database's ledger
//! too, and not in this list.

use axum::{Json as Answer, extract::State};
use messages::{Refusal, Timestamp, id::kind, product::AdjustReason};
use node::{
    edge::{CURSOR_ITEMS_MAX, Cursor, PathId, Problem, Query, Read},
    host::Service,
    table::{Kind, Reader, RowError, Value},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::product::{Change, Product};

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Movements of a product's stock.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LedgerPage {
    items: Vec<Movement>,
    /// Where to go on; null at the end.
    next_cursor: Option<String>,
}

/// One movement of a product's stock.
#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schema(as = StockMovement)]
struct Movement {
    /// The idempotency key that it was done under.
    request_id: String,
    /// Whether the stock rose or fell.
    direction: Direction,
    /// How many pieces.
    quantity: u64,
    /// `MANUAL` or `ADJUST` by hand, `ORDER` for an order; where an order gave back, the reason
    /// that it gave, else `ORDER_CANCEL`.
    reason: String,
    /// The order, where it was moved for one.
    order_id: Option<String>,
    /// How many pieces were left after it.
    balance: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = StockDirection)]
enum Direction {
    In,
    Out,
}

/// The movements of a product's stock, newest first.
#[utoipa::path(
    get,
    path = "/products/{id}/ledger",
    params(("id" = String, Path, format = Uuid), Wanted),
    responses((status = 200, body = LedgerPage), Read)
)]
pub(super) async fn ledger(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<LedgerPage>, Problem> {
    let before = wanted.cursor.map_or(i64::MAX, |Cursor(version)| version);
    let entity = Value::from(id.to_string());
    let database = service.database();
    let sql = format!(
        "SELECT version, request_id, order_id, amount, balance, body, at FROM ledger \
         WHERE entity = $1 AND version < $2 AND kind IN ('adjusted', 'reserved', 'released') \
         ORDER BY version DESC LIMIT {}",
        CURSOR_ITEMS_MAX + 1
    );
    let kinds = [
        Kind::Integer,
        Kind::Text,
        Kind::Text,
        Kind::Integer,
        Kind::Integer,
        Kind::Text,
        Kind::Text,
    ];
    let rows = database
        .query(sql, &[entity.clone(), before.into()], &kinds)
        .await?;
    if rows.is_empty() {
        let sql = "SELECT id FROM product WHERE id = $1".to_owned();
        if database
            .query(sql, &[entity], &[Kind::Text])
            .await?
            .is_empty()
        {
            return Err(Refusal::ProductNotFound.into());
        }
    }
    Ok(Answer(page(rows)?))
}

/// The page of these rows, of which there is one more than it has where the list goes on.
fn page(rows: Vec<Vec<Value>>) -> Result<LedgerPage, RowError> {
    let shown = CURSOR_ITEMS_MAX as usize;
    let more = rows.len() > shown;
    let mut last = None;
    let mut items = Vec::with_capacity(rows.len().min(shown));
    for row in rows.into_iter().take(shown) {
        let (version, movement) = movement(row)?;
        last = Some(Cursor(version));
        items.push(movement);
    }
    Ok(LedgerPage {
        items,
        next_cursor: last.filter(|_| more).map(|cursor| cursor.to_string()),
    })
}

fn movement(row: Vec<Value>) -> Result<(i64, Movement), RowError> {
    let mut row = Reader::new(row);
    let version = row.integer()?;
    let request_id = row.text()?;
    let order_id = row.text_or_null()?;
    let amount = row.integer()?;
    let balance = row.integer()?;
    let body = row.text()?;
    let change: Change =
        serde_json::from_str(&body).map_err(|error| RowError(format!("{body}: {error}")))?;
    let movement = Movement {
        request_id,
        direction: if amount < 0 {
            Direction::Out
        } else {
            Direction::In
        },
        quantity: amount.unsigned_abs(),
        reason: reason(change),
        order_id,
        balance,
        created_at: row.parsed()?,
    };
    Ok((version, movement))
}

fn reason(change: Change) -> String {
    match change {
        Change::Adjusted { reason, .. } => match reason {
            AdjustReason::Manual => "MANUAL".to_owned(),
            AdjustReason::Adjust => "ADJUST".to_owned(),
        },
        Change::Released { reason, .. } => reason.unwrap_or_else(|| "ORDER_CANCEL".to_owned()),
        Change::Reserved { .. }
        | Change::Created { .. }
        | Change::Edited { .. }
        | Change::Tombstoned { .. } => "ORDER".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use messages::{Quantity, RequestId};

    use super::*;

    const AT: &str = "2026-01-31T12:00:00.000Z";

    fn row(version: i64) -> Vec<Value> {
        let change = Change::Released {
            order_id: "web:77".into(),
            request_id: RequestId::from("INC-web:77"),
            quantity: Quantity::new(3).expect("a quantity"),
            reason: None,
            name: None,
            unit_price: None,
            stock: 10,
        };
        vec![
            version.into(),
            "INC-web:77".into(),
            "web:77".into(),
            3.into(),
            10.into(),
            serde_json::to_string(&change).expect("JSON").into(),
            AT.into(),
        ]
    }

    #[test]
    fn a_row_becomes_a_movement() {
        let expected = Movement {
            request_id: "INC-web:77".into(),
            direction: Direction::In,
            quantity: 3,
            reason: "ORDER_CANCEL".into(),
            order_id: Some("web:77".into()),
            balance: 10,
            created_at: AT.parse().expect("a time"),
        };
        assert_eq!(movement(row(7)).expect("a row"), (7, expected));
    }

    #[test]
    fn a_page_says_where_to_go_on_only_where_there_is_more() {
        let rows = |count: i64| (1..=count).rev().map(row).collect::<Vec<_>>();
        let full = i64::from(CURSOR_ITEMS_MAX);
        let last = page(rows(full)).expect("a page");
        assert_eq!((last.items.len(), last.next_cursor), (100, None));
        let first = page(rows(full + 1)).expect("a page");
        assert_eq!(first.items.len(), 100);
        // The last one shown has version 2: the next page begins before it.
        assert_eq!(first.next_cursor, Some(Cursor(2).to_string()));
    }
}

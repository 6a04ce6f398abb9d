//! A product's ledger: every movement of its stock, newest first.
//!
//! What moved no stock (made, edited, a reserve closed before it came) is in the database's ledger
//! too, and not in this list.

use axum::extract::State;
use messages::{Refusal, Timestamp, id::kind, product::AdjustReason};
use node::{
    edge::{After, Answer, CURSOR_ITEMS_MAX, Cursor, PathId, Problem, Query, Read, cut},
    host::Service,
    table::{Kind, Reader, RowError, Value},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::product::{Change, Product};

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
    params(("id" = String, Path, format = Uuid), After),
    responses((status = 200, body = LedgerPage), Read)
)]
pub(super) async fn ledger(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    Query(After { cursor }): Query<After>,
) -> Result<Answer<LedgerPage>, Problem> {
    let before = cursor.map_or(i64::MAX, |Cursor(version)| version);
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
    let (items, next_cursor) = cut(rows, movement)?;
    Ok(Answer(LedgerPage { items, next_cursor }))
}

fn movement(mut row: Reader) -> Result<Movement, RowError> {
    let request_id = row.text()?;
    let order_id = row.text_or_null()?;
    let amount = row.integer()?;
    let balance = row.integer()?;
    let body = row.text()?;
    let change: Change =
        serde_json::from_str(&body).map_err(|error| RowError(format!("{body}: {error}")))?;
    Ok(Movement {
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
    })
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

    fn row() -> Reader {
        let change = Change::Released {
            order_id: "web:77".into(),
            request_id: RequestId::from("INC-web:77"),
            quantity: Quantity::new(3).expect("a quantity"),
            reason: None,
            name: None,
            unit_price: None,
            stock: 10,
        };
        Reader::new(vec![
            "INC-web:77".into(),
            "web:77".into(),
            3.into(),
            10.into(),
            serde_json::to_string(&change).expect("JSON").into(),
            AT.into(),
        ])
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
        assert_eq!(movement(row()).expect("a row"), expected);
    }
}

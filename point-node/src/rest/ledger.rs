//! A user's points ledger: every movement of points, newest first.
//!
//! A use that was closed before it came moved nothing: it is in the database's ledger, and not in
//! this list.

use axum::extract::State;
use messages::Timestamp;
use node::{
    edge::{After, Answer, CURSOR_ITEMS_MAX, Cursor, PathUser, Problem, Query, Read, cut},
    host::Service,
    table::{Kind, Reader, RowError},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::wallet::Wallet;

/// Movements of a user's points.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PointsLedgerPage)]
pub(super) struct LedgerPage {
    items: Vec<Movement>,
    /// Where to go on; null at the end.
    next_cursor: Option<String>,
}

/// One movement of a user's points.
#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schema(as = PointsMovement)]
struct Movement {
    /// The idempotency key that it was done under.
    request_id: String,
    /// Whether the points rose or fell.
    direction: Direction,
    /// How many points.
    amount: u64,
    /// Why.
    reason: Reason,
    /// The order, where they were moved for one.
    order_id: Option<String>,
    /// How many points there were after it.
    balance: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = PointsDirection)]
enum Direction {
    In,
    Out,
}

#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = PointsReason)]
enum Reason {
    /// They were added.
    Charge,
    /// An order took them.
    Order,
    /// An order that was undone gave them back.
    OrderCancel,
}

/// The movements of a user's points, newest first; none of a user that was never seen.
#[utoipa::path(
    get,
    path = "/users/{userId}/points/ledger",
    params(("userId" = String, Path, pattern = "^[A-Za-z0-9_.:-]{1,64}$"), After),
    responses((status = 200, body = LedgerPage), Read)
)]
pub(super) async fn ledger(
    State(service): State<Service<Wallet>>,
    PathUser(user): PathUser,
    Query(After { cursor }): Query<After>,
) -> Result<Answer<LedgerPage>, Problem> {
    let before = cursor.map_or(i64::MAX, |Cursor(version)| version);
    let sql = format!(
        "SELECT version, request_id, kind, order_id, amount, balance, at FROM ledger \
         WHERE entity = $1 AND version < $2 AND kind IN ('charged', 'used', 'refunded') \
         ORDER BY version DESC LIMIT {}",
        CURSOR_ITEMS_MAX + 1
    );
    let kinds = [
        Kind::Integer,
        Kind::Text,
        Kind::Text,
        Kind::Text,
        Kind::Integer,
        Kind::Integer,
        Kind::Text,
    ];
    let parameters = [user.as_str().into(), before.into()];
    let rows = service.database().query(sql, &parameters, &kinds).await?;
    let (items, next_cursor) = cut(rows, movement)?;
    Ok(Answer(LedgerPage { items, next_cursor }))
}

fn movement(mut row: Reader) -> Result<Movement, RowError> {
    let request_id = row.text()?;
    let (direction, reason) = match row.text()?.as_str() {
        "charged" => (Direction::In, Reason::Charge),
        "used" => (Direction::Out, Reason::Order),
        "refunded" => (Direction::In, Reason::OrderCancel),
        other => return Err(RowError(format!("{other} is no movement of points"))),
    };
    Ok(Movement {
        request_id,
        direction,
        reason,
        order_id: row.text_or_null()?,
        amount: row.integer()?.unsigned_abs(),
        balance: row.integer()?,
        created_at: row.parsed()?,
    })
}

#[cfg(test)]
mod tests {
    use node::table::Value;

    use super::*;

    const AT: &str = "2026-01-31T12:00:00.000Z";

    fn row(kind: &str, amount: i64) -> Reader {
        Reader::new(vec![
            "a request".into(),
            kind.into(),
            Value::Text(None),
            amount.into(),
            10.into(),
            AT.into(),
        ])
    }

    #[test]
    fn a_row_becomes_a_movement() {
        for (kind, amount, direction, reason) in [
            ("charged", 3, Direction::In, Reason::Charge),
            ("used", -3, Direction::Out, Reason::Order),
            ("refunded", 3, Direction::In, Reason::OrderCancel),
        ] {
            let expected = Movement {
                request_id: "a request".into(),
                direction,
                amount: 3,
                reason,
                order_id: None,
                balance: 10,
                created_at: AT.parse().expect("a time"),
            };
            let read = movement(row(kind, amount)).expect("a movement");
            assert_eq!(read, expected);
        }
        assert!(movement(row("tombstoned", 0)).is_err());
    }
}

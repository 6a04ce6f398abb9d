//! A user's points ledger: every movement of points, newest first.
//!
//! A use that was closed before it came moved nothing: it is in the database's ledger, and not in
//! this list.

use axum::{Json as Answer, extract::State};
use messages::Timestamp;
use node::{
    edge::{CURSOR_ITEMS_MAX, Cursor, PathUser, Problem, Query, Read},
    host::Service,
    table::{Kind, Reader, RowError, Value},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::wallet::Wallet;

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

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
    params(("userId" = String, Path, pattern = "^[A-Za-z0-9_.:-]{1,64}$"), Wanted),
    responses((status = 200, body = LedgerPage), Read)
)]
pub(super) async fn ledger(
    State(service): State<Service<Wallet>>,
    PathUser(user): PathUser,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<LedgerPage>, Problem> {
    let before = wanted.cursor.map_or(i64::MAX, |Cursor(version)| version);
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
    let (direction, reason) = match row.text()?.as_str() {
        "charged" => (Direction::In, Reason::Charge),
        "used" => (Direction::Out, Reason::Order),
        "refunded" => (Direction::In, Reason::OrderCancel),
        other => return Err(RowError(format!("{other} is no movement of points"))),
    };
    let movement = Movement {
        request_id,
        direction,
        reason,
        order_id: row.text_or_null()?,
        amount: row.integer()?.unsigned_abs(),
        balance: row.integer()?,
        created_at: row.parsed()?,
    };
    Ok((version, movement))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-01-31T12:00:00.000Z";

    fn row(version: i64, kind: &str, amount: i64) -> Vec<Value> {
        vec![
            version.into(),
            "a request".into(),
            kind.into(),
            Value::Text(None),
            amount.into(),
            10.into(),
            AT.into(),
        ]
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
            let read = movement(row(7, kind, amount)).expect("a movement");
            assert_eq!(read, (7, expected));
        }
        assert!(movement(row(7, "tombstoned", 0)).is_err());
    }

    #[test]
    fn a_page_says_where_to_go_on_only_where_there_is_more() {
        let rows = |count: i64| {
            let versions = (1..=count).rev();
            versions.map(|version| row(version, "charged", 1)).collect()
        };
        let full = i64::from(CURSOR_ITEMS_MAX);
        let last = page(rows(full)).expect("a page");
        assert_eq!((last.items.len(), last.next_cursor), (100, None));
        let first = page(rows(full + 1)).expect("a page");
        assert_eq!(first.items.len(), 100);
        // The last one shown has version 2: the next page begins before it.
        assert_eq!(first.next_cursor, Some(Cursor(2).to_string()));
    }
}

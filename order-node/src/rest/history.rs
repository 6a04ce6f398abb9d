//! An order's history: every step from its ledger, oldest first.

use axum::extract::State;
use messages::{EntityId, OrderId, Refusal, RequestId, Timestamp, id::kind, order::Step};
use node::{
    edge::{After, Answer, CURSOR_ITEMS_MAX, Cursor, PathId, Problem, Query, Read, cut},
    table::{Kind, Reader, RowError},
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Orders;
use crate::order::{Acceptance, Brought, Change, What};

/// Steps of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryPage {
    items: Vec<Entry>,
    /// Where to go on; null at the end.
    next_cursor: Option<String>,
}

/// One step of an order.
#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderStep)]
struct Entry {
    /// What was asked: `place`, `reserve`, `release`, `pay`, `confirm`, `fail`, `cancel` or `retry`.
    step: &'static str,
    /// What it was asked for, where another was asked: `stock`, `points`, `coupon` or `payment`.
    takes: Option<&'static str>,
    /// Who was asked: the product, the buyer, the coupon, the order's payment.
    #[schema(value_type = Option<String>)]
    entity: Option<EntityId>,
    /// The idempotency key that it was asked under.
    request_id: String,
    /// The attempt that it belongs to, counted from 1.
    attempt: u32,
    /// The answer: `DONE`, `REFUSED`, `ACCEPTED_LATE` (and given back), `REQUESTED`, `EXPIRED`, or
    /// the status that the order took.
    outcome: &'static str,
    /// What belongs to the answer.
    #[schema(value_type = Option<Object>)]
    detail: Option<serde_json::Value>,
    /// When it was answered.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Every step of an order, oldest first.
#[utoipa::path(
    get,
    path = "/orders/{id}/history",
    params(("id" = String, Path, format = Uuid), After),
    responses((status = 200, body = HistoryPage), Read)
)]
pub(super) async fn history(
    State(orders): State<Orders>,
    PathId(id): PathId<kind::Order>,
    Query(After { cursor }): Query<After>,
) -> Result<Answer<HistoryPage>, Problem> {
    let after = cursor.map_or(0, |Cursor(version)| version);
    let sql = format!(
        "SELECT version, request_id, body, at FROM ledger \
         WHERE entity = $1 AND version > $2 ORDER BY version LIMIT {}",
        CURSOR_ITEMS_MAX + 1
    );
    let kinds = [Kind::Integer, Kind::Text, Kind::Text, Kind::Text];
    let database = orders.service.database();
    let rows = database
        .query(sql, &[id.to_string().into(), after.into()], &kinds)
        .await?;
    // An order that exists has been placed, so only a later page of it can be empty.
    if rows.is_empty() && cursor.is_none() {
        return Err(Refusal::OrderNotFound.into());
    }
    let (rows, next_cursor) = cut(rows, entries)?;
    let items = rows.into_iter().flatten().collect();
    Ok(Answer(HistoryPage { items, next_cursor }))
}

/// What a row tells of: one step, or the last acceptance and the confirmation that it brought.
fn entries(mut row: Reader) -> Result<Vec<Entry>, RowError> {
    let (request_id, body) = (row.text()?, row.text()?);
    let change: Change =
        serde_json::from_str(&body).map_err(|error| RowError(format!("{body}: {error}")))?;
    Ok(steps(change, &request_id, row.parsed()?))
}

fn steps(mut change: Change, own_id: &str, at: Timestamp) -> Vec<Entry> {
    let accepted = match &mut change.what {
        What::Confirmed { last, .. } => last.take().map(What::Accepted),
        _ => None,
    };
    let accepted = accepted.map(|what| Change { what, ..change });
    let steps = accepted.into_iter().chain([change]);
    steps.map(|change| step(change, own_id, at)).collect()
}

fn step(change: Change, own_id: &str, at: Timestamp) -> Entry {
    let Change {
        order_id,
        attempt,
        what,
    } = change;
    let told = Told::of(what);
    Entry {
        step: told.step,
        request_id: told
            .asked_under(order_id, attempt)
            .unwrap_or_else(|| own_id.to_owned()),
        takes: told.takes.map(Step::name),
        entity: told.entity,
        attempt,
        outcome: told.outcome,
        detail: told.detail,
        at,
    }
}

/// What is told of a change.
struct Told {
    step: &'static str,
    outcome: &'static str,
    takes: Option<Step>,
    entity: Option<EntityId>,
    detail: Option<serde_json::Value>,
}

impl Told {
    fn of(what: What) -> Self {
        let own = |step, outcome| Self {
            step,
            outcome,
            takes: None,
            entity: None,
            detail: None,
        };
        let asked = |step, outcome, takes, entity, detail| Self {
            step,
            outcome,
            takes: Some(takes),
            entity: Some(entity),
            detail,
        };
        match what {
            What::Placed { .. } => own("place", "PENDING"),
            What::TurnedAway {
                product_id,
                refusal,
                ..
            } => Self {
                takes: Some(Step::Stock),
                entity: Some(product_id.entity()),
                detail: Some(why(&refusal)),
                ..own("place", "FAILED")
            },
            What::Accepted(Acceptance {
                step,
                entity,
                amount,
                brought,
            }) => asked(
                "reserve",
                "DONE",
                step,
                entity,
                Some(what_came(amount, brought)),
            ),
            What::Refused {
                step,
                entity,
                refusal,
                ..
            }
            | What::Missing {
                step,
                entity,
                refusal,
                ..
            } => asked("reserve", "REFUSED", step, entity, Some(why(&refusal))),
            What::AcceptedLate {
                step,
                entity,
                amount,
            } => {
                let detail = json!({"amount": amount});
                asked("reserve", "ACCEPTED_LATE", step, entity, Some(detail))
            }
            What::GivenBack {
                step,
                entity,
                refusal,
                ..
            } => match refusal {
                None => asked("release", "DONE", step, entity, None),
                Some(refusal) => asked("release", "REFUSED", step, entity, Some(why(&refusal))),
            },
            What::Kept {
                step,
                entity,
                refusal,
                ..
            } => asked("release", "REFUSED", step, entity, Some(why(&refusal))),
            What::PaymentNamed { imp_uid, price, .. } => Self {
                detail: Some(json!({"impUid": imp_uid, "price": price})),
                ..own("pay", "REQUESTED")
            },
            What::Unpaid { amount, .. } => Self {
                detail: Some(json!({"amountDue": amount})),
                ..own("pay", "EXPIRED")
            },
            What::Confirmed { .. } => own("confirm", "CONFIRMED"),
            What::Failed { refusal, .. } => Self {
                detail: Some(why(&refusal)),
                ..own("fail", "FAILED")
            },
            What::CancelRequested => own("cancel", "REQUESTED"),
            What::Cancelled { .. } => own("cancel", "CANCELLED"),
            What::Retried { .. } => own("retry", "PENDING"),
        }
    }

    /// The id that another entity was asked under; `None` where none was.
    fn asked_under(&self, order: OrderId, attempt: u32) -> Option<String> {
        match self.step {
            "reserve" => Some(RequestId::reserve(order, attempt).to_string()),
            "release" => Some(RequestId::release(order, attempt).to_string()),
            _ => None,
        }
    }
}

fn what_came(amount: i64, brought: Brought) -> serde_json::Value {
    match brought {
        Brought::Priced { name, unit_price } => {
            json!({"quantity": amount, "name": name, "unitPrice": unit_price})
        }
        Brought::Discount { discount } => json!({"discount": discount}),
        Brought::Nothing => json!({"amount": amount}),
    }
}

fn why(refusal: &Refusal) -> serde_json::Value {
    json!({"error": refusal.code(), "message": refusal.to_string()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Wish;

    const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    const MUG: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c";
    const AT: &str = "2026-01-31T12:00:00.000Z";

    fn told(what: What) -> Entry {
        let mut steps = all_told(what);
        assert_eq!(steps.len(), 1);
        steps.remove(0)
    }

    fn all_told(what: What) -> Vec<Entry> {
        let change = Change {
            order_id: ORDER.parse().expect("an id"),
            attempt: 2,
            what,
        };
        steps(change, "own", AT.parse().expect("a time"))
    }

    #[test]
    fn a_refused_step_tells_who_was_asked_under_which_id_and_why_not() {
        let step = told(What::Refused {
            step: Step::Stock,
            entity: MUG.into(),
            amount: 3,
            buyer_id: "u-001".parse().expect("a name"),
            refusal: Refusal::InsufficientStock {
                available: 2,
                requested: 3,
            },
            resent: false,
            order: None,
        });
        let expected = Entry {
            step: "reserve",
            takes: Some("stock"),
            entity: Some(MUG.into()),
            request_id: format!("DEC-{ORDER}-2"),
            attempt: 2,
            outcome: "REFUSED",
            detail: Some(
                json!({"error": "INSUFFICIENT_STOCK", "message": "only 2 left, 3 asked for"}),
            ),
            at: AT.parse().expect("a time"),
        };
        assert_eq!(step, expected);
    }

    #[test]
    fn an_order_that_was_turned_away_tells_of_whom_it_was_short() {
        let order = json!({
            "id": ORDER, "code": "357W-S709-03NV", "buyerId": "u-001", "items": [],
            "status": "FAILED", "cancelling": false, "createdAt": AT, "updatedAt": AT,
        });
        let step = told(What::TurnedAway {
            order: serde_json::from_value(order).expect("an order"),
            wish: Wish::default(),
            product_id: MUG.parse().expect("an id"),
            refusal: Refusal::InsufficientStock {
                available: 0,
                requested: 3,
            },
            traceparent: None,
        });
        assert_eq!((step.step, step.outcome), ("place", "FAILED"));
        assert_eq!((step.takes, step.entity), (Some("stock"), Some(MUG.into())));
        let said = json!({"error": "INSUFFICIENT_STOCK", "message": "only 0 left, 3 asked for"});
        assert_eq!(step.detail, Some(said));
    }

    #[test]
    fn the_last_acceptance_and_the_confirmation_are_two_steps_of_one_row() {
        let order = json!({
            "id": ORDER, "code": "357W-S709-03NV", "buyerId": "u-001", "items": [],
            "status": "CONFIRMED", "cancelling": false, "createdAt": AT, "updatedAt": AT,
        });
        let confirmed = |last| What::Confirmed {
            order: serde_json::from_value(order.clone()).expect("an order"),
            last,
        };
        let told = all_told(confirmed(Some(Acceptance {
            step: Step::Stock,
            entity: MUG.into(),
            amount: 2,
            brought: Brought::Nothing,
        })));
        let said = |entry: &Entry| (entry.step, entry.outcome, entry.request_id.clone());
        assert_eq!(
            told.iter().map(said).collect::<Vec<_>>(),
            [
                ("reserve", "DONE", format!("DEC-{ORDER}-2")),
                ("confirm", "CONFIRMED", "own".into()),
            ]
        );
        assert_eq!(told[0].entity, Some(MUG.into()));
        // As it was written before: the acceptance had a row of its own.
        assert_eq!(all_told(confirmed(None)).len(), 1);
    }

    #[test]
    fn a_release_is_told_under_its_own_id_and_a_cancel_under_the_callers() {
        let release = told(What::GivenBack {
            step: Step::Stock,
            entity: MUG.into(),
            late: false,
            refusal: None,
        });
        assert_eq!(release.request_id, format!("INC-{ORDER}-2"));
        let cancel = told(What::CancelRequested);
        assert_eq!(
            (cancel.request_id.as_str(), cancel.outcome),
            ("own", "REQUESTED")
        );
    }
}

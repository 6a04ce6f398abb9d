//! The points of a user: read, and added to.

use axum::extract::State;
use messages::{
    EntityId, Money, RequestId, UserId,
    point::{Charge, Command, Reply},
};
use node::{
    edge::{Answer, Change, Json, PathUser, Problem, Read, RequiredKey, Trace},
    host::{Ask, Service},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::wallet::{BALANCE_MAX, Wallet};

/// How many points a user has.
#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schema(as = Points)]
pub(super) struct PointsBody {
    /// The user.
    #[schema(value_type = String)]
    user_id: UserId,
    /// How many points there are.
    #[schema(minimum = 0)]
    balance: i64,
}

/// Points to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PointsCharge)]
pub(super) struct ChargeBody {
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_i64)]
    amount: i64,
}

/// How many points a user has; none of a user that was never seen.
#[utoipa::path(
    get,
    path = "/users/{userId}/points",
    params(("userId" = String, Path, pattern = "^[A-Za-z0-9_.:-]{1,64}$")),
    responses((status = 200, body = PointsBody), Read)
)]
pub(super) async fn get(
    State(service): State<Service<Wallet>>,
    PathUser(user): PathUser,
    trace: Trace,
) -> Result<Answer<PointsBody>, Problem> {
    let reply = service
        .ask(trace.ask(wallet(&user), Command::Get))
        .await??;
    points(user, &reply).map(Answer)
}

/// Adds points.
#[utoipa::path(
    post,
    path = "/users/{userId}/points/charge",
    params(
        ("userId" = String, Path, pattern = "^[A-Za-z0-9_.:-]{1,64}$"),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128),
    ),
    request_body = ChargeBody,
    responses((status = 200, body = PointsBody), Change)
)]
pub(super) async fn charge(
    State(service): State<Service<Wallet>>,
    PathUser(user): PathUser,
    RequiredKey(key): RequiredKey,
    trace: Trace,
    Json(body): Json<ChargeBody>,
) -> Result<Answer<PointsBody>, Problem> {
    let charge = checked(&body)?;
    let ask = Ask {
        request_id: Some(RequestId::from(key)),
        ..trace.ask(wallet(&user), Command::Charge(charge))
    };
    let reply = service.ask(ask).await??;
    points(user, &reply).map(Answer)
}

fn wallet(user: &UserId) -> EntityId {
    EntityId::from(user.as_str())
}

fn points(user_id: UserId, reply: &Reply) -> Result<PointsBody, Problem> {
    let balance = match reply {
        Reply::Wallet(view) => view.balance,
        Reply::Charged(charged) => charged.balance,
        Reply::Used(_) | Reply::Refunded(_) => return Err(Problem::unexpected(reply)),
    };
    Ok(PointsBody { user_id, balance })
}

fn checked(body: &ChargeBody) -> Result<Charge, Problem> {
    Money::new(body.amount)
        .filter(|amount| (1..=BALANCE_MAX).contains(&amount.get()))
        .map(|amount| Charge { amount })
        .ok_or_else(|| Problem::field("amount", format!("is 1 to {BALANCE_MAX}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_adds_something_and_no_more_than_fits() {
        for amount in [1, BALANCE_MAX] {
            let charge = checked(&ChargeBody { amount }).expect("within the bounds");
            assert_eq!(charge.amount.get(), amount);
        }
        for amount in [0, -1, BALANCE_MAX + 1, i64::MAX, i64::MIN] {
            let problem = checked(&ChargeBody { amount }).expect_err("out of bounds");
            assert_eq!(problem.code(), "VALIDATION_ERROR");
        }
    }
}

//! A product's stock: changed by hand, and by order systems other than ours.

use axum::extract::State;
use messages::{
    Origin, ProductId, Quantity, Refusal, RequestId,
    id::{is_name, kind},
    product::{Adjust, AdjustReason, Command, Release, Reply, Reserve},
};
use node::{
    edge::{Answer, Change, Json, PathId, Problem, RequiredKey, Trace},
    host::{Ask, Service},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::{Product, STOCK_MAX};

/// The longest reason, in characters.
const REASON_CHARACTERS_MAX: usize = 200;

/// A change of stock by hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockChange {
    /// How many pieces more, or fewer; never 0.
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64)]
    delta: i64,
    /// Why.
    #[schema(value_type = ReasonWord)]
    reason: AdjustReason,
}

/// Why a person changes a stock.
#[derive(ToSchema)]
#[schema(as = StockChangeReason, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "says in the document what the reason may be")]
enum ReasonWord {
    /// Goods came in or went out.
    Manual,
    /// The count was wrong.
    Adjust,
}

/// Stock taken for an order of another order system.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Decrease {
    /// That system's own id of the order.
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,64}$")]
    order_id: String,
    /// How many pieces.
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000)]
    quantity: Quantity,
}

/// Stock given back for an order of another order system.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Increase {
    /// That system's own id of the order.
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,64}$")]
    order_id: String,
    /// How many pieces: as many as were taken.
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000)]
    quantity: Quantity,
    /// Why, for a person who reads the ledger.
    #[schema(min_length = 1, max_length = 200)]
    reason: Option<String>,
}

/// A stock that was changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockChanged {
    /// Always true.
    success: bool,
    /// How many pieces are left.
    remaining_stock: i64,
    /// Always `OK`.
    message: &'static str,
}

/// Adds to a stock, or takes from it.
#[utoipa::path(
    patch,
    path = "/products/{id}/stock",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128),
    ),
    request_body = StockChange,
    responses((status = 200, body = StockChanged), Change)
)]
pub(super) async fn adjust(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    RequiredKey(key): RequiredKey,
    trace: Trace,
    Json(change): Json<StockChange>,
) -> Result<Answer<StockChanged>, Problem> {
    if change.delta == 0 || change.delta.unsigned_abs() > STOCK_MAX.unsigned_abs() {
        let why = format!("is not 0, and at most {STOCK_MAX} either way");
        return Err(Problem::field("delta", why));
    }
    let adjust = Adjust {
        delta: change.delta,
        reason: change.reason,
    };
    let ask = Ask {
        request_id: Some(RequestId::from(key)),
        ..trace.ask(id.entity(), Command::Adjust(adjust))
    };
    changed(&service.ask(ask).await??).map(Answer)
}

/// Takes stock for an order of another order system.
#[utoipa::path(
    patch,
    path = "/products/{id}/stock/decrease-by-order",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "`DEC-{orderId}`, or `DEC-{orderId}-2` and so on for further attempts"),
    ),
    request_body = Decrease,
    responses((status = 200, body = StockChanged), Change)
)]
pub(super) async fn decrease(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    RequiredKey(key): RequiredKey,
    trace: Trace,
    Json(decrease): Json<Decrease>,
) -> Result<Answer<StockChanged>, Problem> {
    let request_id = order_key("DEC", &decrease.order_id, &key)?;
    let reserve = Command::Reserve(Reserve {
        order_id: decrease.order_id,
        quantity: decrease.quantity,
    });
    let reply = by_order(&service, id, request_id, reserve, trace).await?;
    changed(&reply).map(Answer)
}

/// Gives stock back for an order of another order system.
#[utoipa::path(
    patch,
    path = "/products/{id}/stock/increase-by-order",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "`INC-{orderId}`, or `INC-{orderId}-2` and so on: the attempt that is undone"),
    ),
    request_body = Increase,
    responses((status = 200, body = StockChanged), Change)
)]
pub(super) async fn increase(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    RequiredKey(key): RequiredKey,
    trace: Trace,
    Json(increase): Json<Increase>,
) -> Result<Answer<StockChanged>, Problem> {
    let request_id = order_key("INC", &increase.order_id, &key)?;
    check_reason(increase.reason.as_deref())?;
    let release = Command::Release(Release {
        order_id: increase.order_id,
        quantity: increase.quantity,
        reason: increase.reason,
    });
    let look = trace.clone().ask(id.entity(), Command::Get);
    let reply = by_order(&service, id, request_id, release, trace).await?;
    // A release is never refused, not even by a product that does not exist; a person who mistyped
    // its id should hear of it all the same.
    if matches!(&reply, Reply::Released(released) if released.quantity == 0)
        && service.ask(look).await? == Err(Refusal::ProductNotFound)
    {
        return Err(Refusal::ProductNotFound.into());
    }
    changed(&reply).map(Answer)
}

/// Asks a product on behalf of another order system, whose request ids never meet our own orders'.
async fn by_order(
    service: &Service<Product>,
    id: ProductId,
    request_id: RequestId,
    command: Command,
    trace: Trace,
) -> Result<Reply, Problem> {
    let ask = Ask {
        request_id: Some(request_id),
        origin: Origin::Rest,
        ..trace.ask(id.entity(), command)
    };
    Ok(service.ask(ask).await??)
}

/// The request id that a key is: `{prefix}-{order}`, or `{prefix}-{order}-{n}` with n from 2.
fn order_key(prefix: &str, order: &str, key: &str) -> Result<RequestId, Problem> {
    if !is_name(order) {
        return Err(Problem::field(
            "orderId",
            "must be 1 to 64 of [A-Za-z0-9_.:-]",
        ));
    }
    let rest = key
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_prefix(order));
    let attempt = |text: &str| {
        text.parse()
            .ok()
            .filter(|n: &u32| *n >= 2 && n.to_string() == text)
    };
    let valid = match rest {
        Some("") => true,
        Some(rest) => rest.strip_prefix('-').and_then(attempt).is_some(),
        None => false,
    };
    if valid {
        return Ok(RequestId::from(key));
    }
    let why = format!("must be {prefix}-{order}, or {prefix}-{order}-n for attempt n");
    Err(Problem::field("Idempotency-Key", why))
}

fn check_reason(reason: Option<&str>) -> Result<(), Problem> {
    let Some(reason) = reason else {
        return Ok(());
    };
    let fits = !reason.trim().is_empty() && reason.chars().nth(REASON_CHARACTERS_MAX).is_none();
    if fits && !reason.chars().any(char::is_control) {
        return Ok(());
    }
    let why =
        format!("has 1 to {REASON_CHARACTERS_MAX} characters, none of them control characters");
    Err(Problem::field("reason", why))
}

fn changed(reply: &Reply) -> Result<StockChanged, Problem> {
    let remaining_stock = match reply {
        Reply::Reserved(reserved) => reserved.remaining,
        Reply::Released(released) => released.remaining,
        Reply::Adjusted(adjusted) => adjusted.remaining,
        Reply::Product(_) => return Err(Problem::unexpected(reply)),
    };
    Ok(StockChanged {
        success: true,
        remaining_stock,
        message: "OK",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_order_names_the_order_and_the_attempt() {
        for key in ["DEC-web:77", "DEC-web:77-2", "DEC-web:77-31"] {
            let request_id = order_key("DEC", "web:77", key);
            assert_eq!(request_id, Ok(RequestId::from(key)));
        }
        for key in [
            "DEC-",
            "DEC-web:7",
            "DEC-web:777",
            "DEC-web:77-",
            "DEC-web:77-1",
            "DEC-web:77-02",
            "DEC-web:77-x",
            "DEC-web:77-2-2",
            "INC-web:77",
            "dec-web:77",
        ] {
            let problem = order_key("DEC", "web:77", key).expect_err(key);
            assert_eq!(problem.code(), "VALIDATION_ERROR");
        }
        let long = "x".repeat(65);
        for order in ["", "a b", "a/b", &long] {
            let key = format!("DEC-{order}");
            assert!(order_key("DEC", order, &key).is_err(), "{order}");
        }
    }

    #[test]
    fn a_reason_is_short_and_in_one_line() {
        for reason in [None, Some("ORDER_CANCEL"), Some("she changed her mind")] {
            assert_eq!(check_reason(reason), Ok(()));
        }
        let long = "x".repeat(201);
        for reason in ["", " ", "two\nlines", "nul\0", &long] {
            assert!(check_reason(Some(reason)).is_err(), "{reason:?}");
        }
    }
}

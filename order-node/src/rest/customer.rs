//! One order: read, cancelled, run again.

use std::pin::pin;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use messages::{
    RequestId,
    id::kind,
    order::{Command, Retry, Status},
};
use node::{
    edge::{Answer, Change, IdempotencyKey, NoBody, PathId, Problem, Read, Trace},
    host::Ask,
};
use tokio::time::Instant;

use super::{
    Orders,
    place::respond_async,
    view::{OrderBody, ran, undone},
};

/// An order as it stands.
#[utoipa::path(
    get,
    path = "/orders/{id}",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = OrderBody), Read)
)]
pub(super) async fn get(
    State(orders): State<Orders>,
    PathId(id): PathId<kind::Order>,
    trace: Trace,
) -> Result<Answer<OrderBody>, Problem> {
    let ask = trace.ask(id.entity(), Command::Get);
    let reply = orders.service.ask(ask).await??;
    Ok(Answer(reply.order.into()))
}

/// Cancels an order that is CONFIRMED, its payment first, and waits until everything is given back.
///
/// Where the gateway does not give the payment back, the order stays CONFIRMED with the reason.
#[utoipa::path(
    post,
    path = "/orders/{id}/cancel",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128),
        ("Prefer" = Option<String>, Header, description = "`respond-async` answers 202 at once"),
    ),
    responses(
        (status = 200, description = "CANCELLED", body = OrderBody),
        (status = 202, description = "still CONFIRMED, and `cancelling`", body = OrderBody),
        (status = 402, description = "PAYMENT_DECLINED: the payment is not given back", body = ref("#/components/schemas/Error")),
        Change,
    )
)]
pub(super) async fn cancel(
    State(orders): State<Orders>,
    PathId(id): PathId<kind::Order>,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    trace: Trace,
    NoBody: NoBody,
) -> Result<(StatusCode, Answer<OrderBody>), Problem> {
    let ask = Ask {
        request_id: request_id("cancel", key),
        settle: (!respond_async(&headers)).then_some(orders.wait),
        ..trace.ask(id.entity(), Command::Cancel)
    };
    let order = undone(orders.service.ask(ask).await??)?;
    Ok((status(&order), Answer(order)))
}

/// Runs a FAILED order again under new request ids, and waits until it is final.
#[utoipa::path(
    post,
    path = "/orders/{id}/retry",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128),
        ("Prefer" = Option<String>, Header, description = "`respond-async` answers 202 as soon as it is written"),
    ),
    responses(
        (status = 200, description = "CONFIRMED", body = OrderBody),
        (status = 202, description = "still PENDING", body = OrderBody),
        (status = 402, description = "PAYMENT_DECLINED", body = ref("#/components/schemas/Error")),
        (status = 424, description = "DEPENDENCY_FAILED", body = ref("#/components/schemas/Error")),
        Change,
    )
)]
pub(super) async fn retry(
    State(orders): State<Orders>,
    PathId(id): PathId<kind::Order>,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    trace: Trace,
    NoBody: NoBody,
) -> Result<(StatusCode, Answer<OrderBody>), Problem> {
    let arrived = Instant::now();
    let at_once = respond_async(&headers);
    let order = pin!(async {
        let command = Command::Retry(Retry {
            deadline_ms: orders.deadline_ms,
            payment_deadline_ms: orders.payment_deadline_ms,
        });
        let ask = Ask {
            request_id: request_id("retry", key),
            settle: (!at_once).then(|| orders.left(arrived)),
            ..trace.ask(id.entity(), command)
        };
        Ok(orders.service.ask(ask).await??)
    });
    let order = ran(orders.admitted(at_once, order).await?)?;
    Ok((status(&order), Answer(order)))
}

/// A key belongs to its call: the same one for another call on the order is another request, and
/// none meets the ids that the order itself keeps its steps under.
pub(super) fn request_id(call: &str, key: Option<String>) -> Option<RequestId> {
    key.map(|key| RequestId::from(format!("{call} {key}")))
}

pub(super) const fn status(order: &OrderBody) -> StatusCode {
    match order.status {
        Status::Pending => StatusCode::ACCEPTED,
        Status::Confirmed if order.cancelling => StatusCode::ACCEPTED,
        Status::Confirmed | Status::Failed | Status::Cancelled => StatusCode::OK,
    }
}

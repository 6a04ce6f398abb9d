//! `POST /orders/{id}/payment`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use messages::{
    Money, OrderId, Refusal, RequestId, Service,
    id::kind,
    order::{Command, Pay},
    payment::{self, Reject, is_payment_id},
};
use node::{
    edge::{Answer, Change, IdempotencyKey, Json, PathId, Problem, Trace},
    host::Ask,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Orders,
    customer::{request_id, status},
    place::respond_async,
    view::{OrderBody, paid},
};

/// A payment that was made at the gateway.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewPaid {
    /// The gateway's id of it.
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,64}$")]
    imp_uid: String,
    /// How much was paid.
    #[schema(value_type = i64, minimum = 0)]
    price: Money,
}

/// Pays an order that was placed with `payment: {method: "external"}`, and waits until it is final.
///
/// The payment is looked up at the gateway. With another amount it is given back, and the order
/// fails; one that the gateway does not know leaves the order waiting for another. A payment for
/// an order that is unknown, final or already paid is given back too.
#[utoipa::path(
    post,
    path = "/orders/{id}/payment",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128),
        ("Prefer" = Option<String>, Header, description = "`respond-async` answers 202 at once"),
    ),
    request_body = NewPaid,
    responses(
        (status = 200, description = "CONFIRMED", body = OrderBody),
        (status = 202, description = "still PENDING", body = OrderBody),
        (status = 402, description = "PAYMENT_MISMATCH, PAYMENT_NOT_FOUND, PAYMENT_DECLINED", body = ref("#/components/schemas/Error")),
        (status = 424, description = "DEPENDENCY_FAILED", body = ref("#/components/schemas/Error")),
        Change,
    )
)]
pub(super) async fn pay(
    State(orders): State<Orders>,
    PathId(id): PathId<kind::Order>,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    trace: Trace,
    Json(body): Json<NewPaid>,
) -> Result<(StatusCode, Answer<OrderBody>), Problem> {
    if !is_payment_id(&body.imp_uid) {
        let why = "must be 1 to 64 of A-Z a-z 0-9 _ . : -";
        return Err(Problem::field("impUid", why));
    }
    let command = Command::Pay(Pay {
        imp_uid: body.imp_uid.clone(),
        price: body.price,
        deadline_ms: orders.deadline_ms,
    });
    let ask = Ask {
        request_id: request_id("pay", key),
        settle: (!respond_async(&headers)).then_some(orders.wait),
        ..trace.clone().ask(id.entity(), command)
    };
    match orders.service.ask(ask).await? {
        Ok(reply) => {
            let order = paid(reply)?;
            Ok((status(&order), Answer(order)))
        }
        Err(refusal @ (Refusal::OrderNotFound | Refusal::InvalidState { .. })) => {
            reject(&orders, id, body.imp_uid, trace).await?;
            Err(refusal.into())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Has a payment given back that no order takes. Before the caller is answered, so that whoever
/// has no answer says it again.
async fn reject(
    orders: &Orders,
    order_id: OrderId,
    imp_uid: String,
    trace: Trace,
) -> Result<(), Problem> {
    let answer: payment::Answer = orders
        .service
        .ask_elsewhere(
            Service::Payment,
            order_id.entity(),
            RequestId::from(format!("reject {imp_uid}")),
            payment::Command::Reject(Reject { order_id, imp_uid }),
            Some(trace.into_traceparent()),
        )
        .await?;
    match answer {
        // So many are being given back that this one is not taken on yet.
        Err(Refusal::InvalidState { .. }) => Err(Problem::RetryLater {
            missing: Vec::new(),
        }),
        // It says what the payment is, not what the order is: the order's refusal is the answer.
        _ => Ok(()),
    }
}

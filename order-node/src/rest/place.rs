//! `POST /orders`.

use std::pin::pin;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use messages::order::{Command, Place, Status};
use node::{
    edge::{Answer, Create, IdempotencyKey, Json, Problem, Trace},
    host::{Ask, Target},
};
use tokio::time::Instant;

use super::{
    Orders,
    body::NewOrder,
    view::{OrderBody, ran},
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RESPOND_ASYNC: &str = "respond-async";

/// Places an order, and waits until it is final, or waits for a payment that is made outside.
///
/// A repeat under the same idempotency key answers with the order as it stands now, in the status
/// that its state gives.
#[utoipa::path(
    post,
    path = "/orders",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128),
        ("Prefer" = Option<String>, Header, description = "`respond-async` answers 202 as soon as the order is written"),
    ),
    request_body = NewOrder,
    responses(
        (status = 201, description = "CONFIRMED", body = OrderBody, headers(("Location" = String))),
        (status = 200, description = "a repeat of what was CANCELLED since", body = OrderBody, headers(("Location" = String))),
        (status = 202, description = "still PENDING; with `amountDue` where it waits for its payment", body = OrderBody, headers(("Location" = String), ("Preference-Applied" = String))),
        (status = 402, description = "PAYMENT_DECLINED", body = ref("#/components/schemas/Error")),
        (status = 404, description = "PRODUCT_NOT_FOUND, COUPON_NOT_FOUND", body = ref("#/components/schemas/Error")),
        (status = 424, description = "DEPENDENCY_FAILED", body = ref("#/components/schemas/Error")),
        Create,
    )
)]
pub(super) async fn place(
    State(orders): State<Orders>,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    trace: Trace,
    Json(body): Json<NewOrder>,
) -> Result<Response, Problem> {
    const CALL: &str = "POST /orders";
    let arrived = Instant::now();
    let basket = body.basket()?;
    let target = Target::made_by(CALL, key, &basket);
    let at_once = respond_async(&headers);
    let order = pin!(async {
        let short = orders.shortages.of(&basket.items).await;
        let place = Command::Place(Place {
            buyer_id: basket.buyer_id,
            items: basket.items,
            points: basket.points,
            coupon_id: basket.coupon_id,
            payment: basket.payment,
            deadline_ms: orders.deadline_ms,
            payment_deadline_ms: orders.payment_deadline_ms,
            short,
        });
        let ask = Ask {
            settle: (!at_once).then(|| orders.left(arrived)),
            ..trace.ask(target, place)
        };
        let reply = orders.service.ask(ask).await??;
        if short.is_none() {
            orders.shortages.heard(&reply);
        }
        Ok(reply)
    });
    let reply = orders.admitted(at_once, order).await?;
    Ok(placed(ran(reply)?, at_once))
}

/// The answer to a placed order, in the status that its state gives.
fn placed(order: OrderBody, at_once: bool) -> Response {
    let status = match order.status {
        Status::Confirmed => StatusCode::CREATED,
        Status::Pending => StatusCode::ACCEPTED,
        Status::Cancelled | Status::Failed => StatusCode::OK,
    };
    let location = HeaderValue::try_from(format!("/orders/{}", order.id));
    let location = location.expect("a UUID fits into a header");
    let mut response = (status, Answer(order)).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    if at_once && status == StatusCode::ACCEPTED {
        let applied = HeaderValue::from_static(RESPOND_ASYNC);
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    response
}

/// Whether the caller prefers an answer at once (RFC 7240, 4.1).
pub(super) fn respond_async(headers: &HeaderMap) -> bool {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| preference.trim().eq_ignore_ascii_case(RESPOND_ASYNC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_is_found_among_others() {
        let prefer = |value: &'static str| {
            let headers = [(PREFER, HeaderValue::from_static(value))];
            respond_async(&headers.into_iter().collect())
        };
        assert!(prefer("respond-async"));
        assert!(prefer("return=minimal, Respond-Async; wait=10"));
        assert!(!prefer("wait=10"));
        assert!(!prefer("respond-asynchronously"));
        assert!(!respond_async(&HeaderMap::new()));
    }
}

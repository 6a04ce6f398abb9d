//! Payments over HTTP: reads one, and lets a person pay at the sandbox.
//!
//! Decides nothing: every rule of a payment stands in [`crate::payment`].

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use messages::{
    Money, OrderId, Refusal,
    id::{IdError, is_name},
    payment::{Command, Reply, Status, View},
};
use node::{
    edge::{Answer, Create, Json, Problem, Query, Read, Trace},
    host::Service,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    gateway::{self, Unknown, sandbox::Sandbox},
    payment::Payment,
};

/// What the calls need besides the service.
#[derive(Clone)]
pub struct Payments {
    /// The name of the gateway.
    pub gateway: &'static str,
    /// The sandbox, where that is the gateway.
    pub sandbox: Option<Sandbox>,
}

#[derive(Clone)]
struct Edge {
    service: Service<Payment>,
    payments: Payments,
}

/// The calls of the payment node.
pub fn router(service: Service<Payment>, payments: Payments) -> OpenApiRouter {
    let has_sandbox = payments.sandbox.is_some();
    let edge = Edge { service, payments };
    let calls = OpenApiRouter::new().routes(routes!(get));
    let calls = if has_sandbox {
        calls.routes(routes!(pay, paid))
    } else {
        calls
    };
    calls.with_state(edge)
}

/// The payment of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
struct PaymentBody {
    /// The order.
    #[schema(value_type = String, format = Uuid)]
    order_id: OrderId,
    /// How much, in the currency's minor unit.
    #[schema(value_type = i64, minimum = 0)]
    amount: Money,
    /// Where it stands; PENDING while the gateway is asked.
    #[schema(value_type = StatusWord)]
    status: Status,
    /// By which gateway.
    gateway: String,
    /// The gateway's id of it, once there is one.
    gateway_id: Option<String>,
}

/// Where a payment stands.
#[derive(ToSchema)]
#[schema(as = PaymentStatus, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "says in the document what the status may be")]
enum StatusWord {
    Pending,
    Authorised,
    Cancelled,
    Declined,
}

/// The payment of an order, by its last attempt.
#[utoipa::path(
    get,
    path = "/payments/{orderId}",
    params(("orderId" = String, Path, format = Uuid)),
    responses((status = 200, body = PaymentBody), Read)
)]
async fn get(
    State(edge): State<Edge>,
    Path(order): Path<String>,
    trace: Trace,
) -> Result<Answer<PaymentBody>, Problem> {
    let order: OrderId = order
        .parse()
        .map_err(|wrong: IdError| Problem::field("orderId", wrong.to_string()))?;
    let ask = trace.ask(order.entity(), Command::Get);
    match edge.service.ask(ask).await? {
        Ok(Reply::Payment(view)) => Ok(Answer(edge.body(view))),
        // An order that was not to be paid; that of a gateway is another refusal.
        Err(Refusal::PaymentNotFound) => Err(Problem::NotFound),
        Err(refusal) => Err(refusal.into()),
        Ok(reply) => Err(Problem::unexpected(&reply)),
    }
}

impl Edge {
    fn body(&self, view: View) -> PaymentBody {
        PaymentBody {
            order_id: view.order_id,
            amount: view.amount,
            status: view.status,
            gateway: view
                .gateway
                .unwrap_or_else(|| self.payments.gateway.to_owned()),
            gateway_id: view.gateway_id,
        }
    }

    fn sandbox(&self) -> Result<&Sandbox, Problem> {
        self.payments.sandbox.as_ref().ok_or(Problem::NotFound)
    }
}

/// A payment to be made at the sandbox.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewPayment {
    /// What it is made under: the order's id, with `-2` behind it in its second attempt.
    merchant_uid: String,
    /// How much, in the currency's minor unit.
    #[schema(value_type = i64, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    amount: Money,
}

/// A payment as the sandbox knows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SandboxPayment {
    /// The sandbox's id of it.
    imp_uid: String,
    /// What it was made under.
    merchant_uid: String,
    /// How much.
    #[schema(value_type = i64, minimum = 0)]
    amount: Money,
    /// `paid`, `cancelled` or `failed`.
    status: &'static str,
}

impl From<gateway::Found> for SandboxPayment {
    fn from(found: gateway::Found) -> Self {
        Self {
            imp_uid: found.gateway_id,
            merchant_uid: found.merchant_uid,
            amount: found.amount,
            status: match found.status {
                gateway::Status::Ready => "ready",
                gateway::Status::Paid => "paid",
                gateway::Status::Cancelled => "cancelled",
                gateway::Status::Failed { .. } => "failed",
            },
        }
    }
}

/// Pays at the sandbox, as a customer does in a gateway's own window. There with the sandbox only.
#[utoipa::path(
    post,
    path = "/sandbox/payments",
    request_body = NewPayment,
    responses((status = 201, body = SandboxPayment), Create)
)]
async fn pay(
    State(edge): State<Edge>,
    Json(new): Json<NewPayment>,
) -> Result<(StatusCode, Answer<SandboxPayment>), Problem> {
    if !is_name(&new.merchant_uid) {
        return Err(Problem::field(
            "merchantUid",
            "must be 1 to 64 of [A-Za-z0-9_.:-]",
        ));
    }
    let paid = edge.sandbox()?.pay(&new.merchant_uid, new.amount);
    let paid = paid.await.map_err(away)?;
    Ok((StatusCode::CREATED, Answer(paid.into())))
}

/// Which payments are looked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Of {
    /// What they were made under.
    merchant_uid: String,
}

/// What the sandbox knows of payments.
#[derive(Serialize, ToSchema)]
struct SandboxPayments {
    /// The payments of the merchant uid.
    items: Vec<SandboxPayment>,
}

/// The payments of a merchant uid that the sandbox knows. There with the sandbox only.
#[utoipa::path(
    get,
    path = "/sandbox/payments",
    params(Of),
    responses((status = 200, body = SandboxPayments), Read)
)]
async fn paid(
    State(edge): State<Edge>,
    Query(of): Query<Of>,
) -> Result<Answer<SandboxPayments>, Problem> {
    let found = edge.sandbox()?.payments(&of.merchant_uid);
    let items = found.await.map_err(away)?;
    Ok(Answer(SandboxPayments {
        items: items.into_iter().map(SandboxPayment::from).collect(),
    }))
}

fn away(Unknown(reason): Unknown) -> Problem {
    tracing::warn!(reason, "the sandbox's books are away");
    Problem::RetryLater {
        missing: vec!["sandbox".to_owned()],
    }
}

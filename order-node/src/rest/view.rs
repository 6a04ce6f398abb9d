//! An order as it is answered.

use messages::{
    Money, OrderId, ProductId, Quantity, Timestamp, UserId,
    order::{LineView, Reply, Status, View},
};
use node::edge::Problem;
use serde::Serialize;
use utoipa::ToSchema;

/// An order as it stands; amounts that are not known yet are null.
#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub(super) struct OrderBody {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub(super) id: OrderId,
    /// A short name, fit to be read out on the telephone.
    code: String,
    /// Who ordered.
    #[schema(value_type = String)]
    buyer_id: UserId,
    /// Its lines, in the order in which they were asked for.
    items: Vec<LineBody>,
    /// Where it stands.
    #[schema(value_type = StatusWord)]
    pub(super) status: Status,
    /// The code of the refusal that failed it; of a confirmed order, of the one that kept it from
    /// being cancelled; of one that waits for its payment, of the last one that was named.
    fail_reason: Option<String>,
    /// What the lines cost.
    #[schema(value_type = Option<i64>)]
    subtotal: Option<Money>,
    /// What a coupon takes off.
    #[schema(value_type = Option<i64>)]
    discount: Option<Money>,
    /// What points pay.
    #[schema(value_type = Option<i64>)]
    points_used: Option<Money>,
    /// What remains to be paid.
    #[schema(value_type = Option<i64>)]
    amount_due: Option<Money>,
    /// Whether a cancel is under way.
    pub(super) cancelling: bool,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// One line of an order.
#[derive(Serialize, ToSchema, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderLine)]
struct LineBody {
    /// The product.
    #[schema(value_type = String, format = Uuid)]
    product_id: ProductId,
    /// Its name when it was reserved.
    name: Option<String>,
    /// Its price when it was reserved.
    #[schema(value_type = Option<i64>)]
    unit_price: Option<Money>,
    /// How many pieces.
    #[schema(value_type = u32)]
    quantity: Quantity,
    /// What the line costs.
    #[schema(value_type = Option<i64>)]
    amount: Option<Money>,
}

/// Where an order stands.
#[derive(ToSchema)]
#[schema(as = OrderStatus, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "says in the document what the status may be")]
pub(super) enum StatusWord {
    Pending,
    Confirmed,
    Failed,
    Cancelled,
}

impl OrderBody {
    /// Whether nothing is under way.
    pub(super) const fn at_rest(&self) -> bool {
        !matches!(self.status, Status::Pending) && !self.cancelling
    }
}

impl From<View> for OrderBody {
    fn from(view: View) -> Self {
        Self {
            id: view.id,
            code: view.code,
            buyer_id: view.buyer_id,
            items: view.items.into_iter().map(LineBody::from).collect(),
            status: view.status,
            fail_reason: view.fail_reason,
            subtotal: view.subtotal,
            discount: view.discount,
            points_used: view.points_used,
            amount_due: view.amount_due,
            cancelling: view.cancelling,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

impl From<LineView> for LineBody {
    fn from(line: LineView) -> Self {
        Self {
            product_id: line.product_id,
            name: line.name,
            unit_price: line.unit_price,
            quantity: line.quantity,
            amount: line.amount,
        }
    }
}

/// The order that was run, or, where it failed, the refusal that failed it with the order in the
/// details.
pub(super) fn ran(reply: Reply) -> Result<OrderBody, Problem> {
    told(reply, &[Status::Failed])
}

/// The order that was cancelled, or, where it could not be, why, in the same form.
pub(super) fn undone(reply: Reply) -> Result<OrderBody, Problem> {
    told(reply, &[Status::Confirmed])
}

/// The order that was paid, or why not, in the same form: it failed, or waits for another payment.
pub(super) fn paid(reply: Reply) -> Result<OrderBody, Problem> {
    told(reply, &[Status::Failed, Status::Pending])
}

/// The order, or, where it says why it is in one of these statuses, that refusal.
fn told(reply: Reply, refused_in: &[Status]) -> Result<OrderBody, Problem> {
    let order = OrderBody::from(reply.order);
    match reply.refusal {
        Some(refusal) if refused_in.contains(&order.status) => {
            Err(Problem::refused_with(refusal, "order", &order))
        }
        _ => Ok(order),
    }
}

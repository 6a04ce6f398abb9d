//! What can be said to an order, and what it says.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    CouponId, Money, OrderId, ProductId, Quantity, Refusal, Timestamp, UserId, coupon,
    envelope::{self, Body, Empty, unknown},
    payment::{self, Token},
    point, product,
};

/// What reaches an order: a customer's wish, a participant's answer, or its own deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Places it.
    Place(Place),
    /// Undoes it once it is confirmed.
    Cancel,
    /// Runs it again once it has failed.
    Retry(Retry),
    /// Reads it.
    Get,
    /// Pays it, where it waits for a payment that is made outside.
    Pay(Pay),
    /// Its deadline has passed.
    Expire,
    /// A product answered.
    Product(product::Answer),
    /// A wallet answered.
    Point(point::Answer),
    /// A coupon campaign answered.
    Coupon(coupon::Answer),
    /// Its payment answered.
    Payment(payment::Answer),
}

/// Places an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Who orders.
    pub buyer_id: UserId,
    /// What is ordered: 1 to 100 lines, a product at most once.
    pub items: Vec<Item>,
    /// How many points may pay for it, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Money>,
    /// The coupon that is used on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon_id: Option<CouponId>,
    /// How the rest is paid; where it is not said, the order is settled outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PayBy>,
    /// How long the order may take before it is given up. The edge fills it in; it is no part of
    /// what the caller asked for.
    pub deadline_ms: u64,
    /// How long it waits for a payment that is made outside, likewise.
    #[serde(default)]
    pub payment_deadline_ms: u64,
    /// Which product has not enough left for it, where that was asked before: then it is turned
    /// away. The edge fills it in, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<Shortage>,
}

/// What a product said, asked before an order of it was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// The product.
    pub product_id: ProductId,
    /// How many pieces were left: fewer than the order's line wants.
    pub available: i64,
}

/// How an order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "camelCase")]
pub enum PayBy {
    /// By a card that the gateway knows.
    Card {
        /// What the gateway knows it by.
        token: Token,
    },
    /// By the customer, at the gateway, once the order says how much.
    External,
}

/// Says by which payment a waiting order was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pay {
    /// The gateway's id of the payment.
    pub imp_uid: String,
    /// How much was paid, as the customer says.
    pub price: Money,
    /// How long looking it up may take at least, as in [`Place`].
    pub deadline_ms: u64,
}

/// Runs a failed order again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How long the new attempt may take, as in [`Place`].
    pub deadline_ms: u64,
    /// How long it waits for a payment that is made outside, as in [`Place`].
    #[serde(default)]
    pub payment_deadline_ms: u64,
}

/// One line that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: Quantity,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Its saga runs.
    Pending,
    /// Everything is taken.
    Confirmed,
    /// It was refused or given up.
    Failed,
    /// It was confirmed, and undone.
    Cancelled,
}

impl Status {
    /// The word in answers and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Confirmed,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|status| status.name() == name)
    }
}

/// An order as a reader sees it; amounts that are not known yet are null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its id.
    pub id: OrderId,
    /// A short name, fit to be read out on the telephone.
    pub code: String,
    /// Who ordered.
    pub buyer_id: UserId,
    /// Its lines, in the order in which they were asked for.
    pub items: Vec<LineView>,
    /// Where it stands.
    pub status: Status,
    /// The code of the refusal that failed it.
    pub fail_reason: Option<String>,
    /// What the lines cost.
    pub subtotal: Option<Money>,
    /// What a coupon takes off.
    pub discount: Option<Money>,
    /// What points pay.
    pub points_used: Option<Money>,
    /// What remains to be paid.
    pub amount_due: Option<Money>,
    /// Whether a cancel is under way.
    pub cancelling: bool,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One line as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineView {
    /// The product.
    pub product_id: ProductId,
    /// Its name when it was reserved.
    pub name: Option<String>,
    /// Its price when it was reserved.
    pub unit_price: Option<Money>,
    /// How many pieces.
    pub quantity: Quantity,
    /// What the line costs.
    pub amount: Option<Money>,
}

/// An order as it stands, and why it failed, in full, where it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// The order.
    pub order: View,
    /// The refusal that failed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// A step of an order's saga, by what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Pieces of a product.
    Stock,
    /// Points of the buyer.
    Points,
    /// The use of a coupon.
    Coupon,
    /// What is left to be paid.
    Payment,
}

impl Step {
    /// The word in answers, tables and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Points => "points",
            Self::Coupon => "coupon",
            Self::Payment => "payment",
        }
    }
}

/// The body of `event.product.reserve.failed` and its like: a step that was refused, told by the
/// order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepFailed {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub buyer_id: UserId,
    /// What was to be taken.
    pub step: Step,
    /// The entity that refused: a product, a user's wallet, a coupon, the order's payment.
    pub entity: String,
    /// How much was asked for: pieces, points, money, or one coupon.
    pub amount: i64,
    /// Why.
    pub refusal: Refusal,
    /// The order as it stood; of a refused line it has that line alone, so that an order of many
    /// refused lines is not told many times over. Older events do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<View>,
}

impl Body for Command {
    fn kind(&self) -> &'static str {
        match self {
            Self::Place(_) => "order.place",
            Self::Cancel => "order.cancel",
            Self::Retry(_) => "order.retry",
            Self::Get => "order.get",
            Self::Pay(_) => "order.pay",
            Self::Expire => "order.expire",
            Self::Product(answer) => answer.kind(),
            Self::Point(answer) => answer.kind(),
            Self::Coupon(answer) => answer.kind(),
            Self::Payment(answer) => answer.kind(),
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Place(body) => body.serialize(serializer),
            Self::Retry(body) => body.serialize(serializer),
            Self::Pay(body) => body.serialize(serializer),
            Self::Product(answer) => answer.write(serializer),
            Self::Point(answer) => answer.write(serializer),
            Self::Coupon(answer) => answer.write(serializer),
            Self::Payment(answer) => answer.write(serializer),
            Self::Cancel | Self::Get | Self::Expire => Empty {}.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        let empty = |command| move |_: Empty| Some(command);
        match kind {
            "order.place" => Place::deserialize(deserializer).map(|body| Some(Self::Place(body))),
            "order.cancel" => Empty::deserialize(deserializer).map(empty(Self::Cancel)),
            "order.retry" => Retry::deserialize(deserializer).map(|body| Some(Self::Retry(body))),
            "order.get" => Empty::deserialize(deserializer).map(empty(Self::Get)),
            "order.pay" => Pay::deserialize(deserializer).map(|body| Some(Self::Pay(body))),
            "order.expire" => Empty::deserialize(deserializer).map(empty(Self::Expire)),
            kind if kind.starts_with("product.") => {
                product::Answer::read(kind, deserializer).map(|body| body.map(Self::Product))
            }
            kind if kind.starts_with("point.") => {
                point::Answer::read(kind, deserializer).map(|body| body.map(Self::Point))
            }
            kind if kind.starts_with("coupon.") => {
                coupon::Answer::read(kind, deserializer).map(|body| body.map(Self::Coupon))
            }
            kind if kind.starts_with("payment.") => {
                payment::Answer::read(kind, deserializer).map(|body| body.map(Self::Payment))
            }
            _ => unknown(deserializer),
        }
    }
}

/// An order's answer.
pub type Answer = Result<Reply, Refusal>;

impl envelope::Reply for Reply {
    const REFUSED: &'static str = "order.refused";
}

impl Body for Reply {
    fn kind(&self) -> &'static str {
        "order.order"
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        match kind {
            "order.order" => Self::deserialize(deserializer).map(Some),
            _ => unknown(deserializer),
        }
    }
}

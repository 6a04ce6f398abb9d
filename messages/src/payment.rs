//! What can be said to the payment of an order, and what it says.
//!
//! The entity is the order: its payment has the order's id, and one *merchant uid* an attempt
//! ([`merchant_uid`]), by which the gateway knows it.

mod names;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::names::{Token, TokenError, is_payment_id, merchant_uid};

use crate::{
    Money, OrderId, Refusal, UserId,
    envelope::{self, Body, Empty, unknown},
};

/// What the payment of an order can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Takes the money. Answered when the gateway has answered.
    Authorise(Authorise),
    /// Gives back what the authorisation of the same attempt took. Where none was heard of, or
    /// its outcome is not known yet, the attempt is closed: whatever the gateway turns out to
    /// have taken is given back. An order with an external payment that expires sends this too,
    /// although it has never asked for the money, since it may come all the same.
    ///
    /// Only the gateway can refuse it, with [`Refusal::PaymentDeclined`]: then the money stays
    /// taken. It may be asked again under the same request id.
    Cancel(Cancel),
    /// A payment made outside that this order has no use for: given back, if it was made for
    /// this order and is not the one that pays for it.
    Reject(Reject),
    /// Reads it.
    Get,
    /// What came of a call to the gateway. Said by the payment's own host alone.
    Outcome(Outcome),
}

/// Takes the money for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorise {
    /// The order.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// How much, never 0.
    pub amount: Money,
    /// By which means.
    #[serde(flatten)]
    pub method: Method,
}

/// How an order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "method",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Method {
    /// By a card that the gateway knows.
    Card {
        /// What the gateway knows it by.
        token: Token,
    },
    /// By a payment that the customer has made at the gateway: it is looked up.
    External {
        /// The gateway's id of it.
        imp_uid: String,
        /// What the customer says it was; checked where it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
    },
}

/// Gives back what was authorised under the counterpart of this request id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancel {
    /// The order.
    pub order_id: OrderId,
    /// How much: as much as was to be taken.
    pub amount: Money,
}

/// Gives back a payment that was made outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reject {
    /// The order that it was made for.
    pub order_id: OrderId,
    /// The gateway's id of it.
    pub imp_uid: String,
}

/// What came of a call to the gateway; never a guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Outcome {
    /// The gateway has the money.
    Paid {
        /// What it was charged under.
        merchant_uid: String,
        /// Which gateway.
        gateway: String,
        /// The gateway's id of it.
        gateway_id: String,
        /// How much.
        amount: Money,
    },
    /// It will not take the money, or what was made outside does not pay for the order.
    Declined {
        /// What it was asked under.
        merchant_uid: String,
        /// Why.
        refusal: Refusal,
        /// Whether another copy of the request may still be under way.
        resent: bool,
        /// A payment that does not fit and is to be given back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unwanted: Option<String>,
    },
    /// The gateway knows no payment under this merchant uid, or none that took anything.
    Missing {
        /// What was looked for.
        merchant_uid: String,
    },
    /// A rejected payment is not to be given back: there is none, or it is another order's.
    NotOurs {
        /// The gateway's id of it.
        gateway_id: String,
    },
    /// A payment was given back.
    Refunded {
        /// The gateway's id of it.
        gateway_id: String,
    },
    /// The gateway will not give it back.
    RefundRefused {
        /// The gateway's id of it.
        gateway_id: String,
        /// Why, in the gateway's words.
        reason: String,
    },
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The gateway is being asked.
    Pending,
    /// The money is taken.
    Authorised,
    /// The money was given back, or may not be taken any more.
    Cancelled,
    /// The gateway said no.
    Declined,
}

impl Status {
    /// The word in answers and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Authorised => "AUTHORISED",
            Self::Cancelled => "CANCELLED",
            Self::Declined => "DECLINED",
        }
    }
}

/// What a payment answers when it did as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The money is taken.
    Authorised(Authorised),
    /// The money is given back, or will not be taken any more.
    Cancelled(Cancelled),
    /// What was made outside will be given back.
    Rejected,
    /// The payment as it stands.
    Payment(View),
}

/// Money taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorised {
    /// How much.
    pub amount: Money,
    /// By which gateway.
    pub gateway: String,
    /// The gateway's id of it.
    pub gateway_id: String,
}

/// Money given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// How much came back: 0 where none was known to be taken.
    pub amount: Money,
}

/// A payment as a reader sees it: that of the order's last attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: Status,
    /// By which gateway, once it has taken the money.
    pub gateway: Option<String>,
    /// The gateway's id of it, once there is one.
    pub gateway_id: Option<String>,
}

/// The body of `event.payment.completed` and `event.payment.cancelled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoneyMoved {
    /// The order that was paid for.
    pub order_id: OrderId,
    /// Who paid.
    pub user_id: UserId,
    /// The request that moved it.
    pub request_id: String,
    /// How much.
    pub amount: Money,
    /// By which gateway.
    pub gateway: String,
    /// The gateway's id of it.
    pub gateway_id: String,
}

impl Body for Command {
    fn kind(&self) -> &'static str {
        match self {
            Self::Authorise(_) => "payment.authorise",
            Self::Cancel(_) => "payment.cancel",
            Self::Reject(_) => "payment.reject",
            Self::Get => "payment.get",
            Self::Outcome(_) => "payment.outcome",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Authorise(body) => body.serialize(serializer),
            Self::Cancel(body) => body.serialize(serializer),
            Self::Reject(body) => body.serialize(serializer),
            Self::Get => Empty {}.serialize(serializer),
            Self::Outcome(body) => body.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "payment.authorise" => Self::Authorise(Authorise::deserialize(deserializer)?),
            "payment.cancel" => Self::Cancel(Cancel::deserialize(deserializer)?),
            "payment.reject" => Self::Reject(Reject::deserialize(deserializer)?),
            "payment.get" => {
                Empty::deserialize(deserializer)?;
                Self::Get
            }
            "payment.outcome" => Self::Outcome(Outcome::deserialize(deserializer)?),
            _ => return unknown(deserializer),
        }))
    }
}

/// A payment's answer: what it did, or why it did not.
pub type Answer = Result<Reply, Refusal>;

impl envelope::Reply for Reply {
    const REFUSED: &'static str = "payment.refused";
}

impl Body for Reply {
    fn kind(&self) -> &'static str {
        match self {
            Self::Authorised(_) => "payment.authorised",
            Self::Cancelled(_) => "payment.cancelled",
            Self::Rejected => "payment.rejected",
            Self::Payment(_) => "payment.payment",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Authorised(body) => body.serialize(serializer),
            Self::Cancelled(body) => body.serialize(serializer),
            Self::Rejected => Empty {}.serialize(serializer),
            Self::Payment(body) => body.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "payment.authorised" => Self::Authorised(Authorised::deserialize(deserializer)?),
            "payment.cancelled" => Self::Cancelled(Cancelled::deserialize(deserializer)?),
            "payment.rejected" => {
                Empty::deserialize(deserializer)?;
                Self::Rejected
            }
            "payment.payment" => Self::Payment(View::deserialize(deserializer)?),
            _ => return unknown(deserializer),
        }))
    }
}

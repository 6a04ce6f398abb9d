//! What can be said to a wallet, and what it says. A wallet is named by its user.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    EntityId, Money, Refusal,
    envelope::{self, Body, Empty, unknown},
};

/// What a wallet can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Takes points for an order. Answered by [`Used`].
    Use(Use),
    /// Gives back what a use took. Answered by [`Refunded`].
    Refund(Refund),
    /// Adds points. Answered by [`Charged`].
    Charge(Charge),
    /// Reads it. Answered by a [`View`].
    Get,
}

/// Takes points for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// The order.
    pub order_id: String,
    /// How many points.
    pub amount: Money,
}

/// Gives points back. Where they were never taken, it keeps the use that comes late from taking
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// The order.
    pub order_id: String,
    /// How many points: as many as were asked for.
    pub amount: Money,
}

/// Adds points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// How many points.
    pub amount: Money,
}

/// What a wallet answers when it did as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The points are taken for the order.
    Used(Used),
    /// The points are given back, or were never taken.
    Refunded(Refunded),
    /// The points were added.
    Charged(Charged),
    /// The wallet as it stands.
    Wallet(View),
}

/// Points taken for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// How many points were taken.
    pub amount: Money,
    /// How many points are left.
    pub balance: i64,
}

/// Points given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refunded {
    /// How many points came back: 0 where none had been taken.
    pub amount: Money,
    /// How many points there are now.
    pub balance: i64,
}

/// Points added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charged {
    /// How many points there are now.
    pub balance: i64,
}

/// A wallet as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its user.
    pub user_id: EntityId,
    /// How many points there are.
    pub balance: i64,
}

/// The body of `event.point.used` and `event.point.refunded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsMoved {
    /// The user.
    pub user_id: EntityId,
    /// The order that they were moved for.
    pub order_id: String,
    /// The request that moved them.
    pub request_id: String,
    /// How many points.
    pub amount: Money,
    /// How many points there are after it.
    pub balance: i64,
}

impl Body for Command {
    fn kind(&self) -> &'static str {
        match self {
            Self::Use(_) => "point.use",
            Self::Refund(_) => "point.refund",
            Self::Charge(_) => "point.charge",
            Self::Get => "point.get",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Use(body) => body.serialize(serializer),
            Self::Refund(body) => body.serialize(serializer),
            Self::Charge(body) => body.serialize(serializer),
            Self::Get => Empty {}.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "point.use" => Self::Use(Use::deserialize(deserializer)?),
            "point.refund" => Self::Refund(Refund::deserialize(deserializer)?),
            "point.charge" => Self::Charge(Charge::deserialize(deserializer)?),
            "point.get" => {
                Empty::deserialize(deserializer)?;
                Self::Get
            }
            _ => return unknown(deserializer),
        }))
    }
}

/// A wallet's answer: what it did, or why it did not.
pub type Answer = Result<Reply, Refusal>;

impl envelope::Reply for Reply {
    const REFUSED: &'static str = "point.refused";
}

impl Body for Reply {
    fn kind(&self) -> &'static str {
        match self {
            Self::Used(_) => "point.used",
            Self::Refunded(_) => "point.refunded",
            Self::Charged(_) => "point.charged",
            Self::Wallet(_) => "point.wallet",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Used(body) => body.serialize(serializer),
            Self::Refunded(body) => body.serialize(serializer),
            Self::Charged(body) => body.serialize(serializer),
            Self::Wallet(body) => body.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "point.used" => Self::Used(Used::deserialize(deserializer)?),
            "point.refunded" => Self::Refunded(Refunded::deserialize(deserializer)?),
            "point.charged" => Self::Charged(Charged::deserialize(deserializer)?),
            "point.wallet" => Self::Wallet(View::deserialize(deserializer)?),
            _ => return unknown(deserializer),
        }))
    }
}

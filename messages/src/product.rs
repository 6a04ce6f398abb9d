//! What can be said to a product, and what it says.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Money, ProductId, Quantity, Refusal, Timestamp,
    envelope::{self, Body, Empty, unknown},
};

/// What a product can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Takes stock for an order.
    Reserve(Reserve),
    /// Gives back what the reserve of the same order and attempt took.
    Release(Release),
    /// Makes the product.
    Create(Create),
    /// Changes what is told about it.
    Edit(Edit),
    /// Adds to its stock, or takes from it.
    Adjust(Adjust),
    /// Reads it.
    Get,
}

/// Takes `quantity` pieces for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserve {
    /// The order, ours or one of another order system.
    pub order_id: String,
    /// How many pieces.
    pub quantity: Quantity,
}

/// Gives back what was reserved under the counterpart of this request id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The order that had reserved.
    pub order_id: String,
    /// How many pieces: as many as were reserved.
    pub quantity: Quantity,
    /// Why, for a person who reads the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Makes a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Create {
    /// Its name, 1 to 200 characters.
    pub name: String,
    /// The price of one piece.
    pub price: Money,
    /// How many pieces there are.
    pub stock: i64,
}

/// Changes what is given and leaves the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Another status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// Adds `delta` pieces, or takes them away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adjust {
    /// How many pieces more, or fewer; never 0.
    pub delta: i64,
    /// Why.
    pub reason: AdjustReason,
}

/// Why a person changes a stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AdjustReason {
    /// Goods came in or went out.
    Manual,
    /// The count was wrong.
    Adjust,
}

/// Whether a product can be ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It can.
    #[default]
    Active,
    /// It cannot any more.
    Discontinued,
}

impl Status {
    /// The word in answers and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Discontinued => "DISCONTINUED",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Discontinued]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// What a product answers when it did as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The stock is held for the order.
    Reserved(Reserved),
    /// The stock is given back, or was never taken.
    Released(Released),
    /// The stock was changed.
    Adjusted(Adjusted),
    /// The product as it stands.
    Product(View),
}

/// Stock held for an order, with the name and the price as they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// The product's name.
    pub name: String,
    /// The price of one piece.
    pub unit_price: Money,
    /// How many pieces are held.
    pub quantity: Quantity,
    /// How many pieces are left.
    pub remaining: i64,
}

/// Stock given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// How many pieces came back: 0 where none had been taken.
    pub quantity: i64,
    /// How many pieces are left.
    pub remaining: i64,
}

/// Stock changed by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adjusted {
    /// How many pieces are left.
    pub remaining: i64,
}

/// A product as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its id.
    pub id: ProductId,
    /// Its name.
    pub name: String,
    /// The price of one piece.
    pub price: Money,
    /// How many pieces are left.
    pub stock: i64,
    /// Whether it can be ordered.
    pub status: Status,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The body of `event.product.reserved` and `event.product.released`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockMoved {
    /// The product.
    pub product_id: ProductId,
    /// The order that it was moved for.
    pub order_id: String,
    /// The request that moved it.
    pub request_id: String,
    /// The product's name when it was reserved; events of old have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The price of one piece when it was reserved; events of old have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// How many pieces.
    pub quantity: i64,
    /// How many pieces are left.
    pub balance: i64,
}

impl Body for Command {
    fn kind(&self) -> &'static str {
        match self {
            Self::Reserve(_) => "product.reserve",
            Self::Release(_) => "product.release",
            Self::Create(_) => "product.create",
            Self::Edit(_) => "product.edit",
            Self::Adjust(_) => "product.adjust",
            Self::Get => "product.get",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Reserve(body) => body.serialize(serializer),
            Self::Release(body) => body.serialize(serializer),
            Self::Create(body) => body.serialize(serializer),
            Self::Edit(body) => body.serialize(serializer),
            Self::Adjust(body) => body.serialize(serializer),
            Self::Get => Empty {}.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "product.reserve" => Self::Reserve(Reserve::deserialize(deserializer)?),
            "product.release" => Self::Release(Release::deserialize(deserializer)?),
            "product.create" => Self::Create(Create::deserialize(deserializer)?),
            "product.edit" => Self::Edit(Edit::deserialize(deserializer)?),
            "product.adjust" => Self::Adjust(Adjust::deserialize(deserializer)?),
            "product.get" => {
                Empty::deserialize(deserializer)?;
                Self::Get
            }
            _ => return unknown(deserializer),
        }))
    }
}

/// A product's answer: what it did, or why it did not.
pub type Answer = Result<Reply, Refusal>;

impl envelope::Reply for Reply {
    const REFUSED: &'static str = "product.refused";
}

impl Body for Reply {
    fn kind(&self) -> &'static str {
        match self {
            Self::Reserved(_) => "product.reserved",
            Self::Released(_) => "product.released",
            Self::Adjusted(_) => "product.adjusted",
            Self::Product(_) => "product.product",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Reserved(body) => body.serialize(serializer),
            Self::Released(body) => body.serialize(serializer),
            Self::Adjusted(body) => body.serialize(serializer),
            Self::Product(body) => body.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "product.reserved" => Self::Reserved(Reserved::deserialize(deserializer)?),
            "product.released" => Self::Released(Released::deserialize(deserializer)?),
            "product.adjusted" => Self::Adjusted(Adjusted::deserialize(deserializer)?),
            "product.product" => Self::Product(View::deserialize(deserializer)?),
            _ => return unknown(deserializer),
        }))
    }
}

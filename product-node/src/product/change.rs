//! What can happen to a product, as its ledger keeps it and its events tell it.
//!
//! The JSON of a change is kept for ever: changes to it are additive.

use messages::{
    EntityId, Money, ProductId, Quantity, RequestId,
    product::{AdjustReason, StockMoved, View},
};
use node::{entity::Record, reservation::Effect};
use serde::{Deserialize, Serialize};

/// Something that happened to a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "change",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Change {
    /// It was made.
    Created {
        /// Its id.
        id: ProductId,
        /// Its name.
        name: String,
        /// The price of one piece.
        price: Money,
        /// Its opening stock.
        stock: i64,
    },
    /// What is told about it was changed.
    Edited {
        /// The product after it.
        product: View,
    },
    /// Its stock was changed by hand.
    Adjusted {
        /// By how much.
        delta: i64,
        /// Why.
        reason: AdjustReason,
        /// The stock after it.
        stock: i64,
    },
    /// Stock was taken for an order.
    Reserved {
        /// The order.
        order_id: String,
        /// The request that took it.
        request_id: RequestId,
        /// How many pieces.
        quantity: Quantity,
        /// The product's name at that time.
        name: String,
        /// Its price at that time.
        unit_price: Money,
        /// The stock after it.
        stock: i64,
    },
    /// What a reserve took was given back.
    Released {
        /// The order.
        order_id: String,
        /// The request that gave it back.
        request_id: RequestId,
        /// How many pieces.
        quantity: Quantity,
        /// Why, in the caller's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The product's name when it was reserved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Its price at that time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_price: Option<Money>,
        /// The stock after it.
        stock: i64,
    },
    /// A reserve was closed before it came.
    Tombstoned {
        /// The order.
        order_id: String,
        /// The reserve that was closed.
        request_id: RequestId,
        /// How many pieces it would have taken.
        quantity: Quantity,
        /// The stock, which did not change.
        stock: i64,
    },
}

impl Change {
    /// What it means to a later reserve or release.
    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Reserved { quantity, .. } => Effect::Taken(quantity.get().into()),
            Self::Tombstoned { quantity, .. } => Effect::Tombstone(quantity.get().into()),
            Self::Created { .. }
            | Self::Edited { .. }
            | Self::Adjusted { .. }
            | Self::Released { .. } => Effect::Other,
        }
    }

    pub(super) fn record(&self) -> Record {
        let record = |kind, order_id: Option<&String>, amount, balance| Record {
            kind,
            request_id: None,
            order_id: order_id.cloned(),
            amount,
            balance,
        };
        match self {
            Self::Created { stock, .. } => Record {
                request_id: Some(RequestId::from(node::entity::CREATION)),
                ..record("created", None, Some(*stock), Some(*stock))
            },
            Self::Edited { .. } => record("edited", None, None, None),
            Self::Adjusted { delta, stock, .. } => {
                record("adjusted", None, Some(*delta), Some(*stock))
            }
            Self::Reserved {
                order_id,
                quantity,
                stock,
                ..
            } => {
                let taken = -i64::from(quantity.get());
                record("reserved", Some(order_id), Some(taken), Some(*stock))
            }
            Self::Released {
                order_id,
                quantity,
                stock,
                ..
            } => {
                let given_back = i64::from(quantity.get());
                record("released", Some(order_id), Some(given_back), Some(*stock))
            }
            // Under the reserve's own id, so that the ledger's unique key stops a reserve that
            // was looked up before this was committed.
            Self::Tombstoned {
                order_id,
                request_id,
                stock,
                ..
            } => Record {
                request_id: Some(request_id.clone()),
                ..record("tombstoned", Some(order_id), Some(0), Some(*stock))
            },
        }
    }

    pub(super) fn event(&self, id: &EntityId) -> Option<(&'static str, Vec<u8>)> {
        let product_id = id.as_str().parse().ok()?;
        let (kind, moved) = match self {
            Self::Reserved {
                order_id,
                request_id,
                quantity,
                name,
                unit_price,
                stock,
            } => {
                let moved = StockMoved {
                    product_id,
                    order_id: order_id.clone(),
                    request_id: request_id.to_string(),
                    name: Some(name.clone()),
                    unit_price: Some(*unit_price),
                    quantity: quantity.get().into(),
                    balance: *stock,
                };
                ("product.reserved", moved)
            }
            Self::Released {
                order_id,
                request_id,
                quantity,
                name,
                unit_price,
                stock,
                ..
            } => {
                let moved = StockMoved {
                    product_id,
                    order_id: order_id.clone(),
                    request_id: request_id.to_string(),
                    name: name.clone(),
                    unit_price: *unit_price,
                    quantity: quantity.get().into(),
                    balance: *stock,
                };
                ("product.released", moved)
            }
            Self::Created { .. }
            | Self::Edited { .. }
            | Self::Adjusted { .. }
            | Self::Tombstoned { .. } => return None,
        };
        Some((kind, messages::wire::to_vec(&moved)))
    }
}

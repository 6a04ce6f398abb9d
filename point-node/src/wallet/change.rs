//! What can happen to a wallet, as its ledger keeps it and its events tell it.
//!
//! The JSON of a change is kept for ever: changes to it are additive.

use messages::{EntityId, Money, RequestId, point::PointsMoved};
use node::{entity::Record, reservation::Effect};
use serde::{Deserialize, Serialize};

/// Something that happened to a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "change",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Change {
    /// Points were added.
    Charged {
        /// How many.
        amount: Money,
        /// The balance after it.
        balance: i64,
    },
    /// Points were taken for an order.
    Used {
        /// The order.
        order_id: String,
        /// The request that took them.
        request_id: RequestId,
        /// How many.
        amount: Money,
        /// The balance after it.
        balance: i64,
    },
    /// What a use took was given back.
    Refunded {
        /// The order.
        order_id: String,
        /// The request that gave it back.
        request_id: RequestId,
        /// How many points.
        amount: Money,
        /// The balance after it.
        balance: i64,
    },
    /// A use was closed before it came.
    Tombstoned {
        /// The order.
        order_id: String,
        /// The use that was closed.
        request_id: RequestId,
        /// How many points it would have taken.
        amount: Money,
        /// The balance, which did not change.
        balance: i64,
    },
}

impl Change {
    /// The balance after it.
    pub(super) const fn balance(&self) -> i64 {
        match self {
            Self::Charged { balance, .. }
            | Self::Used { balance, .. }
            | Self::Refunded { balance, .. }
            | Self::Tombstoned { balance, .. } => *balance,
        }
    }

    /// What it means to a later use or refund.
    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Used { amount, .. } => Effect::Taken(amount.get()),
            Self::Tombstoned { amount, .. } => Effect::Tombstone(amount.get()),
            Self::Charged { .. } | Self::Refunded { .. } => Effect::Other,
        }
    }

    pub(super) fn record(&self) -> Record {
        let record = |kind, order_id: Option<&String>, amount| Record {
            kind,
            request_id: None,
            order_id: order_id.cloned(),
            amount: Some(amount),
            balance: Some(self.balance()),
        };
        match self {
            Self::Charged { amount, .. } => record("charged", None, amount.get()),
            Self::Used {
                order_id, amount, ..
            } => record("used", Some(order_id), -amount.get()),
            Self::Refunded {
                order_id, amount, ..
            } => record("refunded", Some(order_id), amount.get()),
            // Under the use's own id, so that the ledger's unique key stops a use that was looked
            // up before this was committed.
            Self::Tombstoned {
                order_id,
                request_id,
                ..
            } => Record {
                request_id: Some(request_id.clone()),
                ..record("tombstoned", Some(order_id), 0)
            },
        }
    }

    pub(super) fn event(&self, user: &EntityId) -> Option<(&'static str, Vec<u8>)> {
        let (kind, order_id, request_id, amount, balance) = match self {
            Self::Used {
                order_id,
                request_id,
                amount,
                balance,
            } => ("point.used", order_id, request_id, amount, balance),
            Self::Refunded {
                order_id,
                request_id,
                amount,
                balance,
            } => ("point.refunded", order_id, request_id, amount, balance),
            Self::Charged { .. } | Self::Tombstoned { .. } => return None,
        };
        let moved = PointsMoved {
            user_id: user.clone(),
            order_id: order_id.clone(),
            request_id: request_id.to_string(),
            amount: *amount,
            balance: *balance,
        };
        Some((kind, messages::wire::to_vec(&moved)))
    }
}

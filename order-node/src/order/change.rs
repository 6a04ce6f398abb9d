//! What can happen to an order, as its ledger keeps it and its events tell it.
//!
//! The JSON of a change is kept for ever: changes to it are additive.

use messages::{
    Money, OrderId, ProductId, Quantity, Refusal, RequestId, Timestamp, UserId,
    order::{StepFailed, View},
    wire::to_vec,
};
use node::entity::Record;
use serde::{Deserialize, Serialize};

use crate::plan;

/// Something that happened to an order, in one of its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The order.
    pub order_id: OrderId,
    /// The attempt that this belongs to, counted from 1.
    pub attempt: u32,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "change",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum What {
    /// It was placed.
    Placed {
        /// The order after it.
        order: View,
        /// When it is given up.
        deadline_at: Timestamp,
        /// The trace that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// A line was reserved.
    Reserved {
        /// Its product.
        product_id: ProductId,
        /// How many pieces.
        quantity: Quantity,
        /// The product's name at that time.
        name: String,
        /// Its price at that time.
        unit_price: Money,
    },
    /// A line was refused.
    Refused {
        /// The step of the plan.
        step: String,
        /// The line's product.
        product_id: ProductId,
        /// How many pieces were asked for.
        quantity: Quantity,
        /// Who ordered.
        buyer_id: UserId,
        /// Why.
        refusal: Refusal,
        /// Whether a copy may still be accepted, so that the release is owed all the same.
        resent: bool,
    },
    /// A line that had been refused was accepted after all, and is given back.
    AcceptedLate {
        /// Its product.
        product_id: ProductId,
    },
    /// A line was given back.
    Released {
        /// Its product.
        product_id: ProductId,
    },
    /// A release was refused, which must never be: the line counts as given back, and this row
    /// shows the audit where to look.
    ReleaseRefused {
        /// Its product.
        product_id: ProductId,
        /// What the product said.
        refusal: Refusal,
    },
    /// Everything is held.
    Confirmed {
        /// The order after it.
        order: View,
    },
    /// It was refused or given up.
    Failed {
        /// The order after it.
        order: View,
        /// Why.
        refusal: Refusal,
    },
    /// The customer cancelled it.
    CancelRequested,
    /// Everything is given back.
    Cancelled {
        /// The order after it.
        order: View,
    },
    /// The customer tries again; the attempt is the new one.
    Retried {
        /// The order after it.
        order: View,
        /// When it is given up.
        deadline_at: Timestamp,
        /// The trace that it belongs to from now on, where it has another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// An acceptance of an earlier attempt came, and is given back.
    StrayAccepted {
        /// Its product.
        product_id: ProductId,
        /// How many pieces.
        quantity: Quantity,
    },
    /// It was given back.
    StrayReleased {
        /// Its product.
        product_id: ProductId,
        /// What the product said where it refused, which must never be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Refusal>,
    },
}

impl Change {
    pub(super) fn record(&self) -> Record {
        let reserve = || RequestId::reserve(self.order_id, self.attempt);
        let release = || RequestId::release(self.order_id, self.attempt);
        let (kind, id) = match &self.what {
            What::Placed { .. } => ("placed", Some("PLACE".to_owned())),
            What::Reserved { product_id, .. } => {
                ("reserved", Some(format!("{}/{product_id}", reserve())))
            }
            What::Refused { product_id, .. } => {
                ("refused", Some(format!("{}/{product_id}", reserve())))
            }
            What::AcceptedLate { product_id } => (
                "acceptedLate",
                Some(format!("LATE-{}/{product_id}", reserve())),
            ),
            What::Released { product_id } => {
                ("released", Some(format!("{}/{product_id}", release())))
            }
            What::ReleaseRefused { product_id, .. } => (
                "releaseRefused",
                Some(format!("{}/{product_id}", release())),
            ),
            What::Confirmed { .. } => ("confirmed", Some(format!("CONFIRM-{}", self.attempt))),
            What::Failed { .. } => ("failed", Some(format!("FAIL-{}", self.attempt))),
            What::CancelRequested => ("cancelRequested", None),
            What::Cancelled { .. } => ("cancelled", Some(format!("CANCELLED-{}", self.attempt))),
            What::Retried { .. } => ("retried", None),
            What::StrayAccepted { product_id, .. } => (
                "strayAccepted",
                Some(format!("STRAY-{}/{product_id}", reserve())),
            ),
            What::StrayReleased { product_id, .. } => (
                "strayReleased",
                Some(format!("STRAY-{}/{product_id}", release())),
            ),
        };
        Record {
            kind,
            request_id: id.map(RequestId::from),
            order_id: Some(self.order_id.to_string()),
            amount: None,
            balance: None,
        }
    }

    pub(super) fn event(&self) -> Option<(&'static str, Vec<u8>)> {
        let (kind, order) = match &self.what {
            What::Placed { order, .. } | What::Retried { order, .. } => {
                ("order.created.pending", order)
            }
            What::Confirmed { order } => ("order.confirmed", order),
            What::Failed { order, .. } => ("order.failed", order),
            What::Cancelled { order } => ("order.cancelled", order),
            What::Refused {
                step,
                product_id,
                quantity,
                buyer_id,
                refusal,
                ..
            } => {
                let failed = StepFailed {
                    order_id: self.order_id,
                    buyer_id: buyer_id.clone(),
                    entity: product_id.to_string(),
                    quantity: *quantity,
                    refusal: refusal.clone(),
                };
                return Some((plan::step(step)?.refused, to_vec(&failed)));
            }
            What::Reserved { .. }
            | What::AcceptedLate { .. }
            | What::Released { .. }
            | What::ReleaseRefused { .. }
            | What::CancelRequested
            | What::StrayAccepted { .. }
            | What::StrayReleased { .. } => return None,
        };
        Some((kind, to_vec(order)))
    }
}

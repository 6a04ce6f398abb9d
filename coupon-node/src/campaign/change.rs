//! What can happen to a campaign, as its ledger keeps it and its events tell it.
//!
//! The JSON of a change is kept for ever: changes to it are additive.

use messages::{
    CouponId, Money, OrderId, RequestId, UserId,
    coupon::{CouponIssued, CouponMoved, Create},
    wire::to_vec,
};
use node::{entity::Record, reservation::Effect};
use serde::{Deserialize, Serialize};

/// What a use takes: one coupon.
pub(super) const ONE: i64 = 1;

/// Something that happened to a campaign.
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
        id: CouponId,
        /// What was asked for.
        campaign: Create,
    },
    /// A coupon was issued.
    Issued {
        /// The campaign.
        coupon_id: CouponId,
        /// Its name.
        name: String,
        /// Who has the coupon.
        user_id: UserId,
        /// The coupon's number.
        number: u32,
        /// How many are left.
        remaining: u32,
        /// Whether it is remembered by the caller's key.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keyed: bool,
    },
    /// A coupon was used for an order.
    Used {
        /// The campaign.
        coupon_id: CouponId,
        /// Its name.
        name: String,
        /// The order.
        order_id: OrderId,
        /// The request that used it.
        request_id: RequestId,
        /// Whose coupon.
        user_id: UserId,
        /// The coupon's number.
        number: u32,
        /// What the order costs before anything is taken off.
        subtotal: Money,
        /// What the coupon takes off by itself.
        discount: Money,
    },
    /// A coupon that was used was given back.
    Restored {
        /// The campaign.
        coupon_id: CouponId,
        /// Its name.
        name: String,
        /// The order.
        order_id: OrderId,
        /// The request that gave it back.
        request_id: RequestId,
        /// Whose coupon.
        user_id: UserId,
        /// The coupon's number.
        number: u32,
        /// What the order cost before anything was taken off.
        subtotal: Money,
        /// What the coupon took off by itself.
        discount: Money,
    },
    /// A use was closed before it came.
    Tombstoned {
        /// The order.
        order_id: OrderId,
        /// The use that was closed.
        request_id: RequestId,
        /// Who ordered.
        user_id: UserId,
    },
}

impl Change {
    /// What it means to a later use by this order and user, or its undoing.
    pub(super) fn effect(&self, order: OrderId, user: &UserId) -> Effect {
        match self {
            Self::Used {
                order_id, user_id, ..
            } if *order_id == order && user_id == user => Effect::Taken(ONE),
            Self::Tombstoned {
                order_id, user_id, ..
            } if *order_id == order && user_id == user => Effect::Tombstone(ONE),
            _ => Effect::Other,
        }
    }

    /// What undoes a use under this request id.
    pub(super) fn undone(&self, by: &RequestId) -> Option<Self> {
        let Self::Used {
            coupon_id,
            name,
            order_id,
            user_id,
            number,
            subtotal,
            discount,
            ..
        } = self
        else {
            return None;
        };
        Some(Self::Restored {
            coupon_id: *coupon_id,
            name: name.clone(),
            order_id: *order_id,
            request_id: by.clone(),
            user_id: user_id.clone(),
            number: *number,
            subtotal: *subtotal,
            discount: *discount,
        })
    }

    pub(super) fn record(&self) -> Record {
        let of_order = |kind, order_id: &OrderId| Record {
            kind,
            order_id: Some(order_id.to_string()),
            ..Record::default()
        };
        match self {
            Self::Created { campaign, .. } => Record {
                kind: "created",
                request_id: Some(RequestId::from(node::entity::CREATION)),
                amount: Some(campaign.quantity.into()),
                balance: Some(campaign.quantity.into()),
                ..Record::default()
            },
            Self::Issued {
                number,
                remaining,
                keyed,
                ..
            } => Record {
                kind: "issued",
                // It has a space, which no caller's key has.
                request_id: (!keyed).then(|| RequestId::from(format!("issue {number}"))),
                amount: Some(-ONE),
                balance: Some((*remaining).into()),
                ..Record::default()
            },
            Self::Used { order_id, .. } => of_order("used", order_id),
            Self::Restored { order_id, .. } => of_order("restored", order_id),
            // Under the use's own id, so that the ledger's unique key stops a use that was looked
            // up before this was committed.
            Self::Tombstoned {
                order_id,
                request_id,
                ..
            } => Record {
                request_id: Some(request_id.clone()),
                ..of_order("tombstoned", order_id)
            },
        }
    }

    pub(super) fn event(&self) -> Option<(&'static str, Vec<u8>)> {
        match self {
            Self::Issued {
                coupon_id,
                name,
                user_id,
                number,
                remaining,
                ..
            } => {
                let issued = CouponIssued {
                    coupon_id: *coupon_id,
                    name: name.clone(),
                    user_id: user_id.clone(),
                    number: *number,
                    remaining: *remaining,
                };
                Some(("coupon.issued", to_vec(&issued)))
            }
            Self::Used { .. } => Some(("coupon.used", to_vec(&self.moved()?))),
            Self::Restored { .. } => Some(("coupon.restored", to_vec(&self.moved()?))),
            Self::Created { .. } | Self::Tombstoned { .. } => None,
        }
    }

    fn moved(&self) -> Option<CouponMoved> {
        let (Self::Used {
            coupon_id,
            name,
            order_id,
            request_id,
            user_id,
            number,
            subtotal,
            discount,
        }
        | Self::Restored {
            coupon_id,
            name,
            order_id,
            request_id,
            user_id,
            number,
            subtotal,
            discount,
        }) = self
        else {
            return None;
        };
        Some(CouponMoved {
            coupon_id: *coupon_id,
            name: name.clone(),
            user_id: user_id.clone(),
            number: *number,
            order_id: *order_id,
            request_id: request_id.to_string(),
            subtotal: *subtotal,
            discount: *discount,
        })
    }
}

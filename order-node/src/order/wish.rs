//! What a buyer wishes besides the lines: points, a coupon, and how the rest is paid.

use messages::{CouponId, Money, Timestamp, order::PayBy, payment::Token};
use serde::{Deserialize, Serialize};

/// What a buyer wishes of an order besides its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// How many points may pay for it, at most; never 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Money>,
    /// The coupon that is used on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon_id: Option<CouponId>,
    /// How the rest is paid; where it is not said, the order is settled outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
}

/// How an order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "method",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Payment {
    /// By a card, with the order.
    Card {
        /// What the gateway knows it by.
        token: Token,
    },
    /// At the gateway, after the order says how much.
    External {
        /// Until when it is waited for.
        until: Timestamp,
        /// The gateway's id of it, once the customer has named it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        imp_uid: Option<String>,
        /// What the customer says was paid.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
    },
}

impl Payment {
    /// A payment that is not made yet.
    pub(super) fn new(by: &PayBy, until: Timestamp) -> Self {
        match by {
            PayBy::Card { token } => Self::Card {
                token: token.clone(),
            },
            PayBy::External => Self::External {
                until,
                imp_uid: None,
                price: None,
            },
        }
    }

    /// Forgets which payment was named: until then another is waited for.
    pub(super) fn wait(&mut self, until: Timestamp) {
        if let Self::External { .. } = self {
            *self = Self::new(&PayBy::External, until);
        }
    }
}

impl Wish {
    pub(super) const fn is_nothing(&self) -> bool {
        self.points.is_none() && self.coupon_id.is_none() && self.payment.is_none()
    }
}

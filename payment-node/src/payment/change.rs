//! What can happen to a payment, as its ledger keeps it and its events tell it.
//!
//! The JSON of a change is kept for ever: changes to it are additive. A card's token is no part of
//! it: the row holds that until the payment is decided.

use messages::{
    Money, OrderId, Refusal, RequestId, UserId,
    payment::{MoneyMoved, Token},
};
use node::{entity::Record, reservation::Effect};
use serde::{Deserialize, Serialize};

/// Something that happened to the payment of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The order.
    pub order_id: OrderId,
    /// The order's attempt that it belongs to; 0 where it belongs to none.
    pub attempt: u32,
    /// Counts the changes of this payment.
    pub serial: u32,
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
    /// The money is to be taken: the intent, before the gateway is asked.
    Asked {
        /// Who pays.
        user_id: UserId,
        /// How much.
        amount: Money,
        /// The card, where it is paid by one.
        #[serde(skip)]
        token: Option<Token>,
        /// The payment made outside, where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        imp_uid: Option<String>,
        /// What the customer says that was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
    },
    /// The gateway has the money.
    Authorised {
        /// What moved.
        moved: MoneyMoved,
    },
    /// The gateway said no, once and for all in this attempt.
    Declined {
        /// How much was to be taken.
        amount: Money,
        /// Why.
        refusal: Refusal,
        /// Whether it is looked for all the same: a copy of the request may still be under way, or
        /// the customer, who pays by himself, may have paid again.
        seek: bool,
    },
    /// The payment made outside was not found; another may be named.
    NotFound {
        /// Why.
        refusal: Refusal,
    },
    /// The attempt is given up: whatever the gateway has taken is given back.
    Closed {
        /// How much it was to take.
        amount: Money,
    },
    /// The money is to be given back.
    CancelAsked,
    /// It was given back.
    Cancelled {
        /// What moved.
        moved: MoneyMoved,
    },
    /// The gateway will not give it back.
    CancelRefused {
        /// Why, in the gateway's words.
        reason: String,
    },
    /// The gateway has money that nobody is to pay: it is to be given back.
    Found {
        /// The gateway's id of it.
        gateway_id: String,
    },
    /// It was looked for long enough.
    LookedEnough,
    /// A payment made outside is of no use: it is to be looked at, and given back.
    Rejected {
        /// The gateway's id of it.
        gateway_id: String,
    },
    /// A rejected payment is not to be given back: none of ours, or the one that pays.
    Spared {
        /// The gateway's id of it.
        gateway_id: String,
    },
    /// What nobody was to pay was given back.
    Returned {
        /// The gateway's id of it.
        gateway_id: String,
    },
}

impl Change {
    /// What it means to a later authorisation or cancel.
    pub(super) fn effect(&self) -> Effect {
        match &self.what {
            What::Authorised { moved } => Effect::Taken(moved.amount.get()),
            What::Declined { amount, .. } | What::Closed { amount } => {
                Effect::Tombstone(amount.get())
            }
            _ => Effect::Other,
        }
    }

    pub(super) fn record(&self) -> Record {
        let (take, give) = (
            RequestId::reserve(self.order_id, self.attempt),
            RequestId::release(self.order_id, self.attempt),
        );
        // What decides an attempt stands under its own request id, all else under ids that no
        // request has.
        let (kind, request_id, amount, balance) = match &self.what {
            What::Authorised { moved } => {
                let amount = moved.amount.get();
                ("authorised", Some(take), Some(-amount), None)
            }
            What::Cancelled { moved } => ("cancelled", Some(give), Some(moved.amount.get()), None),
            What::Declined { .. } => ("declined", Some(take), Some(0), None),
            What::Closed { .. } => ("closed", Some(take), Some(0), None),
            What::Asked { .. } => ("asked", None, None, None),
            What::NotFound { .. } => ("not_found", None, None, None),
            What::CancelAsked => ("cancel_asked", None, None, None),
            What::CancelRefused { .. } => ("cancel_refused", None, None, None),
            What::Found { .. } => ("found", None, None, None),
            What::LookedEnough => ("looked_enough", None, None, None),
            What::Rejected { .. } => ("rejected", None, None, None),
            What::Spared { .. } => ("spared", None, None, None),
            What::Returned { .. } => ("returned", None, None, None),
        };
        let own = || RequestId::from(format!("{kind} {}", self.serial));
        Record {
            kind,
            request_id: Some(request_id.unwrap_or_else(own)),
            order_id: Some(self.order_id.to_string()),
            amount,
            balance,
        }
    }

    pub(super) fn event(&self) -> Option<(&'static str, Vec<u8>)> {
        let (kind, moved) = match &self.what {
            What::Authorised { moved } => ("payment.completed", moved),
            What::Cancelled { moved } => ("payment.cancelled", moved),
            _ => return None,
        };
        Some((kind, messages::wire::to_vec(moved)))
    }
}

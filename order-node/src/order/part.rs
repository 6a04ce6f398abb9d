//! What an order takes of one entity, and where it stands.

use messages::{EntityId, Money, order::Step};
use serde::{Deserialize, Serialize};

use super::transition::{Heard, Hold};

/// One part of a step: what an order takes, or took, of one entity in one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    /// The step that it belongs to.
    pub(crate) step: Step,
    /// Who is asked for it.
    pub(crate) entity: EntityId,
    /// The attempt that it is asked in: the number in its request ids.
    pub(crate) attempt: u32,
    /// How much: pieces, points, money, or one coupon.
    pub(crate) amount: i64,
    /// Where it stands.
    pub(crate) hold: Hold,
    /// Whether it was accepted when nobody wanted it any more. Then it is kept for ever, so that
    /// another copy of the same acceptance is known as such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) late: bool,
    /// How often a request was refused that may be made again under the same id: to give back what
    /// was kept, or to take a payment that the gateway did not know.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) refusals: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(times: &u32) -> bool {
    *times == 0
}

impl Part {
    /// What was not asked for yet, as it is when it is.
    pub(crate) const fn new(step: Step, entity: EntityId, attempt: u32, amount: i64) -> Self {
        Self {
            step,
            entity,
            attempt,
            amount,
            hold: Hold::Asked,
            late: false,
            refusals: 0,
        }
    }

    /// Whether it is, or may come to be, taken for the order that asked for it.
    pub(crate) fn is_ours(&self) -> bool {
        !self.late && !matches!(self.hold, Hold::Refused | Hold::Released)
    }

    /// Gives it back, whether it is taken or not known to be.
    pub(crate) fn give_back(&mut self) {
        if let Some(hold) = self.hold.after(Heard::Unwanted) {
            self.hold = hold;
        }
    }

    /// The amount, where it is one of points or money.
    pub(crate) fn money(&self) -> Money {
        Money::new(self.amount).expect("it was an amount when it was asked for")
    }

    /// Whether this is the part of that step, entity and attempt.
    pub(crate) fn is(&self, step: Step, entity: &EntityId, attempt: u32) -> bool {
        self.step == step && self.attempt == attempt && self.entity == *entity
    }
}

/// What an acceptance brings besides the hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "brings",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Brought {
    /// What a piece is called, and what it costs.
    Priced {
        /// The product's name at that time.
        name: String,
        /// Its price at that time.
        unit_price: Money,
    },
    /// What a coupon takes off by itself.
    Discount {
        /// That amount.
        discount: Money,
    },
    /// No more than that it is held.
    Nothing,
}

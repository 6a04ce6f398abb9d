//! What an order takes of one entity, and where it stands.

use messages::{EntityId, Money, order::Step};
use serde::{Deserialize, Serialize};

use super::transition::Hold;

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
    /// How much: pieces, points or money; of a coupon, what it is used on.
    pub(crate) amount: i64,
    /// Where it stands.
    pub(crate) hold: Hold,
    /// Whether it was accepted when nobody wanted it any more. Then it is kept for ever, so that
    /// another copy of the same acceptance is known as such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) late: bool,
}

impl Part {
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
}

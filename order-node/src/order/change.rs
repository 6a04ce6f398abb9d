//! What can happen to an order, as its ledger keeps it and its events tell it.
//!
//! The JSON of a change is kept for ever: changes to it are additive.

use messages::{
    EntityId, Money, OrderId, ProductId, Refusal, RequestId, Timestamp, UserId,
    order::{Step, StepFailed, View},
    wire::to_vec,
};
use node::entity::Record;
use serde::{Deserialize, Serialize};

use super::{part::Brought, wish::Wish};
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
        /// What was wished besides its lines.
        #[serde(default, skip_serializing_if = "Wish::is_nothing")]
        wish: Wish,
        /// When it is given up.
        deadline_at: Timestamp,
        /// The trace that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// It was turned away: a product of it had said before that it has not enough left. Nothing was
    /// asked for, so that nothing is owed.
    TurnedAway {
        /// The order after it.
        order: View,
        /// What was wished besides its lines.
        #[serde(default, skip_serializing_if = "Wish::is_nothing")]
        wish: Wish,
        /// Which product said so.
        product_id: ProductId,
        /// In which words.
        refusal: Refusal,
        /// The trace that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// A part is held, and the order waits for others.
    Accepted(Acceptance),
    /// A part was refused.
    Refused {
        /// The step of the plan.
        step: Step,
        /// Who refused.
        entity: EntityId,
        /// How much was asked for.
        amount: i64,
        /// Who ordered.
        buyer_id: UserId,
        /// Why.
        refusal: Refusal,
        /// Whether a copy may still be accepted, so that the release is owed all the same.
        resent: bool,
        /// The order as it stood, with the lines that the step was for; older rows do not have it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<View>,
    },
    /// A part was accepted when nobody wanted it any more, and is given back.
    AcceptedLate {
        /// The step of the plan.
        step: Step,
        /// Who accepted.
        entity: EntityId,
        /// How much was taken.
        amount: i64,
    },
    /// A part was given back.
    GivenBack {
        /// The step of the plan.
        step: Step,
        /// Who gave it back.
        entity: EntityId,
        /// Whether it had been accepted late.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
        /// Why it would not, which must never be: it counts as given back, and this row shows the
        /// audit where to look.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Refusal>,
    },
    /// A part was not given back, by one who may refuse to.
    Kept {
        /// The step of the plan.
        step: Step,
        /// Who kept it.
        entity: EntityId,
        /// How often that was refused by now.
        times: u32,
        /// Why.
        refusal: Refusal,
    },
    /// The gateway does not know the payment that was named: the order waits for another.
    Missing {
        /// The step of the plan.
        step: Step,
        /// Who said so.
        entity: EntityId,
        /// How often that was said by now.
        times: u32,
        /// In which words.
        refusal: Refusal,
    },
    /// The customer named the payment that was made outside.
    PaymentNamed {
        /// The gateway's id of it.
        imp_uid: String,
        /// How much was paid, as the customer says.
        price: Money,
        /// When the order is given up now.
        deadline_at: Timestamp,
    },
    /// The customer named none in time. What may come all the same is given back.
    Unpaid {
        /// How much was due.
        amount: Money,
        /// Who ordered.
        buyer_id: UserId,
        /// The order as it stood; older rows do not have it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<View>,
    },
    /// Everything is held.
    Confirmed {
        /// The order after it.
        order: View,
        /// What was accepted last, and so confirmed it; older rows have a row of its own before them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Acceptance>,
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
        /// Until when a payment that is made outside is waited for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pay_until: Option<Timestamp>,
        /// The trace that it belongs to from now on, where it has another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
}

/// What a participant says it holds for the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    /// The step of the plan.
    pub step: Step,
    /// Who accepted.
    pub entity: EntityId,
    /// How much is held.
    pub amount: i64,
    /// What the order knows more.
    #[serde(flatten)]
    pub brought: Brought,
}

impl Change {
    pub(super) fn record(&self) -> Record {
        let own = |what: &str| Some(RequestId::from(format!("{what}-{}", self.attempt)));
        let of = |late: bool, request: RequestId, step: Step, entity: &EntityId| {
            let late = if late { "LATE-" } else { "" };
            let id = format!("{late}{request}/{}/{entity}", step.name());
            Some(RequestId::from(id))
        };
        let reserve = || RequestId::reserve(self.order_id, self.attempt);
        let release = || RequestId::release(self.order_id, self.attempt);
        let (kind, request_id) = match &self.what {
            What::Placed { .. } => ("placed", Some(RequestId::from("PLACE"))),
            What::TurnedAway { .. } => ("turnedAway", Some(RequestId::from("PLACE"))),
            What::Accepted(Acceptance { step, entity, .. }) => {
                ("accepted", of(false, reserve(), *step, entity))
            }
            What::Refused { step, entity, .. } => ("refused", of(false, reserve(), *step, entity)),
            What::AcceptedLate { step, entity, .. } => {
                ("acceptedLate", of(true, reserve(), *step, entity))
            }
            What::GivenBack {
                step,
                entity,
                late,
                refusal,
            } => {
                let kind = match refusal {
                    None => "givenBack",
                    Some(_) => "releaseRefused",
                };
                (kind, of(*late, release(), *step, entity))
            }
            What::Kept {
                step,
                entity,
                times,
                ..
            } => {
                let id = format!("KEPT-{times}-{}/{}/{entity}", release(), step.name());
                ("kept", Some(RequestId::from(id)))
            }
            What::Missing {
                step,
                entity,
                times,
                ..
            } => {
                let id = format!("MISSING-{times}-{}/{}/{entity}", reserve(), step.name());
                ("missing", Some(RequestId::from(id)))
            }
            What::PaymentNamed { .. } => ("paymentNamed", None),
            What::Unpaid { .. } => ("unpaid", own("UNPAID")),
            What::Confirmed { .. } => ("confirmed", own("CONFIRM")),
            What::Failed { .. } => ("failed", own("FAIL")),
            What::CancelRequested => ("cancelRequested", None),
            What::Cancelled { .. } => ("cancelled", own("CANCELLED")),
            What::Retried { .. } => ("retried", None),
        };
        Record {
            kind,
            request_id,
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
            What::Confirmed { order, .. } => ("order.confirmed", order),
            What::Failed { order, .. } | What::TurnedAway { order, .. } => ("order.failed", order),
            What::Cancelled { order } => ("order.cancelled", order),
            What::Refused {
                step,
                entity,
                amount,
                buyer_id,
                refusal,
                order,
                ..
            } => {
                let failed = StepFailed {
                    order_id: self.order_id,
                    buyer_id: buyer_id.clone(),
                    step: *step,
                    entity: entity.to_string(),
                    amount: *amount,
                    refusal: refusal.clone(),
                    order: order.clone(),
                };
                return Some((plan::row(*step).refused, to_vec(&failed)));
            }
            What::Unpaid {
                amount,
                buyer_id,
                order,
            } => {
                let failed = StepFailed {
                    order_id: self.order_id,
                    buyer_id: buyer_id.clone(),
                    step: Step::Payment,
                    entity: self.order_id.to_string(),
                    amount: amount.get(),
                    refusal: Refusal::PaymentExpired,
                    order: order.clone(),
                };
                return Some((plan::row(Step::Payment).refused, to_vec(&failed)));
            }
            What::Accepted(_)
            | What::AcceptedLate { .. }
            | What::GivenBack { .. }
            | What::Kept { .. }
            | What::Missing { .. }
            | What::PaymentNamed { .. }
            | What::CancelRequested => return None,
        };
        Some((kind, to_vec(order)))
    }
}

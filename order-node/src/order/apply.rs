//! How what happened moves the state. Total: what is not legal from here changes nothing.

use messages::{
    EntityId, Refusal, Timestamp,
    order::{Step, View},
};

use super::{
    change::{Acceptance, Change, What},
    state::{Failure, Line, State},
    transition::{Heard, Move, Phase},
    wish::Wish,
};
use crate::plan;

impl State {
    /// The order that a placement makes.
    pub(super) fn placed(
        order: &View,
        wish: &Wish,
        deadline_at: Timestamp,
        traceparent: Option<&String>,
        at: Timestamp,
    ) -> Self {
        let lines = order.items.iter();
        let mut state = Self {
            id: order.id,
            code: order.code.clone(),
            buyer_id: order.buyer_id.clone(),
            phase: Phase::Pending,
            failure: None,
            attempt: 1,
            wish: wish.clone(),
            lines: lines
                .map(|item| Line::new(item.product_id, item.quantity))
                .collect(),
            points_used: None,
            discount: None,
            parts: Vec::new(),
            traceparent: traceparent.cloned(),
            deadline_at,
            created_at: at,
            updated_at: at,
        };
        state.ask();
        state
    }

    /// The order that is turned away instead: what it would have asked for counts as refused.
    pub(super) fn turned_away(
        order: &View,
        wish: &Wish,
        product: &EntityId,
        refusal: &Refusal,
        traceparent: Option<&String>,
        at: Timestamp,
    ) -> Self {
        let mut state = Self::placed(order, wish, at, traceparent, at);
        state.refuse_all();
        state.refused(product, refusal);
        state.go(Move::Fail);
        state
    }

    /// Applies a change to an order that was placed.
    pub(super) fn apply(&mut self, change: &Change, at: Timestamp) {
        self.updated_at = at;
        let attempt = change.attempt;
        match &change.what {
            What::Placed { .. } | What::TurnedAway { .. } => {}
            What::Accepted(acceptance) => self.accepted(acceptance, attempt),
            What::Refused {
                step,
                entity,
                refusal,
                resent,
                ..
            } => {
                self.move_part(*step, entity, attempt, Heard::Refused { resent: *resent });
                self.refused(entity, refusal);
            }
            What::AcceptedLate {
                step,
                entity,
                amount,
            } => self.accepted_late(*step, entity, attempt, *amount),
            What::GivenBack { step, entity, .. } => {
                self.given_back(*step, entity, attempt);
            }
            What::Kept {
                step,
                entity,
                refusal,
                times,
            } => self.kept(*step, entity, attempt, *times, refusal),
            What::Missing {
                step,
                entity,
                refusal,
                times,
            } => self.missing(*step, entity, attempt, *times, refusal),
            What::PaymentNamed {
                imp_uid,
                price,
                deadline_at,
            } => {
                self.failure = None;
                self.deadline_at = *deadline_at;
                self.name_payment(imp_uid, *price);
                self.move_part(Step::Payment, &self.id.entity(), attempt, Heard::Asked);
            }
            What::Unpaid { amount, .. } => self.close_payment(attempt, amount.get()),
            What::Confirmed { last, .. } => {
                if let Some(acceptance) = last {
                    self.accepted(acceptance, attempt);
                }
                self.go(Move::Confirm);
            }
            What::Failed { refusal, .. } => {
                self.go(Move::Fail);
                self.give_back_all();
                let line = self.failure.as_ref().and_then(|failure| failure.line);
                self.failure = Some(Failure {
                    line,
                    refusal: refusal.clone(),
                });
            }
            What::CancelRequested => {
                self.go(Move::Cancel);
                self.failure = None;
            }
            What::Cancelled { .. } => self.go(Move::Undone),
            What::Retried {
                deadline_at,
                pay_until,
                traceparent,
                ..
            } => {
                self.go(Move::Retry);
                self.attempt = attempt;
                if let (Some(payment), Some(until)) = (&mut self.wish.payment, pay_until) {
                    payment.wait(*until);
                }
                self.deadline_at = *deadline_at;
                if traceparent.is_some() {
                    self.traceparent.clone_from(traceparent);
                }
                self.forget();
            }
        }
        match self.phase {
            Phase::Pending => self.ask(),
            Phase::Cancelling => self.undo(),
            Phase::Confirmed | Phase::Failed | Phase::Cancelled => {}
        }
    }

    fn accepted(&mut self, acceptance: &Acceptance, attempt: u32) {
        let Acceptance {
            step,
            entity,
            brought,
            ..
        } = acceptance;
        if let Some(part) = self.move_part(*step, entity, attempt, Heard::Accepted) {
            let part = part.clone();
            (plan::row(*step).brings)(self, &part, brought);
        }
    }

    pub(super) fn go(&mut self, step: Move) {
        if let Some(phase) = self.phase.after(step) {
            self.phase = phase;
        }
    }
}

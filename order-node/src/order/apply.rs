//! How what happened moves the state. Total: what is not legal from here changes nothing.

use messages::{
    EntityId, Money, Refusal, Timestamp,
    order::{Step, View},
};
use node::table::Touch;

use super::{
    change::{Change, What},
    part::Part,
    state::{Failure, Line, State},
    transition::{Heard, Hold, Move, Phase},
    wish::{Payment, Wish},
};
use crate::plan::{self, Next};

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

    /// Applies a change to an order that was placed.
    pub(super) fn apply(&mut self, change: &Change, at: Timestamp) {
        self.updated_at = at;
        let attempt = change.attempt;
        match &change.what {
            What::Placed { .. } => {}
            What::Accepted {
                step,
                entity,
                brought,
                ..
            } => {
                if let Some(part) = self.move_part(*step, entity, attempt, Heard::Accepted) {
                    let part = part.clone();
                    (plan::row(*step).brings)(self, &part, brought);
                }
            }
            What::Refused {
                step,
                entity,
                refusal,
                resent,
                ..
            } => {
                self.move_part(*step, entity, attempt, Heard::Refused { resent: *resent });
                self.refused(*step, entity, refusal);
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
            What::PaymentNamed {
                imp_uid,
                price,
                deadline_at,
            } => {
                self.failure = None;
                self.deadline_at = *deadline_at;
                self.name_payment(imp_uid, *price);
            }
            What::Unpaid { amount, .. } => {
                let (entity, amount) = (self.id.entity(), amount.get());
                let mut part = Part::new(Step::Payment, entity, attempt, amount);
                part.hold = Hold::Releasing;
                self.parts.push(part);
            }
            What::Confirmed { .. } => self.go(Move::Confirm),
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
                    payment.wait(attempt, *until);
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

    /// Asks for what comes next, once every answer is there that this rests on.
    fn ask(&mut self) {
        if let Next::Ask(parts) = plan::next(self) {
            self.parts.extend(parts);
        }
    }

    /// Gives back what a cancel gives back now: first what may be refused, then all the rest.
    fn undo(&mut self) {
        let may_refuse = |part: &Part| plan::row(part.step).undo.may_refuse();
        let first = self.parts.iter().any(|p| may_refuse(p) && p.is_ours());
        for part in &mut self.parts {
            if (!first || may_refuse(part)) && !part.late {
                part.give_back();
            }
        }
    }

    /// Forgets what an attempt has brought, before another.
    pub(super) fn forget(&mut self) {
        self.failure = None;
        self.points_used = None;
        self.discount = None;
        self.parts.retain(|part| part.late);
        for line in &mut self.lines {
            *line = Line::new(line.product_id, line.quantity);
        }
    }

    /// Which lines a change has touched: a line's row tells of its part of the stock too.
    pub(super) fn touches(&self, change: &Change) -> Touch {
        match &change.what {
            What::Placed { .. }
            | What::Failed { .. }
            | What::CancelRequested
            | What::Retried { .. } => Touch::All,
            // Behind what may refuse to be undone, everything else is.
            What::GivenBack { step, .. } if plan::row(*step).undo.may_refuse() => Touch::All,
            What::Accepted { step, entity, .. }
            | What::Refused { step, entity, .. }
            | What::AcceptedLate { step, entity, .. }
            | What::GivenBack { step, entity, .. } => Some(entity)
                .filter(|_| *step == Step::Stock)
                .and_then(|product| self.line_of(product))
                .and_then(|number| i64::try_from(number).ok())
                .map_or(Touch::None, Touch::One),
            What::Kept { .. }
            | What::PaymentNamed { .. }
            | What::Unpaid { .. }
            | What::Confirmed { .. }
            | What::Cancelled { .. } => Touch::None,
        }
    }

    /// Moves a part; `None` where there is no such part.
    fn move_part(
        &mut self,
        step: Step,
        entity: &EntityId,
        attempt: u32,
        heard: Heard,
    ) -> Option<&mut Part> {
        let mut parts = self.parts.iter_mut();
        let part = parts.find(|part| part.is(step, entity, attempt))?;
        if let Some(hold) = part.hold.after(heard) {
            part.hold = hold;
        }
        Some(part)
    }

    fn accepted_late(&mut self, step: Step, entity: &EntityId, attempt: u32, amount: i64) {
        if let Some(part) = self.move_part(step, entity, attempt, Heard::Accepted) {
            part.late = true;
            return;
        }
        let mut part = Part::new(step, entity.clone(), attempt, amount);
        (part.hold, part.late) = (Hold::Releasing, true);
        self.parts.push(part);
        self.sort();
    }

    /// Where a cancel was refused and its payment is given back all the same, the cancel goes on.
    fn given_back(&mut self, step: Step, entity: &EntityId, attempt: u32) {
        let kept = self.part(step, entity, attempt);
        let kept = kept.is_some_and(|part| part.hold == Hold::Kept && !part.late);
        self.move_part(step, entity, attempt, Heard::GivenBack);
        if kept && self.phase == Phase::Confirmed {
            self.go(Move::Cancel);
            self.failure = None;
        }
    }

    /// Where a cancel is refused, the order stays as it was.
    fn kept(&mut self, step: Step, entity: &EntityId, attempt: u32, times: u32, why: &Refusal) {
        if let Some(part) = self.move_part(step, entity, attempt, Heard::Kept) {
            part.kept = times;
            if !part.late && self.phase == Phase::Cancelling {
                self.go(Move::Keep);
                self.failure = Some(Failure {
                    line: None,
                    refusal: why.clone(),
                });
            }
        }
    }

    fn name_payment(&mut self, named: &str, paid: Money) {
        if let Some(Payment::External { imp_uid, price, .. }) = &mut self.wish.payment {
            *imp_uid = Some(named.to_owned());
            *price = Some(paid);
        }
    }

    /// Brings the parts into the order in which a row of the table is read.
    pub(super) fn sort(&mut self) {
        self.parts.sort_by_key(|part| (part.attempt, part.step));
    }

    /// The first line's word counts, whichever answer came first. A payment that the gateway does
    /// not know fails nothing: another may be named, and is asked for under ids of its own.
    fn refused(&mut self, step: Step, entity: &EntityId, refusal: &Refusal) {
        let line = self.line_of(entity).and_then(|n| u32::try_from(n).ok());
        let first = self.failure.as_ref().is_none_or(|f| line < f.line);
        if first {
            self.failure = Some(Failure {
                line,
                refusal: refusal.clone(),
            });
        }
        if let (Step::Payment, Refusal::PaymentNotFound, Some(payment)) =
            (step, refusal, &mut self.wish.payment)
            && let Payment::External { attempt, until, .. } = payment
        {
            let (next, until) = (*attempt + 1, *until);
            payment.wait(next, until);
        }
    }

    fn go(&mut self, step: Move) {
        if let Some(phase) = self.phase.after(step) {
            self.phase = phase;
        }
    }

    fn give_back_all(&mut self) {
        self.parts.iter_mut().for_each(Part::give_back);
    }
}

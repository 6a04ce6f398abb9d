//! How what an order holds changes: asked for, taken, refused, given back or kept.
//!
//! Every move of a part is one of `transition.rs`; what the order as a whole makes of it is here.

use messages::{EntityId, Money, Refusal, order::Step};

use super::{
    part::Part,
    state::{Failure, Line, State},
    transition::{Heard, Hold, Move, Phase},
    wish::Payment,
};
use crate::plan::{self, Next};

impl State {
    /// Asks for what comes next, once every answer is there that this rests on.
    pub(super) fn ask(&mut self) {
        if let Next::Ask(parts) = plan::next(self) {
            self.parts.extend(parts);
        }
    }

    /// Gives back what a cancel gives back now: first what may be refused, then all the rest.
    pub(super) fn undo(&mut self) {
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

    /// Moves a part; `None` where there is no such part.
    pub(super) fn move_part(
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

    pub(super) fn accepted_late(
        &mut self,
        step: Step,
        entity: &EntityId,
        attempt: u32,
        amount: i64,
    ) {
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
    pub(super) fn given_back(&mut self, step: Step, entity: &EntityId, attempt: u32) {
        let kept = self.part(step, entity, attempt);
        let kept = kept.is_some_and(|part| part.hold == Hold::Kept && !part.late);
        self.move_part(step, entity, attempt, Heard::GivenBack);
        if kept && self.phase == Phase::Confirmed {
            self.go(Move::Cancel);
            self.failure = None;
        }
    }

    /// Where a cancel is refused, the order stays as it was.
    pub(super) fn kept(
        &mut self,
        step: Step,
        entity: &EntityId,
        attempt: u32,
        times: u32,
        why: &Refusal,
    ) {
        if let Some(part) = self.move_part(step, entity, attempt, Heard::Kept) {
            part.refusals = times;
            if !part.late && self.phase == Phase::Cancelling {
                self.go(Move::Keep);
                self.failure = Some(Failure {
                    line: None,
                    refusal: why.clone(),
                });
            }
        }
    }

    /// What the gateway does not know fails nothing: the customer may name another.
    pub(super) fn missing(
        &mut self,
        step: Step,
        entity: &EntityId,
        attempt: u32,
        times: u32,
        why: &Refusal,
    ) {
        let refused = Heard::Refused { resent: false };
        if let Some(part) = self.move_part(step, entity, attempt, refused) {
            part.refusals = times;
        }
        self.failure = Some(Failure {
            line: None,
            refusal: why.clone(),
        });
        if let Some(payment) = &mut self.wish.payment
            && let Payment::External { until, .. } = payment
        {
            let until = *until;
            payment.wait(until);
        }
    }

    /// Counts as asked for: what comes all the same is given back, now that the order fails.
    pub(super) fn close_payment(&mut self, attempt: u32, amount: i64) {
        let entity = self.id.entity();
        let asked = self.move_part(Step::Payment, &entity, attempt, Heard::Asked);
        if asked.is_none() {
            let part = Part::new(Step::Payment, entity, attempt, amount);
            self.parts.push(part);
        }
    }

    pub(super) fn name_payment(&mut self, named: &str, paid: Money) {
        if let Some(Payment::External { imp_uid, price, .. }) = &mut self.wish.payment {
            *imp_uid = Some(named.to_owned());
            *price = Some(paid);
        }
    }

    /// Brings the parts into the order in which a row of the table is read.
    pub(super) fn sort(&mut self) {
        self.parts.sort_by_key(|part| (part.attempt, part.step));
    }

    /// The first line's word counts, whichever answer came first.
    pub(super) fn refused(&mut self, entity: &EntityId, refusal: &Refusal) {
        let line = self.line_of(entity).and_then(|n| u32::try_from(n).ok());
        let first = self.failure.as_ref().is_none_or(|f| line < f.line);
        if first {
            self.failure = Some(Failure {
                line,
                refusal: refusal.clone(),
            });
        }
    }

    /// Nothing was asked for, and nothing will come.
    pub(super) fn refuse_all(&mut self) {
        for part in &mut self.parts {
            if let Some(hold) = part.hold.after(Heard::Refused { resent: false }) {
                part.hold = hold;
            }
        }
    }

    pub(super) fn give_back_all(&mut self) {
        self.parts.iter_mut().for_each(Part::give_back);
    }
}

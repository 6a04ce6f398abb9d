//! How what happened moves the state. Total: what is not legal from here changes nothing.

use messages::{EntityId, Refusal, Timestamp, order::Step, order::View};
use node::table::Touch;

use super::{
    change::{Change, What},
    part::Part,
    state::{Failure, Line, State},
    transition::{Heard, Hold, Move, Phase},
};
use crate::plan::{self, Next};

impl State {
    /// The order that a placement makes.
    pub(super) fn placed(
        order: &View,
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
            lines: lines
                .map(|item| Line::new(item.product_id, item.quantity))
                .collect(),
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
                self.refused(entity, refusal);
            }
            What::AcceptedLate {
                step,
                entity,
                amount,
            } => self.accepted_late(*step, entity, attempt, *amount),
            What::GivenBack { step, entity, .. } => {
                self.move_part(*step, entity, attempt, Heard::GivenBack);
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
                self.give_back_all();
            }
            What::Cancelled { .. } => self.go(Move::Undone),
            What::Retried {
                deadline_at,
                traceparent,
                ..
            } => {
                self.go(Move::Retry);
                self.attempt = attempt;
                self.deadline_at = *deadline_at;
                if traceparent.is_some() {
                    self.traceparent.clone_from(traceparent);
                }
                self.forget();
            }
        }
        self.ask();
    }

    /// Asks for what comes next, once every answer is there that this rests on.
    fn ask(&mut self) {
        if self.phase == Phase::Pending
            && let Next::Ask(parts) = plan::next(self)
        {
            self.parts.extend(parts);
        }
    }

    /// Forgets what an attempt has brought, before another.
    pub(super) fn forget(&mut self) {
        self.failure = None;
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
            What::Accepted { step, entity, .. }
            | What::Refused { step, entity, .. }
            | What::AcceptedLate { step, entity, .. }
            | What::GivenBack { step, entity, .. } => Some(entity)
                .filter(|_| *step == Step::Stock)
                .and_then(|product| self.line_of(product))
                .and_then(|number| i64::try_from(number).ok())
                .map_or(Touch::None, Touch::One),
            What::Confirmed { .. } | What::Cancelled { .. } => Touch::None,
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
        self.parts.push(Part {
            step,
            entity: entity.clone(),
            attempt,
            amount,
            hold: Hold::Releasing,
            late: true,
        });
        self.sort();
    }

    /// Brings the parts into the order in which a row of the table is read.
    pub(super) fn sort(&mut self) {
        self.parts.sort_by_key(|part| (part.attempt, part.step));
    }

    /// The first line's word counts, whichever answer came first.
    fn refused(&mut self, entity: &EntityId, refusal: &Refusal) {
        let line = self.line_of(entity).and_then(|n| u32::try_from(n).ok());
        let first = self.failure.as_ref().is_none_or(|f| line < f.line);
        if first {
            self.failure = Some(Failure {
                line,
                refusal: refusal.clone(),
            });
        }
    }

    fn go(&mut self, step: Move) {
        if let Some(phase) = self.phase.after(step) {
            self.phase = phase;
        }
    }

    fn give_back_all(&mut self) {
        for part in &mut self.parts {
            if let Some(hold) = part.hold.after(Heard::Unwanted) {
                part.hold = hold;
            }
        }
    }
}

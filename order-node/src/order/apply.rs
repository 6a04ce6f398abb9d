//! How what happened moves the state. Total: what is not legal from here changes nothing.

use messages::{ProductId, Timestamp, order::View};

use super::{
    change::{Change, What},
    state::{Amounts, Failure, Line, State, Stray},
    transition::{Heard, Hold, Move, Phase},
};

impl State {
    /// The order that a placement makes.
    pub(super) fn placed(
        order: &View,
        deadline_at: Timestamp,
        traceparent: Option<&String>,
        at: Timestamp,
    ) -> Self {
        let lines = order.items.iter().map(|item| Line {
            product_id: item.product_id,
            quantity: item.quantity,
            name: None,
            unit_price: None,
            hold: Hold::Asked,
        });
        Self {
            id: order.id,
            code: order.code.clone(),
            buyer_id: order.buyer_id.clone(),
            phase: Phase::Pending,
            failure: None,
            attempt: 1,
            amounts: None,
            strays: Vec::new(),
            traceparent: traceparent.cloned(),
            deadline_at,
            created_at: at,
            updated_at: at,
            lines: lines.collect(),
        }
    }

    /// Applies a change to an order that was placed.
    pub(super) fn apply(&mut self, change: &Change, at: Timestamp) {
        self.updated_at = at;
        match &change.what {
            What::Placed { .. } => {}
            What::Reserved {
                product_id,
                name,
                unit_price,
                ..
            } => {
                self.hear(*product_id, Heard::Accepted);
                if let Some(line) = self.line_mut(*product_id) {
                    line.name = Some(name.clone());
                    line.unit_price = Some(*unit_price);
                }
            }
            What::Refused {
                product_id,
                refusal,
                resent,
                ..
            } => {
                self.hear(*product_id, Heard::Refused { resent: *resent });
                let line = self.line(*product_id).and_then(|n| u32::try_from(n).ok());
                let first = self.failure.as_ref().is_none_or(|f| line < f.line);
                if first {
                    self.failure = Some(Failure {
                        line,
                        refusal: refusal.clone(),
                    });
                }
            }
            What::AcceptedLate { product_id } => self.hear(*product_id, Heard::Accepted),
            What::Released { product_id } | What::ReleaseRefused { product_id, .. } => {
                self.hear(*product_id, Heard::GivenBack);
            }
            What::Confirmed { order } => {
                self.go(Move::Confirm);
                self.amounts = amounts(order);
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
                self.give_back_all();
            }
            What::Cancelled { .. } => self.go(Move::Undone),
            What::Retried {
                deadline_at,
                traceparent,
                ..
            } => {
                self.go(Move::Retry);
                self.attempt = change.attempt;
                self.deadline_at = *deadline_at;
                if traceparent.is_some() {
                    self.traceparent.clone_from(traceparent);
                }
                self.failure = None;
                self.amounts = None;
                for line in &mut self.lines {
                    line.hold = Hold::Asked;
                    line.name = None;
                    line.unit_price = None;
                }
            }
            What::StrayAccepted {
                product_id,
                quantity,
            } => self.strays.push(Stray {
                product_id: *product_id,
                quantity: *quantity,
                attempt: change.attempt,
                released: false,
            }),
            What::StrayReleased { product_id, .. } => {
                if let Some(stray) = self.stray_mut(*product_id, change.attempt) {
                    stray.released = true;
                }
            }
        }
    }

    /// The number of the line of this product.
    pub(super) fn line(&self, product: ProductId) -> Option<usize> {
        self.lines
            .iter()
            .position(|line| line.product_id == product)
    }

    fn line_mut(&mut self, product: ProductId) -> Option<&mut Line> {
        self.lines
            .iter_mut()
            .find(|line| line.product_id == product)
    }

    fn stray_mut(&mut self, product: ProductId, attempt: u32) -> Option<&mut Stray> {
        self.strays
            .iter_mut()
            .find(|stray| stray.product_id == product && stray.attempt == attempt)
    }

    fn go(&mut self, step: Move) {
        if let Some(phase) = self.phase.after(step) {
            self.phase = phase;
        }
    }

    fn hear(&mut self, product: ProductId, heard: Heard) {
        if let Some(line) = self.line_mut(product)
            && let Some(hold) = line.hold.after(heard)
        {
            line.hold = hold;
        }
    }

    fn give_back_all(&mut self) {
        for line in &mut self.lines {
            if let Some(hold) = line.hold.after(Heard::Unwanted) {
                line.hold = hold;
            }
        }
    }
}

fn amounts(order: &View) -> Option<Amounts> {
    Some(Amounts {
        subtotal: order.subtotal?,
        discount: order.discount?,
        points_used: order.points_used?,
        amount_due: order.amount_due?,
    })
}

//! Where a participant's answer is judged: by the order's state, never by a lookup of its
//! request id, since all lines share one and a refusal may be followed by a late acceptance.

use messages::{
    OrderId, ProductId, Refusal, RequestId, Timestamp,
    order::{Status, View},
    product::{Answer, Reply, Reserved},
};
use node::entity::Context;

use super::{
    change::{Change, What},
    state::{Line, State, Stray},
    transition::{Heard, Hold, Phase},
};
use crate::plan;

/// What an answer answers, read from the request id that it carries.
enum Asked {
    Reserve(u32),
    Release(u32),
}

impl State {
    /// Decides what a product's answer changes; what is known already, or was never asked,
    /// changes nothing.
    pub(super) fn hear_product(
        &self,
        answer: &Answer,
        context: &Context<'_, Change>,
    ) -> Vec<Change> {
        let product = context.source.and_then(|id| id.as_str().parse().ok());
        let Some(number) = product.and_then(|product: ProductId| self.line(product)) else {
            return vec![];
        };
        let line = &self.lines[number];
        let first = match (asked(self.id, context.request_id), answer) {
            (Some(Asked::Reserve(attempt)), answer) if attempt != self.attempt => {
                self.hear_stray(line, attempt, answer)
            }
            (Some(Asked::Release(attempt)), answer) if attempt != self.attempt => {
                self.hear_stray_release(line.product_id, attempt, answer)
            }
            (Some(Asked::Reserve(_)), Ok(Reply::Reserved(reserved))) => {
                self.hear_reserved(line, reserved)
            }
            (Some(Asked::Reserve(_)), Err(refusal)) => {
                self.hear_refused(line, refusal, context.resent)
            }
            (Some(Asked::Release(_)), Ok(Reply::Released(_))) => self.hear_released(line, None),
            (Some(Asked::Release(_)), Err(refusal)) => self.hear_released(line, Some(refusal)),
            _ => None,
        };
        first.map_or_else(Vec::new, |first| self.and_what_follows(first, context.now))
    }

    fn hear_reserved(&self, line: &Line, reserved: &Reserved) -> Option<Change> {
        let product_id = line.product_id;
        let what = match line.hold.after(Heard::Accepted)? {
            Hold::Held => What::Reserved {
                product_id,
                quantity: line.quantity,
                name: reserved.name.clone(),
                unit_price: reserved.unit_price,
            },
            _ => What::AcceptedLate { product_id },
        };
        Some(self.change(what))
    }

    fn hear_refused(&self, line: &Line, refusal: &Refusal, resent: bool) -> Option<Change> {
        line.hold.after(Heard::Refused { resent })?;
        Some(self.change(What::Refused {
            step: plan::STOCK.to_owned(),
            product_id: line.product_id,
            quantity: line.quantity,
            buyer_id: self.buyer_id.clone(),
            refusal: refusal.clone(),
            resent,
        }))
    }

    fn hear_released(&self, line: &Line, refusal: Option<&Refusal>) -> Option<Change> {
        line.hold.after(Heard::GivenBack)?;
        let product_id = line.product_id;
        Some(self.change(match refusal {
            None => What::Released { product_id },
            // To keep asking would be refused for ever: the audit finds what is missing.
            Some(refusal) => What::ReleaseRefused {
                product_id,
                refusal: refusal.clone(),
            },
        }))
    }

    /// An answer to a reserve of an attempt that is over: what it took is given back.
    fn hear_stray(&self, line: &Line, attempt: u32, answer: &Answer) -> Option<Change> {
        let known = |stray: &Stray| stray.product_id == line.product_id && stray.attempt == attempt;
        let taken = matches!(answer, Ok(Reply::Reserved(_)));
        if !taken || attempt > self.attempt || self.strays.iter().any(known) {
            return None;
        }
        Some(Change {
            attempt,
            ..self.change(What::StrayAccepted {
                product_id: line.product_id,
                quantity: line.quantity,
            })
        })
    }

    fn hear_stray_release(
        &self,
        product_id: ProductId,
        attempt: u32,
        answer: &Answer,
    ) -> Option<Change> {
        let refusal = match answer {
            Ok(Reply::Released(_)) => None,
            Err(refusal) => Some(refusal.clone()),
            Ok(_) => return None,
        };
        self.strays.iter().find(|stray| {
            stray.product_id == product_id && stray.attempt == attempt && !stray.released
        })?;
        Some(Change {
            attempt,
            ..self.change(What::StrayReleased {
                product_id,
                refusal,
            })
        })
    }

    /// A change and, on the state after it, the move that it makes possible.
    fn and_what_follows(&self, first: Change, now: Timestamp) -> Vec<Change> {
        let mut after = self.clone();
        after.apply(&first, now);
        let all = |test: fn(Hold) -> bool| {
            plan::PLAN
                .iter()
                .all(|step| (step.parts)(&after).iter().all(|part| test(part.hold)))
        };
        let next = match after.phase {
            Phase::Pending if all(|hold| hold != Hold::Asked) => Some(after.conclude(now)),
            Phase::Cancelling if all(|hold| hold == Hold::Released) => {
                let order = View {
                    status: Status::Cancelled,
                    cancelling: false,
                    updated_at: now,
                    ..after.view()
                };
                Some(after.change(What::Cancelled { order }))
            }
            _ => None,
        };
        std::iter::once(first).chain(next).collect()
    }
}

/// What this request id asked of a participant, and in which attempt of this order.
fn asked(order: OrderId, request_id: &RequestId) -> Option<Asked> {
    let (kind, rest) = request_id.as_str().split_at_checked(4)?;
    let rest = rest.strip_prefix(&order.to_string())?;
    let attempt = match rest.strip_prefix('-') {
        None if rest.is_empty() => 1,
        None => return None,
        Some(attempt) => attempt.parse().ok()?,
    };
    match kind {
        "DEC-" => Some(Asked::Reserve(attempt)),
        "INC-" => Some(Asked::Release(attempt)),
        _ => None,
    }
}

//! Where a participant's answer is judged: by the order's state, never by a lookup of its
//! request id, since all lines share one and a refusal may be followed by a late acceptance.

use messages::{
    EntityId, OrderId, Refusal, RequestId, Timestamp,
    order::{Command, Status, Step, View},
};
use node::entity::Context;

use super::{
    change::{Acceptance, Change, What},
    part::{Brought, Part},
    state::State,
    transition::{Heard, Hold, Phase},
};
use crate::plan::{self, Said};

/// What an answer answers, read from the request id that it carries.
enum Asked {
    Reserve(u32),
    Release(u32),
}

impl State {
    /// Decides what a participant's answer changes; what is known already, or was never asked,
    /// changes nothing.
    pub(super) fn hear(&self, command: &Command, context: &Context<'_, Change>) -> Vec<Change> {
        let first = || {
            let (step, said) = plan::heard(command)?;
            let entity = context.source?;
            let asked = asked(self.id, context.request_id)?;
            let (Asked::Reserve(attempt) | Asked::Release(attempt)) = asked;
            let part = self.part(step, entity, attempt);
            let what = match (asked, said) {
                (Asked::Reserve(_), Said::Taken(amount, brought)) => match part {
                    Some(part) => accepted(part, brought),
                    None if attempt < self.attempt => Some(late(step, entity, amount)),
                    None => None,
                },
                (Asked::Reserve(_), Said::Refused(refusal)) => {
                    self.refused_by(part?, refusal, context.resent)
                }
                (Asked::Reserve(_), Said::Missing(refusal)) => missing(part?, refusal),
                (Asked::Release(_), Said::GivenBack) => given_back(part?, None),
                (Asked::Release(_), Said::Refused(refusal)) => {
                    if plan::row(step).undo.may_refuse() {
                        kept(part?, refusal)
                    } else {
                        given_back(part?, Some(refusal))
                    }
                }
                (Asked::Reserve(_), Said::GivenBack)
                | (Asked::Release(_), Said::Taken(..) | Said::Missing(_)) => None,
            };
            Some(Change {
                attempt,
                ..self.change(what?)
            })
        };
        first().map_or_else(Vec::new, |first| self.and_what_follows(first, context.now))
    }

    fn refused_by(&self, part: &Part, refusal: Refusal, resent: bool) -> Option<What> {
        part.hold.after(Heard::Refused { resent })?;
        Some(What::Refused {
            step: part.step,
            entity: part.entity.clone(),
            amount: part.amount,
            buyer_id: self.buyer_id.clone(),
            refusal,
            resent,
            order: Some(self.view_of(part)),
        })
    }

    /// The order as it stands, with the lines that this part is for.
    fn view_of(&self, part: &Part) -> View {
        let mut view = self.view();
        if part.step == Step::Stock {
            let line = self.line_of(&part.entity);
            let line = line.and_then(|number| view.items.get(number).cloned());
            view.items = line.into_iter().collect();
        }
        view
    }

    /// A change and, on the state after it, the move that it makes possible. What is accepted last
    /// and confirms the order is one change with that: two rows would say the same twice.
    fn and_what_follows(&self, first: Change, now: Timestamp) -> Vec<Change> {
        let mut after = self.clone();
        after.apply(&first, now);
        let next = match after.phase {
            Phase::Pending => after.conclude(now),
            Phase::Cancelling if after.holds_nothing() => {
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
        match (first, next) {
            (
                Change {
                    attempt,
                    what: What::Accepted(acceptance),
                    ..
                },
                Some(Change {
                    what: What::Confirmed { order, .. },
                    ..
                }),
            ) if attempt == self.attempt => vec![self.change(What::Confirmed {
                order,
                last: Some(acceptance),
            })],
            (first, next) => std::iter::once(first).chain(next).collect(),
        }
    }

    fn holds_nothing(&self) -> bool {
        let ours = |part: &Part| part.is_ours() || part.hold == Hold::Releasing;
        !self.parts.iter().any(ours)
    }
}

fn accepted(part: &Part, brought: Brought) -> Option<What> {
    match part.hold.after(Heard::Accepted)? {
        Hold::Held => Some(What::Accepted(Acceptance {
            step: part.step,
            entity: part.entity.clone(),
            amount: part.amount,
            brought,
        })),
        _ => Some(late(part.step, &part.entity, part.amount)),
    }
}

fn late(step: Step, entity: &EntityId, amount: i64) -> What {
    What::AcceptedLate {
        step,
        entity: entity.clone(),
        amount,
    }
}

fn kept(part: &Part, refusal: Refusal) -> Option<What> {
    part.hold.after(Heard::Kept)?;
    Some(What::Kept {
        step: part.step,
        entity: part.entity.clone(),
        times: part.refusals + 1,
        refusal,
    })
}

/// Whatever copies of the request are under way, the payment looks for one payment at a time.
fn missing(part: &Part, refusal: Refusal) -> Option<What> {
    part.hold.after(Heard::Refused { resent: false })?;
    Some(What::Missing {
        step: part.step,
        entity: part.entity.clone(),
        times: part.refusals + 1,
        refusal,
    })
}

/// To keep asking where a release is refused would be refused for ever: the audit finds what is
/// missing.
fn given_back(part: &Part, refusal: Option<Refusal>) -> Option<What> {
    part.hold.after(Heard::GivenBack)?;
    Some(What::GivenBack {
        step: part.step,
        entity: part.entity.clone(),
        late: part.late,
        refusal,
    })
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

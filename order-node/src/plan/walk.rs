//! How the plan is walked: which parts come next, what is owed, whose an answer is.
//!
//! Knows rows, and no step by its name.

use messages::{
    Refusal, RequestId,
    order::{Command, Step},
};
use node::entity::Outgoing;

use super::{PLAN, Said, Want, Wants, row};
use crate::order::{Hold, Part, State};

/// Where the saga of a pending order goes on.
pub(crate) enum Next {
    /// It asks for these parts.
    Ask(Vec<Part>),
    /// It waits for answers.
    Hear,
    /// It waits for its customer.
    Wait,
    /// It has ended: everything is held.
    Confirm,
    /// It has ended: for this, or, where nothing is said, for what was refused.
    Fail(Option<Refusal>),
}

/// Where the saga goes on, judged by what the order wants and holds.
pub(crate) fn next(order: &State) -> Next {
    if order.parts.iter().any(|part| part.hold == Hold::Asked) {
        return Next::Hear;
    }
    for row in &PLAN {
        let wants = match (row.wants)(order) {
            Ok(Wants::Parts(wants)) => wants,
            Ok(Wants::Later) => return Next::Wait,
            Err(refusal) => return Next::Fail(Some(refusal)),
        };
        let mut missing = Vec::new();
        for want in wants {
            let part = order.part(row.step, &want.entity, want.attempt);
            match part.map(|part| part.hold) {
                None => missing.push(asked(row.step, want)),
                Some(Hold::Held) => {}
                Some(_) => return Next::Fail(None),
            }
        }
        if !missing.is_empty() {
            return Next::Ask(missing);
        }
    }
    Next::Confirm
}

/// What an order owes: each part that it has asked for and knows no answer to, and each that it
/// gives back.
pub(crate) fn owes(order: &State) -> Vec<Outgoing> {
    let owed = order.parts.iter().filter_map(|part| {
        let row = row(part.step);
        let (request_id, body) = match part.hold {
            Hold::Asked => (
                RequestId::reserve(order.id, part.attempt),
                (row.take)(order, part),
            ),
            Hold::Releasing => (
                RequestId::release(order.id, part.attempt),
                row.undo.command()(order, part),
            ),
            Hold::Held | Hold::Refused | Hold::Released | Hold::Kept => return None,
        };
        Some(Outgoing {
            request_id,
            service: row.of,
            entity: part.entity.clone(),
            again: part.refusals,
            body,
            traceparent: order.traceparent.clone(),
        })
    });
    owed.collect()
}

/// What an answer says, and of which step.
pub(crate) fn heard(command: &Command) -> Option<(Step, Said)> {
    PLAN.iter()
        .find_map(|row| Some((row.step, (row.hears)(command)?)))
}

fn asked(step: Step, want: Want) -> Part {
    Part::new(step, want.entity, want.attempt, want.amount)
}

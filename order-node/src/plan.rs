//! The saga's plan: what an order takes, from whom, and what undoes each step.
//!
//! Another participant (points, a coupon, a payment) is another row of [`PLAN`] and the functions
//! that its row names. Where an order moves from row to row: [`crate::order`].

use messages::{
    EntityId, Quantity, RequestId, Service,
    envelope::Raw,
    product::{Command, Release, Reserve},
};
use node::entity::Outgoing;

use crate::order::{Hold, State};

/// The plan, from the first step to the last; the parts of one step are taken side by side.
///
/// Until every row is held, any row is undone by its compensation, and the order fails. Then it
/// is CONFIRMED, and only a cancel undoes it: first what may refuse to be undone, and behind that
/// lies the point of no return. A row whose `undo` is `Always` lies behind it.
#[rustfmt::skip]
pub(crate) const PLAN: [Step; 1] = [
    Step { name: STOCK, of: Service::Product, parts: lines, take: reserve_stock, undo: Undo::Always(release_stock), refused: "product.reserve.failed" },
];

/// The step that product answers belong to.
pub(crate) const STOCK: &str = "stock";

/// One row of the plan.
pub(crate) struct Step {
    /// What it takes.
    pub(crate) name: &'static str,
    /// Whose entities are asked.
    pub(crate) of: Service,
    /// What the order wants of them.
    pub(crate) parts: fn(&State) -> Vec<Part>,
    /// The command that takes a part.
    pub(crate) take: fn(&State, &Part) -> Raw,
    /// What gives it back.
    pub(crate) undo: Undo,
    /// The event that tells of a refusal.
    pub(crate) refused: &'static str,
}

/// The compensation of a step.
pub(crate) enum Undo {
    /// By this command, which is never refused: it is sent until it is answered.
    Always(fn(&State, &Part) -> Raw),
}

/// What an order wants of one entity, or wants to be rid of.
pub(crate) struct Part {
    /// The entity that is asked.
    pub(crate) entity: EntityId,
    /// The attempt that it is taken for, or was taken by.
    pub(crate) attempt: u32,
    /// How much.
    pub(crate) quantity: Quantity,
    /// Where it stands.
    pub(crate) hold: Hold,
}

/// The row of this name.
pub(crate) fn step(name: &str) -> Option<&'static Step> {
    PLAN.iter().find(|step| step.name == name)
}

/// What an order owes: each part that it has asked for and knows no answer to, and each that it
/// gives back.
pub(crate) fn owes(order: &State) -> Vec<Outgoing> {
    let mut owed = Vec::new();
    for step in &PLAN {
        for part in (step.parts)(order) {
            let (request_id, body) = match part.hold {
                Hold::Asked => (
                    RequestId::reserve(order.id, part.attempt),
                    (step.take)(order, &part),
                ),
                Hold::Releasing => (
                    RequestId::release(order.id, part.attempt),
                    match step.undo {
                        Undo::Always(release) => release(order, &part),
                    },
                ),
                Hold::Held | Hold::Refused | Hold::Released => continue,
            };
            owed.push(Outgoing {
                request_id,
                service: step.of,
                entity: part.entity,
                body,
                traceparent: order.traceparent.clone(),
            });
        }
    }
    owed
}

/// Stock is wanted line by line; what an attempt before this one took unwanted is given back.
fn lines(order: &State) -> Vec<Part> {
    let lines = order.lines.iter().map(|line| Part {
        entity: line.product_id.entity(),
        attempt: order.attempt,
        quantity: line.quantity,
        hold: line.hold,
    });
    let strays = order.strays.iter().map(|stray| Part {
        entity: stray.product_id.entity(),
        attempt: stray.attempt,
        quantity: stray.quantity,
        hold: stray.hold(),
    });
    lines.chain(strays).collect()
}

fn reserve_stock(order: &State, part: &Part) -> Raw {
    Raw::of(&Command::Reserve(Reserve {
        order_id: order.id.to_string(),
        quantity: part.quantity,
    }))
}

/// Without a reason: a release that is sent again must say exactly the same.
fn release_stock(order: &State, part: &Part) -> Raw {
    Raw::of(&Command::Release(Release {
        order_id: order.id.to_string(),
        quantity: part.quantity,
        reason: None,
    }))
}

//! The saga's plan: what an order takes, from whom, in which order, and what undoes each step.
//!
//! Another participant is another row of [`PLAN`], and a file that says what the row's words do.
//! How the rows are walked is the same for all (`plan/walk.rs`), and so is where a part stands
//! and how it gets there (`order/transition.rs`).

mod stock;
mod walk;

use messages::{
    EntityId, Refusal, Service,
    envelope::Raw,
    order::{Command, Step},
};

use crate::order::{Brought, Part, State};

pub(crate) use walk::{Next, heard, next, owes};

/// The plan, from the first row to the last.
///
/// The parts of one row are asked side by side, and a row when every row before it is held; what
/// an order does not need is not asked. Until every row is held, any part is given back by its
/// undo, and the order fails. Then the order is CONFIRMED, and a cancel undoes it: first the row
/// that may refuse to be undone, and behind that lies the point of no return.
#[rustfmt::skip]
pub(crate) static PLAN: [Row; 1] = [
    //    what            whose                    which parts          is taken by         is undone by                         its answer             brings                         its refusal is told as
    Row { step: Step::Stock, of: Service::Product, wants: stock::lines, take: stock::reserve, undo: Undo::Always(stock::release), hears: stock::answered, brings: stock::name_and_price, refused: "product.reserve.failed" },
];

/// One row of the plan.
pub(crate) struct Row {
    /// What it takes.
    pub(crate) step: Step,
    /// Whose entities are asked.
    pub(crate) of: Service,
    /// What this order wants of them.
    pub(crate) wants: fn(&State) -> Result<Wants, Refusal>,
    /// The command that takes a part.
    pub(crate) take: fn(&State, &Part) -> Raw,
    /// What gives it back.
    pub(crate) undo: Undo,
    /// What an answer of theirs says; `None` where it is not theirs, or answers neither.
    pub(crate) hears: fn(&Command) -> Option<Said>,
    /// What the order knows more once a part is held.
    pub(crate) brings: fn(&mut State, &Part, &Brought),
    /// The event that tells of a refusal.
    pub(crate) refused: &'static str,
}

/// The compensation of a step.
pub(crate) enum Undo {
    /// By this command, which is never refused: it is sent until it is answered.
    Always(fn(&State, &Part) -> Raw),
}

/// What an order wants of a row.
pub(crate) enum Wants {
    /// These parts; none, where it does not need the row.
    Parts(Vec<Want>),
}

/// What an order wants of one entity.
pub(crate) struct Want {
    /// The entity that is asked.
    pub(crate) entity: EntityId,
    /// The attempt that it is asked in.
    pub(crate) attempt: u32,
    /// How much.
    pub(crate) amount: i64,
}

/// What a participant's answer says.
pub(crate) enum Said {
    /// So much is taken.
    Taken(i64, Brought),
    /// It is given back.
    GivenBack,
    /// It did not do as it was asked.
    Refused(Refusal),
}

/// The row of a step.
pub(crate) fn row(step: Step) -> &'static Row {
    let row = PLAN.iter().find(|row| row.step == step);
    row.expect("every step has its row")
}

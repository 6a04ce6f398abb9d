//! The saga's plan: what an order takes, from whom, in which order, and what undoes each step.
//!
//! Another participant is another row of [`PLAN`], and a file that says what the row's words do.
//! How the rows are walked is the same for all (`plan/walk.rs`), and so is where a part stands
//! and how it gets there (`order/transition.rs`).

mod coupon;
mod payment;
mod points;
mod stock;
mod walk;

use messages::{
    EntityId, Refusal, Service,
    envelope::Raw,
    order::{Command, Step},
};

use self::{
    Step::{Coupon, Payment, Points, Stock},
    Undo::{Always, MayRefuse},
};
use crate::order::{Brought, Part, State};

pub(crate) use walk::{Next, heard, next, owes};

/// The plan, from the first row to the last. Behind it the order is CONFIRMED.
///
/// The parts of one row are asked side by side, and a row when every row before it is held; what
/// an order does not need is not asked. Where a row is refused, what is held is given back by its
/// undo, and the order fails. A confirmed order is undone by a cancel alone: first the row that may
/// refuse to be undone, and behind its answer lies the point of no return.
#[rustfmt::skip]
pub(crate) static PLAN: [Row; 4] = [
    //    takes          these parts            by                        undone by                         brings                         a refusal is told as               whose parts, who answer so
    Row { step: Stock,   wants: stock::lines,   take: stock::reserve,     undo: Always(stock::release),     brings: stock::name_and_price, refused: "product.reserve.failed", of: Service::Product, hears: stock::answered },
    Row { step: Points,  wants: points::wished, take: points::spend,      undo: Always(points::refund),     brings: points::points_used,   refused: "point.use.failed",       of: Service::Point,   hears: points::answered },
    Row { step: Coupon,  wants: coupon::named,  take: coupon::redeem,     undo: Always(coupon::restore),    brings: coupon::discount,      refused: "coupon.use.failed",      of: Service::Coupon,  hears: coupon::answered },
    Row { step: Payment, wants: payment::due,   take: payment::authorise, undo: MayRefuse(payment::cancel), brings: payment::nothing,      refused: "payment.failed",         of: Service::Payment, hears: payment::answered },
];

/// One row of the plan.
pub(crate) struct Row {
    /// What it takes.
    pub(crate) step: Step,
    /// What this order wants of it.
    pub(crate) wants: fn(&State) -> Result<Wants, Refusal>,
    /// The command that takes a part.
    pub(crate) take: fn(&State, &Part) -> Raw,
    /// The command that gives it back.
    pub(crate) undo: Undo,
    /// What the order knows more once a part is held.
    pub(crate) brings: fn(&mut State, &Part, &Brought),
    /// The event that tells of a refusal.
    pub(crate) refused: &'static str,
    /// Whose entities are asked.
    pub(crate) of: Service,
    /// What an answer says; `None` where it is not theirs, or to none of these commands.
    pub(crate) hears: fn(&Command) -> Option<Said>,
}

/// The compensation of a step.
pub(crate) enum Undo {
    /// By this command, which is never refused: it is sent until it is answered.
    Always(fn(&State, &Part) -> Raw),
    /// By this command; where it is refused, a confirmed order stays confirmed. The last row alone
    /// may have it, so that nothing else is undone when it is refused.
    MayRefuse(fn(&State, &Part) -> Raw),
}

/// What an order wants of a row.
pub(crate) enum Wants {
    /// These parts; none, where it does not need the row.
    Parts(Vec<Want>),
    /// Something that its customer has to say first.
    Later,
}

impl Wants {
    /// One part, or none.
    fn part(part: Option<Want>) -> Self {
        Self::Parts(part.into_iter().collect())
    }
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
    /// It does not know what the customer named, who may name another.
    Missing(Refusal),
}

impl Undo {
    /// The command.
    pub(crate) const fn command(&self) -> fn(&State, &Part) -> Raw {
        match self {
            Always(command) | MayRefuse(command) => *command,
        }
    }

    /// Whether it may be refused.
    pub(crate) const fn may_refuse(&self) -> bool {
        matches!(self, MayRefuse(_))
    }
}

/// The row of a step.
pub(crate) fn row(step: Step) -> &'static Row {
    let row = PLAN.iter().find(|row| row.step == step);
    row.expect("every step has its row")
}

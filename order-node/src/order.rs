//! An order: the saga that takes what was ordered, and gives back what it may not keep.
//!
//! Owns what an order decides (`decide` its customer's wishes, `answers` what it is told),
//! which moves are legal (`transition`) and how they change it (`apply`, `holding`). What it asks for is
//! the plan, in `plan.rs`. Invariant: at rest, only a confirmed order holds anything.

mod answers;
mod apply;
mod change;
mod decide;
mod holding;
mod part;
mod row;
mod state;
#[cfg(test)]
mod tests;
mod transition;
mod wish;

use messages::{
    EntityId, Refusal, Service, Timestamp,
    order::{Command, Reply, View},
};
use node::{
    entity::{Context, Entity, Outgoing, Record},
    table::{Row, RowError, Table},
};

pub use change::{Acceptance, Change, What};
pub use decide::LINES_MAX;
pub use part::Brought;
pub(crate) use part::Part;
pub(crate) use state::State;
pub(crate) use transition::Hold;
use transition::Phase;
pub use wish::{Payment, Wish};

use crate::plan;

/// An order, or the place where one may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    id: EntityId,
    state: Option<State>,
}

impl Order {
    /// The order as a reader sees it; `None` where it was never placed.
    pub fn view(&self) -> Option<View> {
        self.state.as_ref().map(State::view)
    }
}

impl Entity for Order {
    const SERVICE: Service = Service::Order;
    const TABLE: Table = row::TABLE;

    type Command = Command;
    type Change = Change;
    type Reply = Reply;

    fn new(id: &EntityId) -> Self {
        Self {
            id: id.clone(),
            state: None,
        }
    }

    fn decide(
        &self,
        command: &Command,
        context: &Context<'_, Change>,
    ) -> Result<Vec<Change>, Refusal> {
        match &self.state {
            Some(state) => decide::existing(state, command, context),
            None => decide::missing(&self.id, command, context),
        }
    }

    fn apply(&mut self, change: &Change, at: Timestamp) {
        match (&mut self.state, &change.what) {
            (Some(state), _) => state.apply(change, at),
            (
                state,
                What::Placed {
                    order,
                    wish,
                    deadline_at,
                    traceparent,
                },
            ) => {
                let trace = traceparent.as_ref();
                *state = Some(State::placed(order, wish, *deadline_at, trace, at));
            }
            (
                state,
                What::TurnedAway {
                    order,
                    wish,
                    product_id,
                    refusal,
                    traceparent,
                },
            ) => {
                let (product, trace) = (product_id.entity(), traceparent.as_ref());
                let away = State::turned_away(order, wish, &product, refusal, trace, at);
                *state = Some(away);
            }
            (None, _) => {}
        }
    }

    /// The order as it stands, whatever the change: so it is also for every repeat.
    fn reply(&self, _: Option<&Change>) -> Reply {
        self.state
            .as_ref()
            .expect("an order that was never placed refuses everything but to be placed")
            .reply()
    }

    fn remembers(command: &Command) -> bool {
        match command {
            Command::Cancel | Command::Retry(_) | Command::Pay(_) => true,
            Command::Place(_)
            | Command::Get
            | Command::Expire
            | Command::Product(_)
            | Command::Point(_)
            | Command::Coupon(_)
            | Command::Payment(_) => false,
        }
    }

    fn record(change: &Change) -> Record {
        change.record()
    }

    fn event(_: &EntityId, change: &Change) -> Option<(&'static str, Vec<u8>)> {
        change.event()
    }

    fn owes(&self) -> Vec<Outgoing> {
        self.state.as_ref().map_or_else(Vec::new, plan::owes)
    }

    fn alarm(&self) -> Option<(Timestamp, Command)> {
        let state = self.state.as_ref()?;
        (state.phase == Phase::Pending).then(|| (state.due_at(), Command::Expire))
    }

    fn finished(&self) -> bool {
        self.settled()
    }

    fn settled(&self) -> bool {
        self.state.as_ref().is_none_or(|state| match state.phase {
            Phase::Pending => state.waits(),
            Phase::Cancelling => false,
            Phase::Confirmed | Phase::Failed | Phase::Cancelled => true,
        })
    }

    fn to_row(&self) -> Row {
        row::write(self)
    }

    fn from_row(id: &EntityId, row: Row) -> Result<Self, RowError> {
        row::read(id, row)
    }
}

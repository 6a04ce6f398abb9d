//! The payment of an order, and every rule by which money is taken and given back.
//!
//! Owns what is decided (`decide` the order's wishes, `outcome` what the gateway says), what can
//! happen (`change`), what the gateway is still to be asked (`state`) and the row it is kept in.
//! Invariant: an attempt is charged once, and what was charged is either paid for a confirmed
//! order, or given back, or owed to be. Nothing is decided on an outcome that nobody knows.
//! Read next: `handler`, which asks the gateway.

pub mod change;
mod decide;
mod outcome;
mod row;
mod state;
#[cfg(test)]
mod tests;

use messages::{
    EntityId, Money, Refusal, RequestId, Service, Timestamp,
    payment::{Authorised, Cancelled, Command, Reply},
};
use node::{
    entity::{Context, Entity, Record},
    outside::Call,
    table::{Row, RowError, Table},
};

pub use change::{Change, What};
use state::{Attempt, Stand, State};
pub(crate) use state::{Task, is_of};

/// The payment of an order, or the place where there may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    id: EntityId,
    state: Option<State>,
}

impl Payment {
    /// What the gateway is to be asked under this call's id.
    pub(crate) fn task(&self, id: &RequestId) -> Option<Task> {
        let tasks = self.state.as_ref()?.tasks();
        let task = tasks.into_iter().find(|(other, _)| other == id);
        task.map(|(_, task)| task)
    }
}

impl Entity for Payment {
    const SERVICE: Service = Service::Payment;
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
        decide::decide(&self.id, self.state.as_ref(), command, context)
    }

    fn apply(&mut self, change: &Change, at: Timestamp) {
        self.state
            .get_or_insert_with(|| State::new(change.order_id, at))
            .apply(change, at);
    }

    fn reply(&self, change: Option<&Change>) -> Reply {
        match change.map(|change| &change.what) {
            Some(What::Authorised { moved }) => Reply::Authorised(Authorised {
                amount: moved.amount,
                gateway: moved.gateway.clone(),
                gateway_id: moved.gateway_id.clone(),
            }),
            Some(What::Cancelled { moved }) => cancelled(moved.amount),
            Some(What::Closed { .. } | What::Declined { .. }) => cancelled(Money::ZERO),
            Some(What::Rejected { .. } | What::Spared { .. }) => change
                // An attempt that named it is paid by another.
                .and_then(|change| self.attempt(change.attempt)?.authorised().ok())
                .unwrap_or(Reply::Rejected),
            _ => self
                .state
                .as_ref()
                .and_then(State::view)
                .map_or_else(|| cancelled(Money::ZERO), Reply::Payment),
        }
    }

    /// Outcomes too, although they are judged by the state: what they decide stands under the
    /// request id of the attempt, and a repeat of that must find it before it is committed.
    fn remembers(command: &Command) -> bool {
        match command {
            Command::Authorise(_) | Command::Cancel(_) | Command::Outcome(_) => true,
            Command::Reject(_) | Command::Get => false,
        }
    }

    fn record(change: &Change) -> Record {
        change.record()
    }

    fn event(_: &EntityId, change: &Change) -> Option<(&'static str, Vec<u8>)> {
        change.event()
    }

    fn calls(&self) -> Vec<Call> {
        let tasks = self.state.as_ref().map(State::tasks).unwrap_or_default();
        let calls = tasks.into_iter().map(|(id, _)| Call {
            id,
            traceparent: None,
        });
        calls.collect()
    }

    fn settled(&self) -> bool {
        self.state.as_ref().is_none_or(State::settled)
    }

    fn answer_at_rest(&self, command: &Command, request_id: &RequestId) -> Result<Reply, Refusal> {
        let number = self
            .state
            .as_ref()
            .and_then(|state| decide::attempt_of(state.order_id, request_id));
        let attempt = number.and_then(|number| self.attempt(number));
        match (command, attempt) {
            (Command::Authorise(_), Some(attempt)) => attempt.authorised(),
            (Command::Cancel(_), Some(attempt)) => attempt.cancelled(),
            _ => Ok(self.reply(None)),
        }
    }

    fn finished(&self) -> bool {
        true
    }

    fn to_row(&self) -> Row {
        row::write(self)
    }

    fn from_row(id: &EntityId, row: Row) -> Result<Self, RowError> {
        row::read(id, row)
    }
}

impl Payment {
    fn attempt(&self, number: u32) -> Option<&Attempt> {
        self.state.as_ref()?.work.attempts.get(&number)
    }
}

impl Attempt {
    fn authorised(&self) -> Result<Reply, Refusal> {
        self.answer_to_authorise()?;
        Ok(Reply::Authorised(Authorised {
            amount: self.amount,
            gateway: self.gateway.clone().unwrap_or_default(),
            gateway_id: self.gateway_id.clone().unwrap_or_default(),
        }))
    }

    fn cancelled(&self) -> Result<Reply, Refusal> {
        match (self.stand, &self.refusal) {
            (Stand::Cancelled, _) => Ok(cancelled(self.amount)),
            (Stand::Authorised, Some(refusal)) => Err(refusal.clone()),
            _ => Ok(cancelled(Money::ZERO)),
        }
    }
}

fn cancelled(amount: Money) -> Reply {
    Reply::Cancelled(Cancelled { amount })
}

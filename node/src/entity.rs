//! What a service must say about its entities: how one decides, changes, answers and owes.
//!
//! Everything here is pure. The host (see [`crate::host`]) does the rest: it finds what is already
//! known of a request, commits what was decided, answers, and sends what is owed.

use messages::{
    Body, EntityId, Origin, Refusal, RequestId, Service, Timestamp,
    envelope::{Raw, Reply},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    outside::Call,
    table::{Row, Table, Touch, TouchedLines},
};

/// The request id of every creation: it happens once to an entity. It has a space, which no
/// caller's key has.
pub const CREATION: &str = "the creation";

/// What is known of a request when it is decided: from the ledger, and from what is decided but
/// not yet committed.
#[derive(Debug, PartialEq, Eq)]
pub enum Prior<'a, C> {
    /// Nothing: neither of it nor of its counterpart.
    New,
    /// It was done, by this change, or closed by another request (a tombstone).
    Done(&'a C),
    /// It was done with another body.
    OtherBody,
    /// It is new, but its counterpart (the reserve that this releases) was done, by this change.
    Counterpart(&'a C),
}

// By hand, since the derived ones would ask the same of `C`.
impl<C> Clone for Prior<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Prior<'_, C> {}

impl<'a, C> Prior<'a, C> {
    /// The change whose answer a repeat gets.
    pub const fn change(self) -> Option<&'a C> {
        match self {
            Self::Done(change) | Self::Counterpart(change) => Some(change),
            Self::New | Self::OtherBody => None,
        }
    }
}

/// What a decision may look at besides the state and the command.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a, C> {
    /// What is known of this request.
    pub prior: Prior<'a, C>,
    /// The request's id; of an answer, the id of the request that it answers.
    pub request_id: &'a RequestId,
    /// Who asked.
    pub origin: Origin,
    /// The entity that this is from, where it is an entity.
    pub source: Option<&'a EntityId>,
    /// The trace that this belongs to.
    pub traceparent: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
    /// Whether the request that this answers may have been sent more than once, so that another
    /// copy of it may still be under way.
    pub resent: bool,
}

/// The typed columns of a ledger row.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What happened, in one word.
    pub kind: &'static str,
    /// The id that this is recorded under, where it is not the request's own: every change of one
    /// entity needs one that no other has.
    pub request_id: Option<RequestId>,
    /// The order that it belongs to.
    pub order_id: Option<String>,
    /// By how much the balance changed.
    pub amount: Option<i64>,
    /// The balance after it.
    pub balance: Option<i64>,
}

/// A command that an entity owes another.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Its request id.
    pub request_id: RequestId,
    /// The service whose entity is asked.
    pub service: Service,
    /// The entity that is asked.
    pub entity: EntityId,
    /// How often it was asked before, and refused, under the same id: a copy of what was answered
    /// is no copy of this.
    pub again: u32,
    /// What it is asked.
    pub body: Raw,
    /// The trace that this belongs to.
    pub traceparent: Option<String>,
}

/// One consistency boundary: one state, one writer.
pub trait Entity: Clone + Send + Sync + Sized + 'static {
    /// The service whose entities these are.
    const SERVICE: Service;
    /// Where the state is kept.
    const TABLE: Table;

    /// What it can be asked; a participant's answers, for an entity that runs a saga.
    type Command: Body + Clone + Send + Sync + 'static;
    /// What can happen to it. Kept in the ledger as JSON, so changes to it are additive.
    type Change: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// What it answers when it did as it was asked.
    type Reply: Reply + Clone + Send + Sync + 'static;

    /// The entity before anything happened to it.
    fn new(id: &EntityId) -> Self;

    /// Decides a command. Pure: no clock, no chance, no IO.
    ///
    /// No changes and no refusal means that nothing happens: the answer is that of the change
    /// that `context.prior` holds, or, where it holds none, of the state as it stands.
    fn decide(
        &self,
        command: &Self::Command,
        context: &Context<'_, Self::Change>,
    ) -> Result<Vec<Self::Change>, Refusal>;

    /// Applies a change. Total: what was decided always applies. Live running and recovery share it.
    fn apply(&mut self, change: &Self::Change, at: Timestamp);

    /// The answer that a change gives, now and to every repeat; without a change, that of the state.
    fn reply(&self, change: Option<&Self::Change>) -> Self::Reply;

    /// Whether the effects of this command are remembered by their request id.
    ///
    /// Where not (a read, an answer that is judged by the state), the ledger is not asked.
    fn remembers(command: &Self::Command) -> bool;

    /// What the ledger says of a change in its typed columns.
    fn record(change: &Self::Change) -> Record;

    /// What everybody is told of a change to the entity `id`: the event's kind, and its body as
    /// MessagePack.
    fn event(id: &EntityId, change: &Self::Change) -> Option<(&'static str, Vec<u8>)>;

    /// What this state still owes the outside world. The host keeps the schedule: sent after the
    /// commit, and again until a change settles it. Recovery is: load, then `owes`.
    fn owes(&self) -> Vec<Outgoing> {
        Vec::new()
    }

    /// What this state still owes the world outside Onhand: carried out by the service's
    /// [`Outside`](crate::outside::Outside), after the commit and again until a change settles it.
    fn calls(&self) -> Vec<Call> {
        Vec::new()
    }

    /// When this state wants to be woken, and by which command.
    fn alarm(&self) -> Option<(Timestamp, Self::Command)> {
        None
    }

    /// Whether nothing is under way: an answer that waits for the end of a saga, or of a call to
    /// the outside, is given then. An answer to an envelope always waits.
    fn settled(&self) -> bool {
        true
    }

    /// What this state, at rest, answers to a command that has waited for that.
    fn answer_at_rest(
        &self,
        _command: &Self::Command,
        _request_id: &RequestId,
    ) -> Result<Self::Reply, Refusal> {
        Ok(self.reply(None))
    }

    /// Whether this state is at its end once it owes nothing: little but reads is expected, so that
    /// it leaves memory soon. At rest is not enough: a product rests between any two orders.
    fn finished(&self) -> bool {
        false
    }

    /// Which of its lines a change has touched, asked of the state after it: no other is written,
    /// and one that is not named here is lost with the memory that holds it.
    fn touches(&self, _change: &Self::Change) -> Touch {
        Touch::All
    }

    /// The state as a row of [`Entity::TABLE`], with all its lines.
    fn to_row(&self) -> Row;

    /// The row as it is written after changes that touched these lines: with no others, where it
    /// has lines that are worth leaving out.
    fn changed_row(&self, _touched: &TouchedLines) -> Row {
        self.to_row()
    }

    /// The state from its row.
    fn from_row(id: &EntityId, row: Row) -> Result<Self, crate::table::RowError>;
}

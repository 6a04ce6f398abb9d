//! A wallet: the points of one user, and every rule by which they move.
//!
//! Owns what is decided (`decide`), what can happen (`change`) and the row it is kept in.
//! Invariant: the balance is never negative, and a use takes what its refund gives back.
//! Every user has a wallet; it has a row from its first change on.
//! Read next: `node::reservation`, by which uses and refunds are decided.

pub mod change;
mod decide;
mod row;
#[cfg(test)]
mod tests;

use messages::{
    EntityId, Money, Refusal, Service, Timestamp,
    point::{Charged, Command, Refunded, Reply, Used, View},
};
use node::{
    entity::{Context, Entity, Record},
    table::{Row, RowError, Table},
};

pub use change::Change;

/// The most points that a wallet can be charged up to. Points that come back by a refund may
/// exceed it, since a refund is never refused; it would take millions of them to leave an integer.
pub const BALANCE_MAX: i64 = 1_000_000_000_000;

/// The points of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    user: EntityId,
    balance: i64,
    /// When it first and last changed; nothing of a wallet that never did.
    changed: Option<(Timestamp, Timestamp)>,
}

impl Wallet {
    fn view(&self) -> View {
        View {
            user_id: self.user.clone(),
            balance: self.balance,
        }
    }
}

impl Entity for Wallet {
    const SERVICE: Service = Service::Point;
    const TABLE: Table = row::TABLE;

    type Command = Command;
    type Change = Change;
    type Reply = Reply;

    fn new(id: &EntityId) -> Self {
        Self {
            user: id.clone(),
            balance: 0,
            changed: None,
        }
    }

    fn decide(
        &self,
        command: &Command,
        context: &Context<'_, Change>,
    ) -> Result<Vec<Change>, Refusal> {
        decide::decide(self, command, context)
    }

    fn apply(&mut self, change: &Change, at: Timestamp) {
        self.balance = change.balance();
        let first = self.changed.map_or(at, |(first, _)| first);
        self.changed = Some((first, at));
    }

    fn reply(&self, change: Option<&Change>) -> Reply {
        match change {
            None => Reply::Wallet(self.view()),
            Some(Change::Charged { balance, .. }) => Reply::Charged(Charged { balance: *balance }),
            Some(Change::Used {
                amount, balance, ..
            }) => Reply::Used(Used {
                amount: *amount,
                balance: *balance,
            }),
            Some(Change::Refunded {
                amount, balance, ..
            }) => refunded(*amount, *balance),
            Some(Change::Tombstoned { balance, .. }) => refunded(Money::ZERO, *balance),
        }
    }

    fn remembers(command: &Command) -> bool {
        !matches!(command, Command::Get)
    }

    fn record(change: &Change) -> Record {
        change.record()
    }

    fn event(id: &EntityId, change: &Change) -> Option<(&'static str, Vec<u8>)> {
        change.event(id)
    }

    fn to_row(&self) -> Row {
        row::write(self)
    }

    fn from_row(id: &EntityId, row: Row) -> Result<Self, RowError> {
        row::read(id, row)
    }
}

fn refunded(amount: Money, balance: i64) -> Reply {
    Reply::Refunded(Refunded { amount, balance })
}

//! A campaign: a number of coupons, who has which, and what each is used for.
//!
//! Owns what is decided (`decide`), what can happen (`change`), what is kept in memory (`state`)
//! and in tables (`row`). Invariant: the coupons issued are numbered 1 to N without gap, never
//! more than there are, one to a user; and a coupon is used by one order at a time.
//! Read next: `node::reservation`, by which a use and its undoing are decided.

pub mod change;
mod decide;
mod row;
mod state;
#[cfg(test)]
mod tests;

use messages::{
    EntityId, Refusal, Service, Timestamp,
    coupon::{Command, Issued, Reply, Used, View},
};
use node::{
    entity::{Context, Entity, Record},
    table::{Row, RowError, Table, Touch, TouchedLines},
};

pub use change::Change;
use state::Facts;

/// The most coupons that a campaign can have: all that it issued stay in memory while it is asked,
/// at some 300 bytes each.
pub const QUANTITY_MAX: u32 = 1_000_000;

/// A campaign, or the place where one may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    id: EntityId,
    facts: Option<Facts>,
}

impl Entity for Campaign {
    const SERVICE: Service = Service::Coupon;
    const TABLE: Table = row::TABLE;

    type Command = Command;
    type Change = Change;
    type Reply = Reply;

    fn new(id: &EntityId) -> Self {
        Self {
            id: id.clone(),
            facts: None,
        }
    }

    fn decide(
        &self,
        command: &Command,
        context: &Context<'_, Change>,
    ) -> Result<Vec<Change>, Refusal> {
        match &self.facts {
            Some(facts) => decide::existing(facts, command, context),
            None => decide::missing(&self.id, command),
        }
    }

    fn apply(&mut self, change: &Change, at: Timestamp) {
        if let Change::Created { id, campaign } = change {
            self.facts = Some(Facts::new(*id, campaign, at));
        }
        let Some(facts) = &mut self.facts else {
            return;
        };
        match change {
            Change::Created { .. } | Change::Tombstoned { .. } => {}
            Change::Issued { user_id, .. } => facts.coupons.issue(user_id.clone(), at),
            Change::Used {
                number, order_id, ..
            } => facts.coupons.take(*number, *order_id, at),
            Change::Restored {
                number, order_id, ..
            } => facts.coupons.give_back(*number, *order_id),
        }
    }

    fn reply(&self, change: Option<&Change>) -> Reply {
        match (change, &self.facts) {
            (None, Some(facts)) => Reply::Campaign(facts.view()),
            // A repeated creation gets the first answer again, whatever was issued since.
            (Some(Change::Created { .. }), Some(facts)) => Reply::Campaign(View {
                issued: 0,
                ..facts.view()
            }),
            (
                Some(Change::Issued {
                    coupon_id,
                    user_id,
                    number,
                    ..
                }),
                _,
            ) => Reply::Issued(Issued {
                coupon_id: *coupon_id,
                user_id: user_id.clone(),
                number: *number,
            }),
            (Some(Change::Used { discount, .. }), _) => Reply::Used(Used {
                discount: *discount,
            }),
            // All that a campaign which was never made does not refuse is to take a coupon back.
            (Some(Change::Restored { .. } | Change::Tombstoned { .. }), _) | (_, None) => {
                Reply::Restored
            }
        }
    }

    fn remembers(command: &Command) -> bool {
        match command {
            Command::Get => false,
            Command::Issue(issue) => issue.keyed,
            Command::Use(_) | Command::Restore(_) | Command::Create(_) => true,
        }
    }

    fn record(change: &Change) -> Record {
        change.record()
    }

    fn event(_: &EntityId, change: &Change) -> Option<(&'static str, Vec<u8>)> {
        change.event()
    }

    fn touches(&self, change: &Change) -> Touch {
        match change {
            Change::Created { .. } | Change::Tombstoned { .. } => Touch::None,
            Change::Issued { number, .. }
            | Change::Used { number, .. }
            | Change::Restored { number, .. } => Touch::One(i64::from(*number)),
        }
    }

    fn to_row(&self) -> Row {
        row::write(self, &TouchedLines::All)
    }

    fn changed_row(&self, touched: &TouchedLines) -> Row {
        row::write(self, touched)
    }

    fn from_row(id: &EntityId, row: Row) -> Result<Self, RowError> {
        row::read(id, row)
    }
}

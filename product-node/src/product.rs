//! A product: its stock, and every rule by which that moves.
//!
//! Owns what is decided (`decide`), what can happen (`change`) and the row it is kept in.
//! Invariant: the stock is never negative, and a reserve takes what its release gives back.
//! Read next: `node::reservation`, by which reserves and releases are decided.

pub mod change;
mod decide;
mod row;
#[cfg(test)]
mod tests;

use messages::{
    EntityId, Money, ProductId, Refusal, Service, Timestamp,
    product::{Adjusted, Command, Released, Reply, Reserved, Status, View},
};
use node::{
    entity::{Context, Entity, Record},
    table::{Row, RowError, Table},
};

pub use change::Change;

/// The most pieces that a product can be made with or adjusted to. Stock that comes back by a
/// release may exceed it, since a release is never refused.
pub const STOCK_MAX: i64 = 1_000_000_000_000;

/// A product, or the place where one may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    id: EntityId,
    facts: Option<Facts>,
}

/// What is known of a product that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    id: ProductId,
    name: String,
    price: Money,
    stock: i64,
    status: Status,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Facts {
    fn view(&self) -> View {
        View {
            id: self.id,
            name: self.name.clone(),
            price: self.price,
            stock: self.stock,
            status: self.status,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl Entity for Product {
    const SERVICE: Service = Service::Product;
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
        if let Change::Created {
            id,
            name,
            price,
            stock,
        } = change
        {
            self.facts = Some(Facts {
                id: *id,
                name: name.clone(),
                price: *price,
                stock: *stock,
                status: Status::default(),
                created_at: at,
                updated_at: at,
            });
        }
        let Some(facts) = &mut self.facts else {
            return;
        };
        facts.updated_at = at;
        match change {
            Change::Created { .. } | Change::Tombstoned { .. } => {}
            Change::Edited { product } => {
                facts.name.clone_from(&product.name);
                facts.price = product.price;
                facts.status = product.status;
            }
            Change::Adjusted { stock, .. }
            | Change::Reserved { stock, .. }
            | Change::Released { stock, .. } => facts.stock = *stock,
        }
    }

    fn reply(&self, change: Option<&Change>) -> Reply {
        match (change, &self.facts) {
            (None, Some(facts)) => Reply::Product(facts.view()),
            // A repeated creation gets the first answer again, whatever has happened since.
            (
                Some(Change::Created {
                    name, price, stock, ..
                }),
                Some(facts),
            ) => Reply::Product(View {
                name: name.clone(),
                price: *price,
                stock: *stock,
                status: Status::Active,
                updated_at: facts.view().created_at,
                ..facts.view()
            }),
            (Some(Change::Edited { product }), _) => Reply::Product(product.clone()),
            (Some(Change::Adjusted { stock, .. }), _) => {
                Reply::Adjusted(Adjusted { remaining: *stock })
            }
            (
                Some(Change::Reserved {
                    name,
                    unit_price,
                    quantity,
                    stock,
                    ..
                }),
                _,
            ) => Reply::Reserved(Reserved {
                name: name.clone(),
                unit_price: *unit_price,
                quantity: *quantity,
                remaining: *stock,
            }),
            (
                Some(Change::Released {
                    quantity, stock, ..
                }),
                _,
            ) => released(i64::from(quantity.get()), *stock),
            (Some(Change::Tombstoned { stock, .. }), _) => released(0, *stock),
            // All that a product which was never made does not refuse is to take back nothing.
            (_, None) => released(0, 0),
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

fn released(quantity: i64, remaining: i64) -> Reply {
    Reply::Released(Released {
        quantity,
        remaining,
    })
}

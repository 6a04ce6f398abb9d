//! An entity with a flaw: it counts what it is told, and one command breaks it.

use messages::{
    EntityId, Refusal, Service, Timestamp,
    product::{Adjusted, Command, Reply},
};
use node::{
    entity::{Context, Entity, Record},
    table::{Column, Reader, Row, RowError, Table},
};
use serde::{Deserialize, Serialize};
use sim::Disk;

use crate::goods::adjust;

#[derive(Clone)]
pub(crate) struct Toy(i64);

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pressed;

/// The command that it counts.
pub(crate) fn press() -> Command {
    adjust(1)
}

/// The command that breaks it.
pub(crate) fn bomb() -> Command {
    adjust(-1)
}

/// How much it has counted, as it is committed.
pub(crate) fn counted(disk: &Disk, toy: &EntityId) -> i64 {
    let read = disk.tables().state(toy).unwrap();
    Toy::from_row(toy, read.row).unwrap().0
}

impl Entity for Toy {
    const SERVICE: Service = Service::Product;
    const TABLE: Table = Table {
        name: "toy",
        columns: &[Column::integer("count")],
        owing: false,
        lines: None,
        requests_first: true,
    };

    type Command = Command;
    type Change = Pressed;
    type Reply = Reply;

    fn new(_: &EntityId) -> Self {
        Self(0)
    }

    fn decide(
        &self,
        command: &Command,
        context: &Context<'_, Pressed>,
    ) -> Result<Vec<Pressed>, Refusal> {
        assert!(*command != bomb(), "boom");
        Ok(if context.prior.change().is_some() {
            vec![]
        } else {
            vec![Pressed]
        })
    }

    fn apply(&mut self, _: &Pressed, _: Timestamp) {
        self.0 += 1;
    }

    fn reply(&self, _: Option<&Pressed>) -> Reply {
        Reply::Adjusted(Adjusted { remaining: self.0 })
    }

    fn remembers(_: &Command) -> bool {
        true
    }

    fn record(_: &Pressed) -> Record {
        Record {
            kind: "pressed",
            ..Record::default()
        }
    }

    fn event(_: &EntityId, _: &Pressed) -> Option<(&'static str, Vec<u8>)> {
        None
    }

    fn to_row(&self) -> Row {
        Row {
            values: vec![self.0.into()],
            lines: vec![],
        }
    }

    fn from_row(_: &EntityId, row: Row) -> Result<Self, RowError> {
        Reader::new(row.values).integer().map(Self)
    }
}

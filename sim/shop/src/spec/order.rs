//! An order, by hand: where it stood after each of its changes.

use messages::{EntityId, Timestamp, order::Status};
use node::store::LedgerRow;
use serde::Deserialize;

/// An order and its past.
#[derive(Default)]
pub(crate) struct Book {
    /// Where it stood after each change, from the first on.
    pub(crate) stands: Vec<Stand>,
    /// What was ordered: product and pieces.
    pub(crate) lines: Vec<(EntityId, i64)>,
    /// Whether a cancel of it was refused.
    kept: bool,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) status: Status,
    pub(crate) cancelling: bool,
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
}

#[derive(Deserialize)]
struct Placed {
    order: Order,
}

#[derive(Deserialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    product_id: EntityId,
    quantity: i64,
}

impl Book {
    pub(crate) fn version(&self) -> usize {
        self.stands.len()
    }

    /// Where it stands.
    pub(crate) fn stand(&self) -> Option<Stand> {
        self.stands.last().copied()
    }

    /// The attempt that it is in.
    pub(crate) fn attempt(&self) -> u32 {
        self.stand().map_or(0, |stand| stand.attempt)
    }

    /// Enters a row of its ledger, or says why that cannot be.
    pub(crate) fn enter(&mut self, row: &LedgerRow) -> Result<(), String> {
        if i64::try_from(self.stands.len() + 1) != Ok(row.version) {
            return Err(format!("version {} after {}", row.version, self.version()));
        }
        let Some(now) = self.stand() else {
            return self.placed(row);
        };
        let (status, cancelling) = (now.status, now.cancelling);
        let mut next = Stand { at: row.at, ..now };
        match (row.kind.as_str(), status, cancelling) {
            ("confirmed", Status::Pending, _) => next.status = Status::Confirmed,
            ("failed", Status::Pending, _) => next.status = Status::Failed,
            ("cancelRequested", Status::Confirmed, false) => next.cancelling = true,
            ("cancelled", Status::Confirmed, true) => {
                (next.status, next.cancelling) = (Status::Cancelled, false);
            }
            ("kept", Status::Confirmed, true) => {
                self.kept = true;
                next.cancelling = false;
            }
            // What was kept is given back all the same: the cancel goes on.
            ("givenBack", Status::Confirmed, false) if self.kept => next.cancelling = true,
            ("retried", Status::Failed, _) => {
                (next.status, next.attempt) = (Status::Pending, now.attempt + 1);
            }
            (
                "confirmed" | "failed" | "cancelRequested" | "cancelled" | "retried" | "placed"
                | "turnedAway",
                ..,
            ) => return Err(format!("{} when it was {now:?}", row.kind)),
            ("releaseRefused", ..) => return Err("a release was refused".into()),
            _ => {}
        }
        self.stands.push(next);
        Ok(())
    }

    fn placed(&mut self, row: &LedgerRow) -> Result<(), String> {
        let status = match row.kind.as_str() {
            "placed" => Status::Pending,
            "turnedAway" => Status::Failed,
            kind => return Err(format!("{kind} before it was placed")),
        };
        let placed: Placed = serde_json::from_str(&row.body).map_err(|error| error.to_string())?;
        let items = placed.order.items.into_iter();
        self.lines = items.map(|item| (item.product_id, item.quantity)).collect();
        self.stands.push(Stand {
            status,
            cancelling: false,
            attempt: 1,
            at: row.at,
        });
        Ok(())
    }
}

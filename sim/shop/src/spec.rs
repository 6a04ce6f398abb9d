//! What the shop must do, said plainly and in sequence: a second book, kept by hand.
//!
//! It is told every commit when it is written and every message when the broker takes it, and
//! knows nothing of how the services come to them. Invariant: nothing is ever below zero, nothing
//! is taken or given back twice, what leaves a process is committed, and what a client is told was
//! so at some moment while he waited. Read next: [`account`] for what can run out, [`order`].

mod account;
mod messages;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use ::messages::{EntityId, Origin, Partition, RequestId, Service, Timestamp, order::Status};
use node::store::{Batch, LedgerRow, Mark, StateWrite};

use self::messages::Inbox;
pub(crate) use self::{
    account::{Account, Deed},
    order::Book,
};

/// The kinds of changes that everybody is told of.
const TOLD: [&str; 11] = [
    "placed",
    "turnedAway",
    "confirmed",
    "failed",
    "retried",
    "reserved",
    "released",
    "refunded",
    "issued",
    "restored",
    "authorised",
];

/// What may be off in a run by its very plan.
#[derive(Clone, Copy, Default)]
pub(crate) struct Allowed {
    /// A database refuses rows: an envelope may be put aside, as a dead letter.
    pub(crate) put_aside: bool,
    /// There are two owners at once: one may say what was so, and is no longer. It may change
    /// nothing by it.
    pub(crate) outdated: bool,
    /// There are two owners of orders at once, each of whom knows of his own commands alone.
    pub(crate) sent_by_two: bool,
}

/// The books of a run, and the first thing that was wrong with it.
#[derive(Default)]
pub(crate) struct Spec {
    accounts: BTreeMap<(Service, EntityId), Account>,
    orders: BTreeMap<EntityId, Book>,
    numbers: BTreeMap<(Service, Partition), i64>,
    inboxes: BTreeMap<(Service, Partition), Inbox>,
    /// The ids of dead letters that nobody has sent again.
    aside: BTreeSet<String>,
    /// How many copies of each reserve the broker has taken, where two owners may send them.
    copies: BTreeMap<(Service, EntityId, RequestId), usize>,
    /// Which of them it has the acceptance of, for the order.
    accepted: BTreeSet<(Service, EntityId, RequestId)>,
    /// The ids of the events that are to be told.
    events: Vec<String>,
    /// What may be off in this run, since the plan says so.
    pub(crate) allowed: Allowed,
    wrong: Option<String>,
}

impl Spec {
    /// Notes what is wrong; the first such note counts.
    pub(crate) fn wrong(&mut self, what: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(what());
        }
    }

    /// What was wrong first.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// A batch was written.
    pub(crate) fn committed(&mut self, service: Service, batch: &Batch) {
        for row in &batch.ledger {
            if let Err(why) = self.enter(service, row) {
                self.wrong(|| format!("{service} {}: {why} ({row:?})", row.entity));
            }
        }
        for state in &batch.states {
            if let Err(why) = self.compare(service, state) {
                self.wrong(|| format!("{service} {}: {why} ({:?})", state.entity, state.row));
            }
        }
        for write in &batch.positions {
            if write.mark == Mark::Inbox {
                let (sequence, at) = (write.position.sequence, write.position.at);
                if let Err(why) = self.passed(service, write.partition, sequence, at) {
                    self.wrong(|| why);
                }
            }
        }
    }

    fn enter(&mut self, service: Service, row: &LedgerRow) -> Result<(), String> {
        let last = self.numbers.entry((service, row.partition)).or_default();
        if row.number != *last + 1 {
            return Err(format!("row {} follows {last}", row.number));
        }
        *last = row.number;
        if TOLD.contains(&row.kind.as_str()) {
            let (partition, number) = (row.partition, row.number);
            self.events.push(format!("{service}-{partition}-{number}"));
        }
        if service != Service::Order {
            let account = (service, row.entity.clone());
            return self.accounts.entry(account).or_default().enter(row);
        }
        let book = self.orders.entry(row.entity.clone()).or_default();
        book.enter(row)?;
        if row.kind == "confirmed" {
            return self.holds_everything(&row.entity);
        }
        Ok(())
    }

    /// What an order is confirmed for is taken, of every line.
    fn holds_everything(&self, order: &EntityId) -> Result<(), String> {
        let book = &self.orders[order];
        let request = RequestId::reserve(order, book.attempt());
        for (product, quantity) in &book.lines {
            let deed = self.deed(Service::Product, product, Origin::Saga, &request);
            let held = deed.is_some_and(|d| d.taken && !d.back && d.amount == *quantity);
            if !held {
                return Err(format!(
                    "confirmed with {deed:?} of {quantity} of {product}"
                ));
            }
        }
        Ok(())
    }

    fn compare(&self, service: Service, state: &StateWrite) -> Result<(), String> {
        let value = |n: usize| state.row.values.get(n).cloned();
        let (version, expected, at) = if service == Service::Order {
            let book = self.orders.get(&state.entity).ok_or("no ledger")?;
            let stand = book.stand().ok_or("no ledger")?;
            (book.version(), stand.status.name().into(), 2)
        } else {
            let account = self.account(service, &state.entity).ok_or("no ledger")?;
            let holding = account.holding();
            let (expected, at) = match service {
                Service::Product => (holding, 2),
                Service::Coupon => (account.quantity() - holding, 6),
                Service::Point => (holding, 0),
                Service::Order | Service::Payment => {
                    return same(account.version(), state.version);
                }
            };
            (account.version(), expected.into(), at)
        };
        same(version, state.version)?;
        if value(at).as_ref() == Some(&expected) {
            Ok(())
        } else {
            Err(format!(
                "{expected:?} by the ledger, {:?} in its row",
                value(at)
            ))
        }
    }

    /// What is known of what runs out.
    pub(crate) fn account(&self, service: Service, entity: &EntityId) -> Option<&Account> {
        self.accounts.get(&(service, entity.clone()))
    }

    /// All that can run out.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&(Service, EntityId), &Account)> {
        self.accounts.iter()
    }

    /// The ids of the events that are to be told.
    pub(crate) fn events(&self) -> impl Iterator<Item = &String> {
        self.events.iter()
    }

    /// What was done under a reserve's request id.
    pub(crate) fn deed(
        &self,
        service: Service,
        entity: &EntityId,
        origin: Origin,
        request: &RequestId,
    ) -> Option<&Deed> {
        let deeds = &self.account(service, entity)?.deeds;
        deeds.get(&(origin, request.clone()))
    }

    /// All orders.
    pub(crate) fn orders(&self) -> impl Iterator<Item = (&EntityId, &Book)> {
        self.orders.iter()
    }

    /// One order.
    pub(crate) fn order(&self, order: &EntityId) -> Option<&Book> {
        self.orders.get(order)
    }

    /// How many changes of an order are committed.
    pub(crate) fn order_version(&self, order: &EntityId) -> usize {
        self.order(order).map_or(0, |book| book.stands.len())
    }

    /// How many changes of what runs out are committed.
    pub(crate) fn version(&self, service: Service, entity: &EntityId) -> usize {
        let account = self.account(service, entity);
        account.map_or(0, |account| account.versions.len())
    }

    /// Whether an order stood so, at that time, at some moment since it had so many changes.
    pub(crate) fn order_was(
        &self,
        order: &EntityId,
        since: usize,
        status: Status,
        cancelling: bool,
        at: Timestamp,
    ) -> bool {
        let since = if self.allowed.outdated { 0 } else { since };
        let stands = self.order(order).map_or(&[][..], |book| &book.stands);
        stands[since.saturating_sub(1).min(stands.len())..]
            .iter()
            .any(|stand| stand.status == status && stand.cancelling == cancelling && stand.at == at)
    }

    /// Whether so much was left at some moment since it had so many changes.
    pub(crate) fn was_left(
        &self,
        service: Service,
        entity: &EntityId,
        since: usize,
        left: i64,
    ) -> bool {
        let since = if self.allowed.outdated { 0 } else { since };
        let account = self.account(service, entity);
        let versions = account.map_or(&[][..], |account| &account.versions);
        // A wallet that nobody ever touched has nothing, and no version.
        (versions.len() <= since && since == 0 && left == 0)
            || versions[since.saturating_sub(1).min(versions.len())..]
                .iter()
                .any(|version| version.holding == left)
            || (since == 0 && left == 0 && service == Service::Point)
    }
}

fn same(expected: usize, found: i64) -> Result<(), String> {
    if i64::try_from(expected) == Ok(found) {
        Ok(())
    } else {
        Err(format!(
            "version {expected} by the ledger, {found} in its row"
        ))
    }
}

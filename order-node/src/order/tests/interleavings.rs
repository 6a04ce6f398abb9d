//! Whatever is lost, doubled, late or restarted: at rest, only a confirmed order holds stock.

use std::collections::{BTreeMap, BTreeSet};

use messages::{
    Origin, RequestId,
    order::Status,
    product::{self, Answer, Released, Reserved},
};
use node::{entity::Prior, reservation};
use proptest::prelude::*;

use super::{super::*, saga::*};

const STOCK: i64 = 3;

/// What may happen next; a number picks one of those that there are.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// The host sends what the order owes, first or again.
    Sent(usize),
    /// A product decides a command that is under way.
    Decided(usize),
    /// A command that is under way is lost.
    CommandLost(usize),
    /// The order hears an answer that is under way.
    Heard(usize),
    /// It hears it, and another copy stays under way.
    HeardTwice(usize),
    /// An answer that is under way is lost.
    AnswerLost(usize),
    Restocked(u32),
    Expired,
    Cancelled,
    Retried,
    /// The order is loaded anew from its row.
    Reloaded,
}

fn happens() -> impl Strategy<Value = Happens> {
    let pick = || any::<prop::sample::Index>().prop_map(|index| index.index(64));
    prop_oneof![
        6 => pick().prop_map(Happens::Sent),
        6 => pick().prop_map(Happens::Decided),
        1 => pick().prop_map(Happens::CommandLost),
        6 => pick().prop_map(Happens::Heard),
        2 => pick().prop_map(Happens::HeardTwice),
        1 => pick().prop_map(Happens::AnswerLost),
        2 => (1..4_u32).prop_map(Happens::Restocked),
        1 => Just(Happens::Expired),
        2 => Just(Happens::Cancelled),
        2 => Just(Happens::Retried),
        1 => Just(Happens::Reloaded),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn at_rest_only_a_confirmed_order_holds_stock(
        quantities in proptest::collection::vec(1..5_u32, 1..4),
        story in proptest::collection::vec(happens(), 0..80),
    ) {
        let mut world = World::new(&quantities);
        for what in story {
            world.step(what);
        }
        world.come_to_rest();
        let confirmed = world.saga.status() == Status::Confirmed;
        for (n, quantity) in (1..).zip(&quantities) {
            let expected = if confirmed { i64::from(*quantity) } else { 0 };
            prop_assert_eq!(world.products[&n].taken(), expected, "product {}", n);
            prop_assert!(world.products[&n].left() >= 0);
        }
    }
}

/// An order, products that keep the shared rules, and what is under way between them.
struct World {
    saga: Saga,
    products: BTreeMap<u32, Stock>,
    commands: Vec<(u32, RequestId, product::Command)>,
    answers: Vec<(u32, RequestId, Answer)>,
    /// What was sent since the order was loaded, and what may have been sent more than once.
    sent: BTreeSet<(u32, RequestId)>,
    doubtful: BTreeSet<(u32, RequestId)>,
    keys: u32,
}

impl World {
    fn new(quantities: &[u32]) -> Self {
        Self {
            saga: Saga::placed(quantities),
            products: (1..)
                .zip(quantities)
                .map(|(n, _)| (n, Stock::default()))
                .collect(),
            commands: Vec::new(),
            answers: Vec::new(),
            sent: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            keys: 0,
        }
    }

    fn step(&mut self, what: Happens) {
        match what {
            Happens::Sent(pick) => self.send(pick),
            Happens::Decided(pick) => {
                if let Some((n, id, command)) = take(&mut self.commands, pick) {
                    let stock = self.products.get_mut(&n).expect("a product of ours");
                    let answer = stock.decide(&id, &command);
                    self.answers.push((n, id, answer));
                }
            }
            Happens::CommandLost(pick) => drop(take(&mut self.commands, pick)),
            Happens::Heard(pick) => self.hear(pick, false),
            Happens::HeardTwice(pick) => self.hear(pick, true),
            Happens::AnswerLost(pick) => drop(take(&mut self.answers, pick)),
            Happens::Restocked(n) => {
                if let Some(stock) = self.products.get_mut(&n) {
                    stock.added += 1;
                }
            }
            Happens::Expired => self.saga.expire(),
            // Both may be refused, by the rules that tests of their own check.
            Happens::Cancelled => {
                let key = self.key();
                drop(self.saga.cancel(&key));
            }
            Happens::Retried => {
                let key = self.key();
                drop(self.saga.retry(&key));
            }
            Happens::Reloaded => {
                let row = self.saga.order.to_row();
                let read = Order::from_row(&EntityId::from(ORDER), row);
                self.saga.order = read.expect("what was written");
                self.doubtful.append(&mut self.sent);
            }
        }
    }

    /// Sends one of the commands that are owed.
    fn send(&mut self, pick: usize) {
        let owed = self.saga.order.owes();
        let numbers = self.saga.owes();
        if owed.is_empty() {
            return;
        }
        let pick = pick % owed.len();
        let (n, id) = (numbers[pick].1, owed[pick].request_id.clone());
        let command = read(&owed[pick]);
        if !self.sent.insert((n, id.clone())) {
            self.doubtful.insert((n, id.clone()));
        }
        self.commands.push((n, id, command));
    }

    fn hear(&mut self, pick: usize, again: bool) {
        let Some((n, id, answer)) = take(&mut self.answers, pick) else {
            return;
        };
        if again {
            self.answers.push((n, id.clone(), answer.clone()));
        }
        self.saga.resent = self.doubtful.contains(&(n, id.clone()));
        self.saga.hear(n, &id, answer);
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("key {}", self.keys)
    }

    /// Everything under way arrives, and everything owed is sent until it is answered.
    fn come_to_rest(&mut self) {
        for _ in 0..1_000 {
            while !self.commands.is_empty() {
                self.step(Happens::Decided(0));
            }
            while !self.answers.is_empty() {
                self.hear(0, false);
            }
            let owed = self.saga.order.owes().len();
            if owed == 0 {
                return;
            }
            (0..owed).for_each(|pick| self.send(pick));
        }
        panic!("it never comes to rest: {:?}", self.saga.order);
    }
}

fn take<T>(under_way: &mut Vec<T>, pick: usize) -> Option<T> {
    let count = under_way.len();
    (count > 0).then(|| under_way.remove(pick % count))
}

/// What a product reads of a command.
fn read(outgoing: &Outgoing) -> product::Command {
    let envelope = messages::Envelope {
        request_id: outgoing.request_id.clone(),
        entity: outgoing.entity.clone(),
        source: None,
        origin: Origin::Saga,
        reply_to: None,
        causation: None,
        traceparent: None,
        at: Timestamp::default(),
        body: outgoing.body.clone(),
    };
    let bytes = messages::wire::encode(&envelope);
    let read = messages::envelope::decode(&bytes).expect("what was written");
    read.body
}

/// The stock of a product, by its ledger: what was taken, given back or closed by a tombstone.
#[derive(Default)]
struct Stock {
    added: i64,
    ledger: BTreeMap<RequestId, Row>,
}

#[derive(Clone, Copy)]
enum Row {
    Taken(i64),
    GivenBack(i64),
    Tombstone(i64),
}

impl Stock {
    fn taken(&self) -> i64 {
        let amounts = self.ledger.values().map(|row| match row {
            Row::Taken(quantity) => *quantity,
            Row::GivenBack(quantity) => -quantity,
            Row::Tombstone(_) => 0,
        });
        amounts.sum()
    }

    fn left(&self) -> i64 {
        STOCK + self.added - self.taken()
    }

    fn decide(&mut self, id: &RequestId, command: &product::Command) -> Answer {
        let counterpart = id.counterpart().and_then(|id| self.ledger.get(&id));
        let prior = match (self.ledger.get(id), counterpart) {
            (Some(row), _) => Prior::Done(row),
            (None, Some(row)) => Prior::Counterpart(row),
            (None, None) => Prior::New,
        };
        let effect = |row: &Row| match row {
            Row::Taken(quantity) => reservation::Effect::Taken(*quantity),
            Row::Tombstone(quantity) => reservation::Effect::Tombstone(*quantity),
            Row::GivenBack(_) => reservation::Effect::Other,
        };
        match command {
            product::Command::Reserve(reserve) => {
                let quantity = i64::from(reserve.quantity.get());
                if reservation::reserve(prior, effect)? == reservation::Reserve::Take {
                    if self.left() < quantity {
                        return Err(Refusal::stock(self.left(), reserve.quantity));
                    }
                    self.ledger.insert(id.clone(), Row::Taken(quantity));
                }
                Ok(product::Reply::Reserved(Reserved {
                    name: "mug".into(),
                    unit_price: messages::Money::ZERO,
                    quantity: reserve.quantity,
                    remaining: self.left(),
                }))
            }
            product::Command::Release(release) => {
                let quantity = i64::from(release.quantity.get());
                match reservation::release(prior, quantity, effect)? {
                    reservation::Release::Repeat => {}
                    reservation::Release::Undo => {
                        self.ledger.insert(id.clone(), Row::GivenBack(quantity));
                    }
                    reservation::Release::Bury => {
                        let closed = reservation::closes(id);
                        self.ledger.insert(closed, Row::Tombstone(quantity));
                    }
                }
                Ok(product::Reply::Released(Released {
                    quantity,
                    remaining: self.left(),
                }))
            }
            other => panic!("a saga never asks for {other:?}"),
        }
    }
}

//! Whatever is lost, doubled, late or restarted: at rest, only a confirmed order holds anything,
//! and it holds exactly what it wants.

use std::collections::{BTreeMap, BTreeSet};

use messages::{
    EntityId, Origin, RequestId,
    order::{PayBy, Place, Status, Step},
};
use node::{entity::Prior, reservation};
use proptest::prelude::*;

use super::{super::*, participants::*, saga::*};

/// What may happen next; a number picks one of those that there are.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// The host sends what the order owes, first or again.
    Sent(usize),
    /// A participant decides a command that is under way.
    Decided(usize),
    /// A command that is under way is lost.
    CommandLost(usize),
    /// The order hears an answer that is under way.
    Heard(usize),
    /// It hears it, and another copy stays under way.
    HeardTwice(usize),
    /// An answer that is under way is lost.
    AnswerLost(usize),
    /// A participant has more to give, or, where it may refuse to give back, does so or stops.
    Turned(usize),
    Expired(u64),
    Paid(usize),
    Cancelled,
    Retried,
    /// The order is loaded anew from its row.
    Reloaded,
}

fn happens() -> impl Strategy<Value = Happens> {
    let pick = || any::<prop::sample::Index>().prop_map(|index| index.index(64));
    prop_oneof![
        8 => pick().prop_map(Happens::Sent),
        8 => pick().prop_map(Happens::Decided),
        1 => pick().prop_map(Happens::CommandLost),
        8 => pick().prop_map(Happens::Heard),
        2 => pick().prop_map(Happens::HeardTwice),
        1 => pick().prop_map(Happens::AnswerLost),
        3 => pick().prop_map(Happens::Turned),
        1 => prop_oneof![Just(DEADLINE_MS), Just(PAYMENT_DEADLINE_MS)].prop_map(Happens::Expired),
        2 => pick().prop_map(|pick| Happens::Paid(pick % 3)),
        2 => Just(Happens::Cancelled),
        2 => Just(Happens::Retried),
        1 => Just(Happens::Reloaded),
    ]
}

/// An order of one to three lines, and of any of the steps behind them.
fn orders() -> impl Strategy<Value = Place> {
    let quantities = proptest::collection::vec(1..5_u32, 1..4);
    let payment = prop_oneof![Just(None), Just(Some(card())), Just(Some(PayBy::External))];
    (quantities, any::<bool>(), any::<bool>(), payment).prop_map(
        |(quantities, points, coupon, payment)| {
            let all = everything(card());
            Place {
                points: all.points.filter(|_| points),
                coupon_id: all.coupon_id.filter(|_| coupon),
                payment,
                ..lines(&quantities)
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn at_rest_only_a_confirmed_order_holds_anything(
        place in orders(),
        story in proptest::collection::vec(happens(), 0..120),
    ) {
        let mut world = World::new(place);
        for what in story {
            world.step(what);
        }
        world.come_to_rest();
        // A pending order at rest waits for its payment, and holds all the rest.
        let holds = matches!(world.saga.status(), Status::Confirmed | Status::Pending);
        let state = world.saga.state();
        for ((step, entity), holder) in &world.holders {
            let parts = state.parts.iter().filter(|p| p.step == *step && p.entity == *entity);
            let kept = |part: &&Part| matches!(part.hold, Hold::Held | Hold::Kept);
            let held: Vec<&Part> = parts.filter(kept).collect();
            let amounts: i64 = held.iter().map(|part| part.amount).sum();
            prop_assert_eq!(holder.taken(), amounts, "{:?} {:?}", step, state.parts);
            if !holds {
                prop_assert!(held.iter().all(|part| part.hold == Hold::Kept), "{:?}", step);
            }
        }
        if world.saga.status() == Status::Confirmed {
            let held: usize = world.saga.held().into_iter().map(|(_, count)| count).sum();
            let kept = state.parts.iter().filter(|p| p.hold == Hold::Kept && !p.late).count();
            prop_assert_eq!(held + kept.min(1), world.wanted());
        }
    }
}

/// An order, participants that keep the shared rules, and what is under way between them.
struct World {
    saga: Saga,
    holders: BTreeMap<(Step, EntityId), Holder>,
    commands: Vec<(Owed, i64)>,
    answers: Vec<(Owed, i64, Word)>,
    /// What was sent since the order was loaded, and what may have been sent more than once.
    sent: BTreeSet<Owed>,
    doubtful: BTreeSet<Owed>,
    keys: u32,
}

impl World {
    fn new(place: Place) -> Self {
        Self {
            saga: Saga::with(place),
            holders: BTreeMap::new(),
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
                if let Some((owed, amount)) = take(&mut self.commands, pick) {
                    let key = (owed.step, owed.entity.clone());
                    let holder = self.holders.entry(key).or_default();
                    let word = holder.decide(&owed, amount);
                    self.answers.push((owed, amount, word));
                }
            }
            Happens::CommandLost(pick) => drop(take(&mut self.commands, pick)),
            Happens::Heard(pick) => self.hear(pick, false),
            Happens::HeardTwice(pick) => self.hear(pick, true),
            Happens::AnswerLost(pick) => drop(take(&mut self.answers, pick)),
            Happens::Turned(pick) => {
                let count = self.holders.len().max(1);
                if let Some(holder) = self.holders.values_mut().nth(pick % count) {
                    holder.added += 2;
                    holder.keeps = !holder.keeps;
                    holder.misses = pick % 2 == 0;
                }
            }
            Happens::Expired(after) => self.saga.expire_after(after),
            // These may be refused, by the rules that tests of their own check.
            Happens::Paid(which) => {
                let key = self.key();
                drop(self.saga.pay(&key, &format!("imp_{which}")));
            }
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
        let owed = self.saga.owed();
        if owed.is_empty() {
            return;
        }
        let owed = owed[pick % owed.len()].clone();
        if !self.sent.insert(owed.clone()) {
            self.doubtful.insert(owed.clone());
        }
        let amount = self
            .saga
            .part(&owed)
            .expect("what is owed is a part")
            .amount;
        self.commands.push((owed, amount));
    }

    fn hear(&mut self, pick: usize, again: bool) {
        let Some((owed, amount, word)) = take(&mut self.answers, pick) else {
            return;
        };
        if again {
            self.answers.push((owed.clone(), amount, word));
        }
        // What it does not owe any more may have been sent often.
        self.saga.resent = self.doubtful.contains(&owed) || !self.saga.owed().contains(&owed);
        let command = says(owed.step, word, amount);
        self.saga
            .tell(Origin::Saga, &owed.id, Some(&owed.entity), &command)
            .expect("an answer is not refused");
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("key {}", self.keys)
    }

    /// How many parts a confirmed order holds.
    fn wanted(&self) -> usize {
        let state = self.saga.state();
        let due = self.saga.order.view().and_then(|view| view.amount_due);
        let pays = due.is_some_and(|due| due.get() > 0) && state.wish.payment.is_some();
        state.lines.len()
            + usize::from(state.wish.points.is_some())
            + usize::from(state.wish.coupon_id.is_some())
            + usize::from(pays)
    }

    /// Everything under way arrives, and everything owed is sent until it is answered.
    fn come_to_rest(&mut self) {
        for holder in self.holders.values_mut() {
            holder.added += 1_000;
        }
        for _ in 0..1_000 {
            while !self.commands.is_empty() {
                self.step(Happens::Decided(0));
            }
            while !self.answers.is_empty() {
                self.hear(0, false);
            }
            let owed = self.saga.owed().len();
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

/// One who has something to take, by the ledger: what was taken, given back or closed.
#[derive(Default)]
struct Holder {
    /// What it has to give; nothing at first, every other time.
    added: i64,
    /// Whether it refuses to give back, where it may.
    keeps: bool,
    /// Whether it knows nothing of what was named, rather than that it refuses.
    misses: bool,
    ledger: BTreeMap<RequestId, Row>,
}

#[derive(Clone, Copy)]
enum Row {
    Taken(i64),
    GivenBack(i64),
    Tombstone(i64),
}

impl Holder {
    fn taken(&self) -> i64 {
        let amounts = self.ledger.values().map(|row| match row {
            Row::Taken(amount) => *amount,
            Row::GivenBack(amount) => -*amount,
            Row::Tombstone(_) => 0,
        });
        amounts.sum()
    }

    fn decide(&mut self, owed: &Owed, amount: i64) -> Word {
        let id = &owed.id;
        let counterpart = id.counterpart().and_then(|id| self.ledger.get(&id));
        let prior = match (self.ledger.get(id), counterpart) {
            (Some(row), _) => Prior::Done(row),
            (None, Some(row)) => Prior::Counterpart(row),
            (None, None) => Prior::New,
        };
        let effect = |row: &Row| match row {
            Row::Taken(amount) => reservation::Effect::Taken(*amount),
            Row::Tombstone(amount) => reservation::Effect::Tombstone(*amount),
            Row::GivenBack(_) => reservation::Effect::Other,
        };
        if owed.takes {
            return match reservation::reserve(prior, effect) {
                Ok(reservation::Reserve::Repeat) => Word::Yes,
                // It has something for whoever comes, but not always at once.
                Ok(reservation::Reserve::Take) if self.added > 0 => {
                    self.ledger.insert(id.clone(), Row::Taken(amount));
                    Word::Yes
                }
                Ok(reservation::Reserve::Take) if self.misses => Word::Missing,
                Ok(reservation::Reserve::Take) | Err(_) => Word::No,
            };
        }
        match reservation::release(prior, amount, effect).expect("exactly what was asked for") {
            reservation::Release::Repeat => Word::Back,
            reservation::Release::Undo => {
                let row = crate::plan::row(owed.step);
                if self.keeps && row.undo.may_refuse() {
                    return Word::No;
                }
                self.ledger.insert(id.clone(), Row::GivenBack(amount));
                Word::Back
            }
            reservation::Release::Bury => {
                self.ledger
                    .insert(reservation::closes(id), Row::Tombstone(amount));
                Word::Back
            }
        }
    }
}

//! The participants' part in an order: what each says, and what the order has asked of it.
//!
//! A step more is an arm or two more in [`says`], which the compiler asks for; the tests that walk the
//! plan then cover it.

use messages::{
    EntityId, Money, Origin, Quantity, Refusal, RequestId, coupon, order::Step, payment, point,
    product,
};

use super::{super::*, saga::*};
use crate::plan::PLAN;

/// What a participant may say to what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It is taken.
    Yes,
    /// It is not.
    No,
    /// It is given back.
    Back,
    /// There is no such thing, where the customer names it; else it is not taken.
    Missing,
}

/// Something that an order has asked for: a part, or to have one given back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owed {
    pub(super) step: Step,
    pub(super) entity: EntityId,
    pub(super) id: RequestId,
    pub(super) takes: bool,
}

impl Saga {
    /// What it owes now.
    pub(super) fn owed(&self) -> Vec<Owed> {
        let owed = self.order.owes().into_iter().map(|outgoing| {
            let row = PLAN.iter().find(|row| row.of == outgoing.service);
            Owed {
                step: row.expect("a service of the plan").step,
                takes: outgoing.request_id.as_str().starts_with("DEC-"),
                entity: outgoing.entity,
                id: outgoing.request_id,
            }
        });
        owed.collect()
    }

    /// What it has asked to be taken, or to be given back.
    pub(super) fn owed_now(&self, takes: bool) -> Vec<Owed> {
        let mut owed = self.owed();
        owed.retain(|owed| owed.takes == takes);
        owed
    }

    /// A participant answers.
    pub(super) fn answer(&mut self, owed: &Owed, word: Word) {
        let part = self.part(owed);
        let command = says(owed.step, word, part.map_or(1, |part| part.amount));
        self.tell(Origin::Saga, &owed.id, Some(&owed.entity), &command)
            .expect("an answer is not refused");
    }

    /// The part that is asked for, or to be given back.
    pub(super) fn part(&self, owed: &Owed) -> Option<&Part> {
        let mut parts = self.state().parts.iter();
        parts.find(|part| {
            let reserve = RequestId::reserve(ORDER, part.attempt);
            let release = RequestId::release(ORDER, part.attempt);
            part.is(owed.step, &owed.entity, part.attempt) && [reserve, release].contains(&owed.id)
        })
    }

    /// Every participant takes what it is asked for, until the order asks for that step.
    pub(super) fn up_to(&mut self, step: Step) {
        while self.owed_now(true).iter().any(|owed| owed.step != step) {
            for owed in self.owed_now(true) {
                self.answer(&owed, Word::Yes);
            }
        }
        assert!(self.owed_now(true).iter().all(|owed| owed.step == step));
    }

    /// Every participant takes what it is asked for, to the end.
    #[expect(
        clippy::wrong_self_convention,
        reason = "where it goes to, not what it turns into"
    )]
    pub(super) fn to_the_end(&mut self) {
        while let Some(owed) = self.owed_now(true).first() {
            self.answer(&owed.clone(), Word::Yes);
        }
    }

    /// Everything that is to be given back is, and is said so twice.
    pub(super) fn give_all_back(&mut self) {
        loop {
            let owed = self.owed_now(false);
            if owed.is_empty() {
                return;
            }
            for owed in &owed {
                self.answer(owed, Word::Back);
                let before = self.order.clone();
                self.answer(owed, Word::Back);
                assert_eq!(
                    self.order, before,
                    "what is given back twice is given back once"
                );
            }
        }
    }

    /// How many parts of each step it holds, in the plan's order.
    pub(super) fn held(&self) -> Vec<(Step, usize)> {
        let count = |step| {
            let parts = self.state().parts.iter();
            parts
                .filter(|part| part.step == step && part.hold == Hold::Held)
                .count()
        };
        let held = PLAN.iter().map(|row| (row.step, count(row.step)));
        held.filter(|(_, count)| *count > 0).collect()
    }
}

/// What the participant of a step says of this amount.
pub(super) fn says(step: Step, word: Word, amount: i64) -> Command {
    let money = |amount| Money::new(amount).expect("an amount");
    let pieces = |amount| u32::try_from(amount).ok().and_then(Quantity::new);
    let yes = word == Word::Yes;
    match step {
        Step::Payment if word == Word::Missing => Command::Payment(Err(Refusal::PaymentNotFound)),
        _ if matches!(word, Word::No | Word::Missing) => refuses(step),
        Step::Stock if yes => Command::Product(Ok(product::Reply::Reserved(product::Reserved {
            name: "mug".into(),
            unit_price: money(PRICE),
            quantity: pieces(amount).expect("pieces"),
            remaining: 0,
        }))),
        Step::Stock => Command::Product(Ok(given_back())),
        Step::Points if yes => Command::Point(Ok(point::Reply::Used(point::Used {
            amount: money(amount),
            balance: 0,
        }))),
        Step::Points => Command::Point(Ok(point::Reply::Refunded(point::Refunded {
            amount: money(amount),
            balance: amount,
        }))),
        Step::Coupon if yes => Command::Coupon(Ok(coupon::Reply::Used(coupon::Used {
            discount: money(DISCOUNT),
        }))),
        Step::Coupon => Command::Coupon(Ok(coupon::Reply::Restored)),
        Step::Payment if yes => {
            Command::Payment(Ok(payment::Reply::Authorised(payment::Authorised {
                amount: money(amount),
                gateway: "sandbox".into(),
                gateway_id: "g-1".into(),
            })))
        }
        Step::Payment => Command::Payment(Ok(payment::Reply::Cancelled(payment::Cancelled {
            amount: money(amount),
        }))),
    }
}

fn refuses(step: Step) -> Command {
    match step {
        Step::Stock => Command::Product(Err(refusal(step))),
        Step::Points => Command::Point(Err(refusal(step))),
        Step::Coupon => Command::Coupon(Err(refusal(step))),
        Step::Payment => Command::Payment(Err(refusal(step))),
    }
}

/// What the coupon takes off by itself.
pub(super) const DISCOUNT: i64 = 300;

/// Why the participant of a step says no.
pub(super) fn refusal(step: Step) -> Refusal {
    match step {
        Step::Stock => short(1),
        Step::Points => Refusal::points(Money::ZERO, Money::MAX),
        Step::Coupon => Refusal::CouponNotUsable {
            reason: "it is used".into(),
        },
        Step::Payment => Refusal::PaymentDeclined {
            reason: "no".into(),
        },
    }
}

#[test]
fn each_row_has_its_step_and_the_last_alone_may_refuse_to_be_undone() {
    let steps: Vec<Step> = PLAN.iter().map(|row| row.step).collect();
    let all = [Step::Stock, Step::Points, Step::Coupon, Step::Payment];
    assert_eq!(steps, all);
    assert!(steps.is_sorted(), "parts are kept in the plan's order");
    let (_, before) = PLAN.split_last().expect("rows");
    assert!(before.iter().all(|row| !row.undo.may_refuse()));
}

//! Where a customer's wish and the deadline are decided. Pure: state, command, context.
//!
//! What participants answer is decided in `super::answers`; what is legal at all, in
//! `super::transition`.

use messages::{
    EntityId, Money, OrderId, ProductId, Refusal, Timestamp,
    order::{Command, LineView, Pay, Place, Retry, Shortage, Status, View},
};
use node::entity::{Context, Prior};

use super::{
    change::{Change, What},
    state::State,
    transition::{Hold, Move, Phase},
    wish::{Payment, Wish},
};
use crate::{
    code::code,
    plan::{self, Next},
};

pub(super) type Decision = Result<Vec<Change>, Refusal>;

/// The most lines that an order may have.
pub const LINES_MAX: usize = 100;

/// Decides a command to an order that was never placed.
pub(super) fn missing(id: &EntityId, command: &Command, context: &Context<'_, Change>) -> Decision {
    match command {
        Command::Place(place) => State::place(id, place, context),
        Command::Cancel
        | Command::Retry(_)
        | Command::Get
        | Command::Pay(_)
        | Command::Expire
        | Command::Product(_)
        | Command::Point(_)
        | Command::Coupon(_)
        | Command::Payment(_) => Err(Refusal::OrderNotFound),
    }
}

/// Decides a command to an order that exists.
pub(super) fn existing(
    order: &State,
    command: &Command,
    context: &Context<'_, Change>,
) -> Decision {
    match command {
        Command::Place(_) | Command::Get => Ok(vec![]),
        Command::Cancel => once(context, || order.cancel()),
        Command::Retry(retry) => once(context, || order.retry(*retry, context)),
        Command::Pay(pay) => once(context, || order.pay(pay, context.now)),
        Command::Expire => Ok(order.expire(context.now)),
        Command::Product(_) | Command::Point(_) | Command::Coupon(_) | Command::Payment(_) => {
            Ok(order.hear(command, context))
        }
    }
}

/// Decides what is new; a repeat changes nothing and is answered by the order as it stands.
fn once(context: &Context<'_, Change>, decide: impl FnOnce() -> Decision) -> Decision {
    match context.prior {
        Prior::Done(_) => Ok(vec![]),
        Prior::OtherBody => Err(Refusal::RequestMismatch),
        Prior::New | Prior::Counterpart(_) => decide(),
    }
}

impl State {
    fn place(id: &EntityId, place: &Place, context: &Context<'_, Change>) -> Decision {
        let id: OrderId = id.as_str().parse().map_err(|_| Refusal::OrderNotFound)?;
        let mut products: Vec<_> = place.items.iter().map(|item| item.product_id).collect();
        products.sort_unstable();
        products.dedup();
        if !(1..=LINES_MAX).contains(&place.items.len()) || products.len() != place.items.len() {
            return invalid("an order has 1 to 100 lines, and a product at most once");
        }
        let items = place.items.iter().map(|item| LineView {
            product_id: item.product_id,
            name: None,
            unit_price: None,
            quantity: item.quantity,
            amount: None,
        });
        let order = View {
            id,
            code: code(id),
            buyer_id: place.buyer_id.clone(),
            items: items.collect(),
            status: Status::Pending,
            fail_reason: None,
            subtotal: None,
            discount: None,
            points_used: None,
            amount_due: None,
            cancelling: false,
            created_at: context.now,
            updated_at: context.now,
        };
        Ok(vec![Change {
            order_id: id,
            attempt: 1,
            what: placed(order, place, context),
        }])
    }

    fn cancel(&self) -> Decision {
        if self.phase == Phase::Cancelling {
            return Ok(vec![]);
        }
        match self.phase.after(Move::Cancel) {
            Some(_) => Ok(vec![self.change(What::CancelRequested)]),
            None => invalid(&format!(
                "an order that is {} cannot be cancelled",
                self.phase.status().name()
            )),
        }
    }

    fn retry(&self, retry: Retry, context: &Context<'_, Change>) -> Decision {
        if self.phase.after(Move::Retry).is_none() {
            return invalid(&format!(
                "an order that is {} cannot be tried again",
                self.phase.status().name()
            ));
        }
        if !plan::owes(self).is_empty() {
            return invalid("still giving back what it took; try again in a moment");
        }
        if self.parts.iter().any(|part| part.hold == Hold::Kept) {
            return invalid(
                "the gateway did not give back the payment of an earlier attempt; \
                 have it given back there, and place a new order",
            );
        }
        let mut fresh = self.clone();
        fresh.forget();
        let order = View {
            status: Status::Pending,
            updated_at: context.now,
            ..fresh.view()
        };
        let pay_until = later(context.now, retry.payment_deadline_ms);
        Ok(vec![Change {
            order_id: self.id,
            attempt: self.attempt + 1,
            what: What::Retried {
                order,
                deadline_at: later(context.now, retry.deadline_ms),
                pay_until: self.wish.payment.is_some().then_some(pay_until),
                traceparent: context.traceparent.map(str::to_owned),
            },
        }])
    }

    /// A payment that settles this order, or the one that did: another is not for it to take.
    fn pay(&self, pay: &Pay, now: Timestamp) -> Decision {
        let refused = invalid(&format!(
            "an order that is {} waits for no other payment",
            self.phase.status().name()
        ));
        let Some(Payment::External { until, imp_uid, .. }) = &self.wish.payment else {
            return refused;
        };
        match imp_uid {
            Some(named) if *named == pay.imp_uid => Ok(vec![]),
            None if self.phase == Phase::Pending && now < *until => {
                Ok(vec![self.change(What::PaymentNamed {
                    imp_uid: pay.imp_uid.clone(),
                    price: pay.price,
                    deadline_at: later(now, pay.deadline_ms).max(*until),
                })])
            }
            _ => refused,
        }
    }

    fn expire(&self, now: Timestamp) -> Vec<Change> {
        if self.phase != Phase::Pending || now < self.due_at() {
            return vec![];
        }
        if let (true, Some(unpaid)) = (self.waits(), self.unpaid()) {
            return vec![unpaid, self.fail(Refusal::PaymentExpired, now)];
        }
        let first = self.failure.as_ref().map(|f| f.refusal.clone());
        vec![self.fail(first.unwrap_or(Refusal::DependencyFailed), now)]
    }

    fn unpaid(&self) -> Option<Change> {
        Some(self.change(What::Unpaid {
            amount: self.amounts().amount_due?,
            buyer_id: self.buyer_id.clone(),
            order: Some(self.view()),
        }))
    }

    /// The end of a pending order's saga, once it has come to one.
    pub(super) fn conclude(&self, now: Timestamp) -> Option<Change> {
        match plan::next(self) {
            Next::Ask(_) | Next::Hear | Next::Wait => None,
            Next::Fail(why) => {
                let refused = self.failure.as_ref().map(|f| f.refusal.clone());
                let why = why.or(refused).unwrap_or(Refusal::DependencyFailed);
                Some(self.fail(why, now))
            }
            Next::Confirm if self.amounts().amount_due.is_none() => {
                Some(self.fail(Refusal::AmountTooLarge, now))
            }
            Next::Confirm => {
                let order = View {
                    status: Status::Confirmed,
                    updated_at: now,
                    ..self.view()
                };
                Some(self.change(What::Confirmed { order, last: None }))
            }
        }
    }

    fn fail(&self, refusal: Refusal, now: Timestamp) -> Change {
        let order = View {
            status: Status::Failed,
            fail_reason: Some(refusal.code().to_owned()),
            updated_at: now,
            ..self.view()
        };
        self.change(What::Failed { order, refusal })
    }

    /// A change of the present attempt.
    pub(super) fn change(&self, what: What) -> Change {
        Change {
            order_id: self.id,
            attempt: self.attempt,
            what,
        }
    }
}

/// An order is placed, or turned away where a product had too few for it when it was asked before.
fn placed(order: View, place: &Place, context: &Context<'_, Change>) -> What {
    let wish = wish(place, context.now);
    let traceparent = context.traceparent.map(str::to_owned);
    match place.short.and_then(|short| too_few(place, short)) {
        None => What::Placed {
            order,
            wish,
            deadline_at: later(context.now, place.deadline_ms),
            traceparent,
        },
        Some((product_id, refusal)) => What::TurnedAway {
            order: View {
                status: Status::Failed,
                fail_reason: Some(refusal.code().to_owned()),
                ..order
            },
            wish,
            product_id,
            refusal,
            traceparent,
        },
    }
}

/// Which product has too few for an order of it, and how that is told.
fn too_few(place: &Place, short: Shortage) -> Option<(ProductId, Refusal)> {
    let mut items = place.items.iter();
    let item = items.find(|item| item.product_id == short.product_id)?;
    let refusal = Refusal::stock(short.available, item.quantity);
    (short.available < i64::from(item.quantity.get())).then_some((short.product_id, refusal))
}

fn wish(place: &Place, now: Timestamp) -> Wish {
    let until = later(now, place.payment_deadline_ms);
    let payment = place.payment.as_ref();
    Wish {
        points: place.points.filter(|points| *points > Money::ZERO),
        coupon_id: place.coupon_id,
        payment: payment.map(|by| Payment::new(by, until)),
    }
}

fn later(now: Timestamp, millis: u64) -> Timestamp {
    now.plus_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn invalid(reason: &str) -> Decision {
    Err(Refusal::InvalidState {
        reason: reason.to_owned(),
    })
}

//! Where an order's wishes for its payment are decided. Pure: state, command and what the ledger
//! knows. What the gateway answers is decided in `super::outcome`.

use messages::{
    EntityId, Money, OrderId, Refusal, RequestId,
    payment::{Authorise, Cancel, Command, Method, Reject, is_payment_id},
};
use node::{
    entity::{Context, Prior},
    reservation,
};

use super::{
    change::{Change, What},
    state::{Attempt, Stand, State},
};

pub(super) type Decision = Result<Vec<Change>, Refusal>;

/// How many payments of one order that nobody is to pay are given back at a time.
const UNWANTED_MAX: usize = 16;

/// Decides a command to the payment of this order; `state` is as new where none was heard of it.
pub(super) fn decide(
    id: &EntityId,
    state: Option<&State>,
    command: &Command,
    context: &Context<'_, Change>,
) -> Decision {
    let new;
    let state = if let Some(state) = state {
        state
    } else {
        let order_id = id.as_str().parse().map_err(|_| Refusal::PaymentNotFound)?;
        new = State::new(order_id, context.now);
        &new
    };
    match command {
        Command::Authorise(authorise) => state.authorise(authorise, context),
        Command::Cancel(cancel) => state.cancel(cancel, context),
        Command::Reject(reject) => state.reject(reject),
        Command::Get if state.last().is_some() => Ok(vec![]),
        Command::Get => Err(Refusal::PaymentNotFound),
        Command::Outcome(outcome) => Ok(state.hear(outcome)),
    }
}

impl State {
    fn authorise(&self, authorise: &Authorise, context: &Context<'_, Change>) -> Decision {
        let number = self.number(authorise.order_id, context.request_id)?;
        // A declined attempt is asked no second time: the answer is the first one.
        if let Prior::Done(Change {
            what: What::Declined { refusal, .. },
            ..
        }) = context.prior
        {
            return Err(refusal.clone());
        }
        match reservation::reserve(context.prior, Change::effect)? {
            reservation::Reserve::Repeat => return self.same(number, authorise),
            reservation::Reserve::Take => {}
        }
        let ask = |imp_uid: Option<String>| {
            let (token, price) = match &authorise.method {
                Method::Card { token } => (Some(token.clone()), None),
                Method::External { price, .. } => (None, *price),
            };
            Ok(vec![self.change(
                number,
                What::Asked {
                    user_id: authorise.user_id.clone(),
                    amount: authorise.amount,
                    token,
                    imp_uid,
                    price,
                },
            )])
        };
        if authorise.amount == Money::ZERO {
            return Err(invalid("there is nothing to pay"));
        }
        let imp_uid = match &authorise.method {
            Method::Card { .. } => None,
            // It becomes part of an address at the gateway.
            Method::External { imp_uid, .. } if !is_payment_id(imp_uid) => {
                return Err(Refusal::PaymentNotFound);
            }
            Method::External { imp_uid, .. } => Some(imp_uid.clone()),
        };
        match self.work.attempts.get(&number).map(|a| a.stand) {
            None | Some(Stand::NotFound) => ask(imp_uid),
            Some(_) => self.same(number, authorise),
        }
    }

    /// What is asked for is asked or done already, unless it is something else.
    fn same(&self, number: u32, authorise: &Authorise) -> Decision {
        let Some(attempt) = self.work.attempts.get(&number) else {
            return Ok(vec![]);
        };
        let same_means = match &authorise.method {
            Method::Card { .. } => attempt.imp_uid.is_none(),
            Method::External { imp_uid, .. } => attempt.imp_uid.as_ref() == Some(imp_uid),
        };
        let outside =
            attempt.imp_uid.is_some() && matches!(authorise.method, Method::External { .. });
        if outside && !same_means && attempt.stand == Stand::Asking {
            // A copy of what was named before is being looked up: the customer may name his again,
            // and what he paid is given back where he does not.
            return Err(Refusal::PaymentNotFound);
        }
        if attempt.amount != authorise.amount {
            return Err(Refusal::RequestMismatch);
        }
        if let Method::External { imp_uid, .. } = &authorise.method
            && outside
            && !same_means
            && attempt.stand == Stand::Authorised
        {
            // A copy of what was named before came in first, and pays: nobody is to pay twice.
            return self.give_back(number, imp_uid);
        }
        if !same_means {
            return Err(Refusal::RequestMismatch);
        }
        attempt.answer_to_authorise().map(|()| vec![])
    }

    fn cancel(&self, cancel: &Cancel, context: &Context<'_, Change>) -> Decision {
        let number = self.number(cancel.order_id, context.request_id)?;
        let amount = cancel.amount;
        let what = match reservation::release(context.prior, amount.get(), Change::effect)? {
            reservation::Release::Repeat => return Ok(vec![]),
            reservation::Release::Undo => What::CancelAsked,
            reservation::Release::Bury => What::Closed { amount },
        };
        let under_way = self
            .work
            .attempts
            .get(&number)
            .is_some_and(|attempt| attempt.stand == Stand::Cancelling);
        if under_way {
            return Ok(vec![]);
        }
        Ok(vec![self.change(number, what)])
    }

    fn reject(&self, reject: &Reject) -> Decision {
        if reject.order_id != self.order_id {
            return Err(Refusal::RequestMismatch);
        }
        self.give_back(0, &reject.imp_uid)
    }

    /// Gives back what was paid outside, but for what pays; `number` is the attempt that named it.
    fn give_back(&self, number: u32, imp_uid: &str) -> Decision {
        if !is_payment_id(imp_uid) {
            return Err(Refusal::PaymentNotFound);
        }
        let gateway_id = imp_uid.to_owned();
        let known = self.work.unwanted.contains_key(&gateway_id);
        if !known && self.work.unwanted.len() >= UNWANTED_MAX {
            return Err(invalid("too many payments are being given back"));
        }
        // Not the one that pays, and not one that may turn out to.
        let pays = |attempt: &Attempt| {
            attempt.stand.holds()
                && (attempt.gateway_id.as_ref() == Some(&gateway_id)
                    || attempt.imp_uid.as_ref() == Some(&gateway_id))
        };
        let what = if self.work.attempts.values().any(pays) {
            What::Spared { gateway_id }
        } else {
            What::Rejected { gateway_id }
        };
        Ok(vec![self.change(number, what)])
    }

    /// The attempt that a request id speaks of.
    fn number(&self, order: OrderId, request_id: &RequestId) -> Result<u32, Refusal> {
        if order != self.order_id {
            return Err(Refusal::RequestMismatch);
        }
        attempt_of(order, request_id).ok_or(Refusal::RequestMismatch)
    }

    /// The next change.
    pub(super) fn change(&self, attempt: u32, what: What) -> Change {
        Change {
            order_id: self.order_id,
            attempt,
            serial: self.work.serial + 1,
            what,
        }
    }
}

impl Attempt {
    /// What an attempt that is decided answers to who asked for the money.
    pub(super) fn answer_to_authorise(&self) -> Result<(), Refusal> {
        match (self.stand, &self.refusal) {
            (Stand::Declined | Stand::NotFound, Some(refusal)) => Err(refusal.clone()),
            (Stand::Closed, _) => Err(Refusal::AlreadyReleased),
            _ => Ok(()),
        }
    }
}

/// The attempt of this order that a request id belongs to: `DEC-x` the first, `INC-x-2` the second.
pub(super) fn attempt_of(order: OrderId, request_id: &RequestId) -> Option<u32> {
    let (_, rest) = request_id
        .as_str()
        .split_at_checked(4)
        .filter(|(prefix, _)| ["DEC-", "INC-"].contains(prefix))?;
    match rest.strip_prefix(&order.to_string())? {
        "" => Some(1),
        attempt => attempt.strip_prefix('-')?.parse().ok().filter(|n| *n > 1),
    }
}

fn invalid(reason: &str) -> Refusal {
    Refusal::InvalidState {
        reason: reason.to_owned(),
    }
}

//! What is left to be paid, through a gateway.

use messages::{
    Money, Refusal,
    envelope::Raw,
    order::{Command, Step},
    payment::{self, Authorise, Cancel, Method, Reply},
};

use super::{Said, Want, Wants};
use crate::order::{Brought, Hold, Part, Payment, State};

/// What the order comes to, if it is paid here and anything is left. A payment that is made
/// outside is asked for once the customer has named it.
pub(super) fn due(order: &State) -> Result<Wants, Refusal> {
    let Some(payment) = &order.wish.payment else {
        return Ok(Wants::part(None));
    };
    let due = order.amounts().amount_due.ok_or(Refusal::AmountTooLarge)?;
    if due == Money::ZERO {
        return Ok(Wants::part(None));
    }
    let entity = order.id.entity();
    if let Payment::External { imp_uid: None, .. } = payment {
        let part = order.part(Step::Payment, &entity, order.attempt);
        if part.is_none_or(|part| part.hold == Hold::Refused) {
            return Ok(Wants::Later);
        }
    }
    Ok(Wants::part(Some(Want {
        entity,
        attempt: order.attempt,
        amount: due.get(),
    })))
}

/// Takes the money.
pub(super) fn authorise(order: &State, part: &Part) -> Raw {
    Raw::of(&payment::Command::Authorise(Authorise {
        order_id: order.id,
        user_id: order.buyer_id.clone(),
        amount: part.money(),
        method: match &order.wish.payment {
            Some(Payment::Card { token }) => Method::Card {
                token: token.clone(),
            },
            Some(Payment::External {
                imp_uid: Some(imp_uid),
                price,
                ..
            }) => Method::External {
                imp_uid: imp_uid.clone(),
                price: *price,
            },
            Some(Payment::External { imp_uid: None, .. }) | None => {
                unreachable!("a payment is asked for when it is known how")
            }
        },
    }))
}

/// Gives it back, or closes the attempt, so that what comes late is given back.
pub(super) fn cancel(order: &State, part: &Part) -> Raw {
    Raw::of(&payment::Command::Cancel(Cancel {
        order_id: order.id,
        amount: part.money(),
    }))
}

/// What the payment answers.
pub(super) fn answered(command: &Command) -> Option<Said> {
    let Command::Payment(answer) = command else {
        return None;
    };
    match answer {
        Ok(Reply::Authorised(paid)) => Some(Said::Taken(paid.amount.get(), Brought::Nothing)),
        Ok(Reply::Cancelled(_)) => Some(Said::GivenBack),
        Ok(Reply::Rejected | Reply::Payment(_)) => None,
        Err(refusal @ Refusal::PaymentNotFound) => Some(Said::Missing(refusal.clone())),
        Err(refusal) => Some(Said::Refused(refusal.clone())),
    }
}

/// How much is due was known before.
pub(super) const fn nothing(_: &mut State, _: &Part, _: &Brought) {}

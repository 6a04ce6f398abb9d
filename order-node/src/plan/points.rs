//! The points that pay for a part of an order, from its buyer's wallet.

use messages::{
    EntityId, Refusal,
    envelope::Raw,
    order::Command,
    point::{self, Refund, Reply, Use},
};

use super::{Said, Want, Wants};
use crate::order::{Brought, Part, State};

/// As many as the buyer gives, and no more than the lines cost.
pub(super) fn wished(order: &State) -> Result<Wants, Refusal> {
    let Some(points) = order.wish.points else {
        return Ok(Wants::part(None));
    };
    let subtotal = order.subtotal().ok_or(Refusal::AmountTooLarge)?;
    let amount = points.min(subtotal).get();
    Ok(Wants::part((amount > 0).then(|| Want {
        entity: EntityId::from(order.buyer_id.as_str()),
        attempt: order.attempt,
        amount,
    })))
}

/// Takes them from the wallet.
pub(super) fn spend(order: &State, part: &Part) -> Raw {
    Raw::of(&point::Command::Use(Use {
        order_id: order.id.to_string(),
        amount: part.money(),
    }))
}

/// Gives them back.
pub(super) fn refund(order: &State, part: &Part) -> Raw {
    Raw::of(&point::Command::Refund(Refund {
        order_id: order.id.to_string(),
        amount: part.money(),
    }))
}

/// What a wallet answers.
pub(super) fn answered(command: &Command) -> Option<Said> {
    let Command::Point(answer) = command else {
        return None;
    };
    match answer {
        Ok(Reply::Used(used)) => Some(Said::Taken(used.amount.get(), Brought::Nothing)),
        Ok(Reply::Refunded(_)) => Some(Said::GivenBack),
        Ok(Reply::Charged(_) | Reply::Wallet(_)) => None,
        Err(refusal) => Some(Said::Refused(refusal.clone())),
    }
}

/// How much of the order is paid by points.
pub(super) fn points_used(order: &mut State, part: &Part, _: &Brought) {
    order.points_used = Some(part.money());
}

//! The coupon that takes something off an order.

use messages::{
    Refusal,
    coupon::{self, Reply, Restore, Use},
    envelope::Raw,
    order::Command,
};

use super::{Said, Want, Wants};
use crate::order::{Brought, Part, State};

/// The one that the buyer named, if any.
pub(super) fn named(order: &State) -> Result<Wants, Refusal> {
    let Some(coupon) = order.wish.coupon_id else {
        return Ok(Wants::part(None));
    };
    order.subtotal().ok_or(Refusal::AmountTooLarge)?;
    Ok(Wants::part(Some(Want {
        entity: coupon.entity(),
        attempt: order.attempt,
        amount: 1,
    })))
}

/// Uses the buyer's coupon; its minimum compares with what the lines cost.
pub(super) fn redeem(order: &State, _: &Part) -> Raw {
    let subtotal = order.subtotal();
    Raw::of(&coupon::Command::Use(Use {
        order_id: order.id,
        user_id: order.buyer_id.clone(),
        subtotal: subtotal.expect("a coupon is used when every line is priced"),
    }))
}

/// Gives it back to the buyer.
pub(super) fn restore(order: &State, _: &Part) -> Raw {
    Raw::of(&coupon::Command::Restore(Restore {
        order_id: order.id,
        user_id: order.buyer_id.clone(),
    }))
}

/// What a campaign answers.
pub(super) fn answered(command: &Command) -> Option<Said> {
    let Command::Coupon(answer) = command else {
        return None;
    };
    match answer {
        // One coupon, whatever it takes off.
        Ok(Reply::Used(used)) => Some(Said::Taken(
            1,
            Brought::Discount {
                discount: used.discount,
            },
        )),
        Ok(Reply::Restored) => Some(Said::GivenBack),
        Ok(Reply::Issued(_) | Reply::Campaign(_)) => None,
        Err(refusal) => Some(Said::Refused(refusal.clone())),
    }
}

/// What it takes off: no more than points have left.
pub(super) fn discount(order: &mut State, _: &Part, brought: &Brought) {
    let Brought::Discount { discount } = brought else {
        return;
    };
    let amounts = order.amounts();
    if let (Some(subtotal), Some(points)) = (amounts.subtotal, amounts.points_used) {
        order.discount = subtotal.minus(points).map(|left| left.min(*discount));
    }
}

//! The pieces of an order's lines, each of a product.

use messages::{
    Quantity, Refusal,
    envelope::Raw,
    order::Command,
    product::{self, Release, Reply, Reserve},
};

use super::{Said, Want, Wants};
use crate::order::{Brought, Part, State};

/// Every line.
#[expect(clippy::unnecessary_wraps, reason = "a row may find that it cannot be")]
pub(super) fn lines(order: &State) -> Result<Wants, Refusal> {
    let lines = order.lines.iter().map(|line| Want {
        entity: line.product_id.entity(),
        attempt: order.attempt,
        amount: i64::from(line.quantity.get()),
    });
    Ok(Wants::Parts(lines.collect()))
}

/// Takes a line's pieces.
pub(super) fn reserve(order: &State, part: &Part) -> Raw {
    Raw::of(&product::Command::Reserve(Reserve {
        order_id: order.id.to_string(),
        quantity: pieces(part),
    }))
}

/// Gives them back. Without a reason: a release that is sent again must say exactly the same.
pub(super) fn release(order: &State, part: &Part) -> Raw {
    Raw::of(&product::Command::Release(Release {
        order_id: order.id.to_string(),
        quantity: pieces(part),
        reason: None,
    }))
}

/// What a product answers.
pub(super) fn answered(command: &Command) -> Option<Said> {
    let Command::Product(answer) = command else {
        return None;
    };
    match answer {
        Ok(Reply::Reserved(reserved)) => Some(Said::Taken(
            i64::from(reserved.quantity.get()),
            Brought::Priced {
                name: reserved.name.clone(),
                unit_price: reserved.unit_price,
            },
        )),
        Ok(Reply::Released(_)) => Some(Said::GivenBack),
        Ok(Reply::Adjusted(_) | Reply::Product(_)) => None,
        Err(refusal) => Some(Said::Refused(refusal.clone())),
    }
}

/// The name and the price of the line, as they were when it was reserved.
pub(super) fn name_and_price(order: &mut State, part: &Part, brought: &Brought) {
    let line = order.line_of(&part.entity);
    if let (Some(n), Brought::Priced { name, unit_price }) = (line, brought) {
        let line = &mut order.lines[n];
        line.name = Some(name.clone());
        line.unit_price = Some(*unit_price);
    }
}

fn pieces(part: &Part) -> Quantity {
    let pieces = u32::try_from(part.amount).ok().and_then(Quantity::new);
    pieces.expect("a part of stock is as many pieces as a line has")
}

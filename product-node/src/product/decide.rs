//! Where every command to a product is decided. Pure: state, command and what the ledger knows.

use messages::{
    EntityId, Refusal,
    product::{Adjust, Command, Create, Edit, Release, Reserve, Status, View},
};
use node::{
    entity::{Context, Prior},
    reservation,
};

use super::{Change, Facts, STOCK_MAX};

type Decision = Result<Vec<Change>, Refusal>;

/// Decides a command to a product that was never made.
pub(super) fn missing(id: &EntityId, command: &Command) -> Decision {
    match command {
        Command::Create(create) => make(id, create),
        // A release is never refused, and there is nothing that a reserve could take later under
        // an id that no product has: it would be refused all the same.
        Command::Release(_) => Ok(vec![]),
        Command::Reserve(_) | Command::Edit(_) | Command::Adjust(_) | Command::Get => {
            Err(Refusal::ProductNotFound)
        }
    }
}

/// Decides a command to a product that exists.
pub(super) fn existing(
    product: &Facts,
    command: &Command,
    context: &Context<'_, Change>,
) -> Decision {
    match command {
        Command::Reserve(reserve) => product.reserve(reserve, context),
        Command::Release(release) => product.release(release, context),
        Command::Edit(edit) => once(context, || Ok(product.edit(edit, context))),
        Command::Adjust(adjust) => once(context, || product.adjust(adjust)),
        Command::Create(_) | Command::Get => Ok(vec![]),
    }
}

/// Decides what is new; a repeat changes nothing and gets its first answer.
fn once(context: &Context<'_, Change>, decide: impl FnOnce() -> Decision) -> Decision {
    match context.prior {
        Prior::Done(_) => Ok(vec![]),
        Prior::OtherBody => Err(Refusal::RequestMismatch),
        // A key that only looks like one of a reserve or release undoes nothing here.
        Prior::New | Prior::Counterpart(_) => decide(),
    }
}

fn make(id: &EntityId, create: &Create) -> Decision {
    let id = id.as_str().parse().map_err(|_| Refusal::ProductNotFound)?;
    if !(0..=STOCK_MAX).contains(&create.stock) {
        return Err(Refusal::AmountTooLarge);
    }
    Ok(vec![Change::Created {
        id,
        name: create.name.clone(),
        price: create.price,
        stock: create.stock,
    }])
}

impl Facts {
    fn reserve(&self, reserve: &Reserve, context: &Context<'_, Change>) -> Decision {
        match reservation::reserve(context.prior, Change::effect)? {
            reservation::Reserve::Repeat => return Ok(vec![]),
            reservation::Reserve::Take => {}
        }
        if self.status == Status::Discontinued {
            return Err(Refusal::ProductDiscontinued);
        }
        let stock = self.stock - i64::from(reserve.quantity.get());
        if stock < 0 {
            return Err(Refusal::stock(self.stock, reserve.quantity));
        }
        Ok(vec![Change::Reserved {
            order_id: reserve.order_id.clone(),
            request_id: context.request_id.clone(),
            quantity: reserve.quantity,
            name: self.name.clone(),
            unit_price: self.price,
            stock,
        }])
    }

    fn release(&self, release: &Release, context: &Context<'_, Change>) -> Decision {
        let quantity = i64::from(release.quantity.get());
        let (name, unit_price) = match context.prior.change() {
            Some(Change::Reserved {
                name, unit_price, ..
            }) => (Some(name.clone()), Some(*unit_price)),
            _ => (None, None),
        };
        let change = match reservation::release(context.prior, quantity, Change::effect)? {
            reservation::Release::Repeat => return Ok(vec![]),
            reservation::Release::Undo => Change::Released {
                order_id: release.order_id.clone(),
                request_id: context.request_id.clone(),
                quantity: release.quantity,
                reason: release.reason.clone(),
                name,
                unit_price,
                stock: self.stock.saturating_add(quantity),
            },
            reservation::Release::Bury => Change::Tombstoned {
                order_id: release.order_id.clone(),
                request_id: reservation::closes(context.request_id),
                quantity: release.quantity,
                stock: self.stock,
            },
        };
        Ok(vec![change])
    }

    fn edit(&self, edit: &Edit, context: &Context<'_, Change>) -> Vec<Change> {
        let edited = View {
            name: edit.name.clone().unwrap_or_else(|| self.name.clone()),
            price: edit.price.unwrap_or(self.price),
            status: edit.status.unwrap_or(self.status),
            ..self.view()
        };
        if edited == self.view() {
            return vec![];
        }
        vec![Change::Edited {
            product: View {
                updated_at: context.now,
                ..edited
            },
        }]
    }

    fn adjust(&self, adjust: &Adjust) -> Decision {
        let stock = self.stock.saturating_add(adjust.delta);
        if stock < 0 {
            return Err(Refusal::InsufficientStock {
                available: self.stock,
                requested: adjust.delta.saturating_neg(),
            });
        }
        // Stock that releases brought above the limit may still be lowered step by step.
        if adjust.delta > 0 && stock > STOCK_MAX {
            return Err(Refusal::AmountTooLarge);
        }
        Ok(vec![Change::Adjusted {
            delta: adjust.delta,
            reason: adjust.reason,
            stock,
        }])
    }
}

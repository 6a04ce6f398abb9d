//! Where every command to a wallet is decided. Pure: state, command and what the ledger knows.

use messages::{
    Refusal,
    point::{Charge, Command, Refund, Use},
};
use node::{
    entity::{Context, Prior},
    reservation,
};

use super::{BALANCE_MAX, Change, Wallet};

type Decision = Result<Vec<Change>, Refusal>;

/// Decides a command.
pub(super) fn decide(
    wallet: &Wallet,
    command: &Command,
    context: &Context<'_, Change>,
) -> Decision {
    match command {
        Command::Use(wanted) => wallet.take(wanted, context),
        Command::Refund(refund) => wallet.refund(refund, context),
        Command::Charge(charge) => match context.prior {
            Prior::Done(_) => Ok(vec![]),
            Prior::OtherBody => Err(Refusal::RequestMismatch),
            // A key that only looks like one of a use or refund undoes nothing here.
            Prior::New | Prior::Counterpart(_) => wallet.charge(charge),
        },
        Command::Get => Ok(vec![]),
    }
}

impl Wallet {
    fn take(&self, wanted: &Use, context: &Context<'_, Change>) -> Decision {
        match reservation::reserve(context.prior, Change::effect)? {
            reservation::Reserve::Repeat => return Ok(vec![]),
            reservation::Reserve::Take => {}
        }
        let balance = self.balance - wanted.amount.get();
        if balance < 0 {
            return Err(Refusal::InsufficientPoints {
                available: self.balance,
                requested: wanted.amount.get(),
            });
        }
        Ok(vec![Change::Used {
            order_id: wanted.order_id.clone(),
            request_id: context.request_id.clone(),
            amount: wanted.amount,
            balance,
        }])
    }

    fn refund(&self, refund: &Refund, context: &Context<'_, Change>) -> Decision {
        let amount = refund.amount.get();
        let change = match reservation::release(context.prior, amount, Change::effect)? {
            reservation::Release::Repeat => return Ok(vec![]),
            reservation::Release::Undo => Change::Refunded {
                order_id: refund.order_id.clone(),
                request_id: context.request_id.clone(),
                amount: refund.amount,
                balance: self.balance.saturating_add(amount),
            },
            reservation::Release::Bury => Change::Tombstoned {
                order_id: refund.order_id.clone(),
                request_id: reservation::closes(context.request_id),
                amount: refund.amount,
                balance: self.balance,
            },
        };
        Ok(vec![change])
    }

    fn charge(&self, charge: &Charge) -> Decision {
        let balance = self.balance.saturating_add(charge.amount.get());
        if balance > BALANCE_MAX {
            return Err(Refusal::AmountTooLarge);
        }
        Ok(vec![Change::Charged {
            amount: charge.amount,
            balance,
        }])
    }
}

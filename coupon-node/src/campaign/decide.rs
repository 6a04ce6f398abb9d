//! What a campaign decides. Pure: state, command and what is known of the request go in; changes
//! or a refusal come out.

use messages::{
    EntityId, Refusal,
    coupon::{Command, Create, Issue, Restore, Use},
};
use node::{
    entity::{Context, Prior},
    reservation,
};

use super::{
    QUANTITY_MAX,
    change::{Change, ONE},
    state::Facts,
};

type Decision = Result<Vec<Change>, Refusal>;

/// Decides for a campaign that was never made.
pub(super) fn missing(id: &EntityId, command: &Command) -> Decision {
    match command {
        Command::Create(create) => make(id, create),
        // Nothing was ever used here, and nothing ever will be: ids are drawn, never given.
        Command::Restore(_) => Ok(vec![]),
        Command::Use(_) | Command::Issue(_) | Command::Get => Err(Refusal::CouponNotFound),
    }
}

/// Decides for a campaign that was made.
pub(super) fn existing(
    campaign: &Facts,
    command: &Command,
    context: &Context<'_, Change>,
) -> Decision {
    match command {
        Command::Use(using) => campaign.take(using, context),
        Command::Restore(restore) => give_back(restore, context),
        Command::Issue(issue) => campaign.issue(issue, context),
        Command::Create(_) | Command::Get => Ok(vec![]),
    }
}

fn make(id: &EntityId, create: &Create) -> Decision {
    let id = id.as_str().parse().map_err(|_| Refusal::CouponNotFound)?;
    if !create.discount.is_valid() || !(1..=QUANTITY_MAX).contains(&create.quantity) {
        return Err(Refusal::AmountTooLarge);
    }
    Ok(vec![Change::Created {
        id,
        campaign: create.clone(),
    }])
}

impl Facts {
    fn issue(&self, issue: &Issue, context: &Context<'_, Change>) -> Decision {
        match context.prior {
            Prior::Done(_) => return Ok(vec![]),
            Prior::OtherBody => return Err(Refusal::RequestMismatch),
            // A key that only looks like one of a use or its undoing undoes nothing here.
            Prior::New | Prior::Counterpart(_) => {}
        }
        if self.coupons.number_of(&issue.user_id).is_some() {
            return Err(Refusal::CouponAlreadyIssued);
        }
        let number = self.coupons.issued() + 1;
        let Some(remaining) = self.about.quantity.checked_sub(number) else {
            return Err(Refusal::CouponExhausted);
        };
        if self.has_expired(context) {
            return Err(unusable("it has expired"));
        }
        Ok(vec![Change::Issued {
            coupon_id: self.about.id,
            name: self.about.name.clone(),
            user_id: issue.user_id.clone(),
            number,
            remaining,
            keyed: issue.keyed,
        }])
    }

    fn take(&self, using: &Use, context: &Context<'_, Change>) -> Decision {
        let effect = |change: &Change| change.effect(using.order_id, &using.user_id);
        match reservation::reserve(context.prior, effect)? {
            reservation::Reserve::Repeat => return Ok(vec![]),
            reservation::Reserve::Take => {}
        }
        let number = self.coupons.number_of(&using.user_id);
        let Some((number, coupon)) = number.and_then(|n| Some((n, self.coupons.get(n)?))) else {
            return Err(unusable("it was not issued to this user"));
        };
        if coupon.usage.is_some() {
            return Err(unusable("it is used already"));
        }
        if self.about.valid_from.is_some_and(|from| context.now < from) {
            return Err(unusable("it is not valid yet"));
        }
        if self.has_expired(context) {
            return Err(unusable("it has expired"));
        }
        if using.subtotal < self.about.minimum_amount {
            let minimum = self.about.minimum_amount;
            return Err(unusable(&format!(
                "the order is below its minimum of {minimum}"
            )));
        }
        Ok(vec![Change::Used {
            coupon_id: self.about.id,
            name: self.about.name.clone(),
            order_id: using.order_id,
            request_id: context.request_id.clone(),
            user_id: using.user_id.clone(),
            number,
            subtotal: using.subtotal,
            discount: self.about.discount.of(using.subtotal),
        }])
    }

    fn has_expired(&self, context: &Context<'_, Change>) -> bool {
        let until = self.about.valid_until;
        until.is_some_and(|until| until <= context.now)
    }
}

fn give_back(restore: &Restore, context: &Context<'_, Change>) -> Decision {
    let effect = |change: &Change| change.effect(restore.order_id, &restore.user_id);
    match reservation::release(context.prior, ONE, effect)? {
        reservation::Release::Repeat => Ok(vec![]),
        reservation::Release::Undo => context
            .prior
            .change()
            .and_then(|change| change.undone(context.request_id))
            .map(|undone| vec![undone])
            .ok_or(Refusal::RequestMismatch),
        reservation::Release::Bury => Ok(vec![Change::Tombstoned {
            order_id: restore.order_id,
            request_id: reservation::closes(context.request_id),
            user_id: restore.user_id.clone(),
        }]),
    }
}

fn unusable(reason: &str) -> Refusal {
    Refusal::CouponNotUsable {
        reason: reason.to_owned(),
    }
}

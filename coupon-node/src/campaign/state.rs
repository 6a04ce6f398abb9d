//! What a campaign keeps in memory.
//!
//! The host clones a state for every decision that changes it, so what grows is kept in persistent
//! collections: a clone shares all but the path to what was changed.

use std::sync::Arc;

use messages::{
    CouponId, Money, OrderId, Timestamp, UserId,
    coupon::{Create, Discount, View},
};
use rpds::{RedBlackTreeMapSync, VectorSync};

/// A campaign that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) about: Arc<About>,
    pub(super) coupons: Coupons,
}

/// What is said of a campaign when it is made, and never changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) id: CouponId,
    pub(super) name: String,
    pub(super) discount: Discount,
    pub(super) minimum_amount: Money,
    pub(super) quantity: u32,
    pub(super) valid_from: Option<Timestamp>,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) created_at: Timestamp,
}

/// A coupon that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coupon {
    pub(super) user_id: UserId,
    pub(super) issued_at: Timestamp,
    pub(super) usage: Option<Usage>,
}

/// What a coupon is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) order_id: OrderId,
    pub(super) used_at: Timestamp,
}

/// The coupons that were issued: numbered from 1, one to a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coupons {
    by_number: VectorSync<Coupon>,
    by_user: RedBlackTreeMapSync<UserId, u32>,
}

impl Facts {
    pub(super) fn new(id: CouponId, campaign: &Create, at: Timestamp) -> Self {
        Self {
            about: Arc::new(About {
                id,
                name: campaign.name.clone(),
                discount: campaign.discount.clone(),
                minimum_amount: campaign.minimum_amount,
                quantity: campaign.quantity,
                valid_from: campaign.valid_from,
                valid_until: campaign.valid_until,
                created_at: at,
            }),
            coupons: Coupons::default(),
        }
    }

    pub(super) fn view(&self) -> View {
        let about = &*self.about;
        View {
            id: about.id,
            name: about.name.clone(),
            discount: about.discount.clone(),
            minimum_amount: about.minimum_amount,
            quantity: about.quantity,
            issued: self.coupons.issued(),
            valid_from: about.valid_from,
            valid_until: about.valid_until,
            created_at: about.created_at,
        }
    }
}

impl Coupons {
    /// How many were issued.
    pub(super) fn issued(&self) -> u32 {
        u32::try_from(self.by_number.len()).expect("a campaign has few coupons")
    }

    /// The number of a user's coupon.
    pub(super) fn number_of(&self, user: &UserId) -> Option<u32> {
        self.by_user.get(user).copied()
    }

    /// The coupon of this number.
    pub(super) fn get(&self, number: u32) -> Option<&Coupon> {
        self.by_number.get(index(number)?)
    }

    /// All coupons and their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Coupon)> {
        (1..).zip(&self.by_number)
    }

    /// Adds the next coupon.
    pub(super) fn push(&mut self, coupon: Coupon) {
        self.by_user
            .insert_mut(coupon.user_id.clone(), self.issued() + 1);
        self.by_number.push_back_mut(coupon);
    }

    pub(super) fn issue(&mut self, user_id: UserId, issued_at: Timestamp) {
        self.push(Coupon {
            user_id,
            issued_at,
            usage: None,
        });
    }

    pub(super) fn take(&mut self, number: u32, order_id: OrderId, used_at: Timestamp) {
        self.set(number, Some(Usage { order_id, used_at }));
    }

    /// Frees a coupon from its order; from no other.
    pub(super) fn give_back(&mut self, number: u32, order_id: OrderId) {
        let usage = self.get(number).and_then(|coupon| coupon.usage);
        if usage.is_some_and(|usage| usage.order_id == order_id) {
            self.set(number, None);
        }
    }

    fn set(&mut self, number: u32, usage: Option<Usage>) {
        if let (Some(index), Some(coupon)) = (index(number), self.get(number)) {
            let coupon = Coupon {
                usage,
                ..coupon.clone()
            };
            self.by_number.set_mut(index, coupon);
        }
    }
}

/// Where the coupon of this number stands.
fn index(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

//! How a customer collects points and coupons, and looks at what there is; what he is told of it
//! must have been so.

use messages::{
    EntityId, Refusal, RequestId, Service,
    coupon::{self, Issue},
    point::{self, Charge},
};

use crate::{
    asking,
    customer::{Customer, money},
};

impl Customer {
    pub(crate) async fn charge(&mut self) {
        let key = self.key();
        let wallet = EntityId::from(self.user.as_str());
        let charge = point::Command::Charge(Charge {
            amount: money(self.chance.between(100, 4_000)),
        });
        let times = self.chance.between(1, 4);
        let ask = asking::of(&wallet, charge, Some(&key));
        let told = asking::often(&self.shop.points, &self.chance, &ask, times).await;
        let mut spec = self.shop.spec();
        let account = spec.account(Service::Point, &wallet);
        let by_ledger = account.and_then(|a| a.told.get(&RequestId::from(key.as_str())));
        match &told {
            None => {}
            Some(Ok(point::Reply::Charged(charged))) if by_ledger == Some(&charged.balance) => {}
            other => spec.wrong(|| format!("{} was told {other:?} of a charge", self.user)),
        }
    }

    pub(crate) async fn collect(&mut self) {
        if self.shelves.campaigns.is_empty() {
            return;
        }
        let campaign = self.chance.pick(&self.shelves.campaigns).clone();
        let key = self.chance.percent(50).then(|| self.key());
        let issue = coupon::Command::Issue(Issue {
            user_id: self.user.clone(),
            keyed: key.is_some(),
        });
        let since = self.shop.spec().version(Service::Coupon, &campaign);
        let ask = asking::of(&campaign, issue, key.as_deref());
        let told = asking::often(&self.shop.coupons, &self.chance, &ask, 3).await;
        let mut spec = self.shop.spec();
        let account = spec.account(Service::Coupon, &campaign);
        let mine = account.and_then(|a| a.coupons.get(self.user.as_str()));
        let so = match &told {
            None => true,
            Some(Ok(coupon::Reply::Issued(issued))) => {
                mine.is_some_and(|(number, _)| *number == issued.number)
            }
            Some(Err(Refusal::CouponAlreadyIssued)) => mine.is_some(),
            Some(Err(Refusal::CouponExhausted)) => {
                spec.was_left(Service::Coupon, &campaign, since, 0)
            }
            Some(_) => false,
        };
        if !so {
            spec.wrong(|| format!("{} was told {told:?} of {campaign}", self.user));
        }
    }

    pub(crate) async fn look(&mut self) {
        let product = self.chance.pick(&self.shelves.products).clone();
        let since = self.shop.spec().version(Service::Product, &product);
        let ask = asking::of(&product, messages::product::Command::Get, None);
        let told = asking::once(&self.shop.products, &self.chance, ask).await;
        if let Some(told) = told {
            let stock = match told {
                Ok(messages::product::Reply::Product(view)) => Some(view.stock),
                _ => None,
            };
            let mut spec = self.shop.spec();
            if !stock.is_some_and(|s| spec.was_left(Service::Product, &product, since, s)) {
                spec.wrong(|| format!("{} saw {stock:?} of {product}", self.user));
            }
        }
        let wallet = EntityId::from(self.user.as_str());
        let since = self.shop.spec().version(Service::Point, &wallet);
        let ask = asking::of(&wallet, point::Command::Get, None);
        if let Some(told) = asking::once(&self.shop.points, &self.chance, ask).await {
            let balance = match told {
                Ok(point::Reply::Wallet(view)) => Some(view.balance),
                _ => None,
            };
            let mut spec = self.shop.spec();
            if !balance.is_some_and(|b| spec.was_left(Service::Point, &wallet, since, b)) {
                spec.wrong(|| format!("{} saw {balance:?} points", self.user));
            }
        }
    }
}

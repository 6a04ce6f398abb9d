//! What clients ask for next, made from the plan and from what was created for it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use axum::http::Method;

use super::crowd::Crowd;
use super::scenario::{Plan, Wants};
use super::schedule::{Draw, Zipf};
use super::shop::Shop;
use super::sold::Sold;
use super::target::Target;

/// One request, and what its answer has to be.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// The path, and the query where there is one.
    pub(super) path: Cow<'static, str>,
    pub(super) body: String,
    pub(super) wish: Wish,
    /// The goods that it takes a piece of, by their places in the shop.
    pub(super) takes: Vec<usize>,
}

/// What is wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// An order, to be confirmed.
    Order,
    /// A coupon, to be issued.
    Coupon,
    /// Something to read.
    Read,
}

/// The work of one run.
pub(super) struct Work {
    plan: Plan,
    shop: Shop,
    crowd: Option<Crowd>,
    zipf: Option<Zipf>,
    begun: AtomicU64,
}

/// Of so many requests one is an order, where most only read.
const ONE_ORDER_IN: usize = 5;
/// So many users ask for coupons: nearly nobody asks twice.
const USERS: usize = 1_000_000;

impl Work {
    /// Creates what the plan needs.
    pub(super) async fn prepare(target: Target, plan: Plan) -> Result<Self> {
        let shop = Shop::open(target, plan).await?;
        let crowd = match (plan.wants, plan.requests_max) {
            (Wants::WholeOrders, Some(orders)) => Some(Crowd::gather(target, orders).await?),
            _ => None,
        };
        Ok(Self {
            plan,
            shop,
            crowd,
            zipf: plan.skewed.then(|| Zipf::new(plan.goods)),
            begun: AtomicU64::new(0),
        })
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The next request; `None` where there is no more to ask for.
    pub(super) fn next(&self, draw: &mut Draw) -> Option<Request> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        if self.plan.requests_max.is_some_and(|max| number >= max) {
            return None;
        }
        Some(match self.plan.wants {
            Wants::Orders => self.order(draw, "u-1", ""),
            Wants::WholeOrders => {
                let crowd = self
                    .crowd
                    .as_ref()
                    .expect("it was gathered for these orders");
                self.order(draw, &Crowd::user(number), crowd.pays_by())
            }
            Wants::Coupons => self.coupon(draw),
            Wants::OrdersAndReads if draw.below(ONE_ORDER_IN) == 0 => self.order(draw, "u-1", ""),
            Wants::OrdersAndReads => self.read(draw),
        })
    }

    /// Demands that the goods fell by what was sold of them.
    pub(super) async fn check(&self, target: Target, sold: &[Sold]) -> Result<()> {
        self.shop.check(target, sold).await
    }

    fn order(&self, draw: &mut Draw, buyer: &str, more: &str) -> Request {
        let takes = self.choose(draw);
        let mut body = String::with_capacity(128 * takes.len());
        let _ = write!(body, r#"{{"buyerId":"{buyer}","items":["#);
        for (n, place) in takes.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let id = self.shop.id(*place);
            let _ = write!(body, r#"{comma}{{"productId":"{id}","quantity":1}}"#);
        }
        let _ = write!(body, "]{more}}}");
        Request {
            method: Method::POST,
            path: "/orders".into(),
            body,
            wish: Wish::Order,
            takes,
        }
    }

    fn coupon(&self, draw: &mut Draw) -> Request {
        let takes = self.choose(draw);
        Request {
            method: Method::POST,
            path: format!("/coupons/{}/issue", self.shop.id(takes[0])).into(),
            body: format!(r#"{{"userId":"u-{}"}}"#, draw.below(USERS)),
            wish: Wish::Coupon,
            takes,
        }
    }

    fn read(&self, draw: &mut Draw) -> Request {
        let path = if draw.below(4) == 0 {
            "/stats/products/top".into()
        } else {
            let id = self.shop.id(self.choose(draw)[0]);
            format!("/products/{id}").into()
        };
        Request {
            method: Method::GET,
            path,
            body: String::new(),
            wish: Wish::Read,
            takes: Vec::new(),
        }
    }

    /// As many different goods as an order has lines.
    fn choose(&self, draw: &mut Draw) -> Vec<usize> {
        let mut chosen = Vec::with_capacity(self.plan.lines);
        while chosen.len() < self.plan.lines.min(self.plan.goods) {
            let place = match &self.zipf {
                Some(zipf) => zipf.draw(draw),
                None => draw.below(self.plan.goods),
            };
            if !chosen.contains(&place) {
                chosen.push(place);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::scenario::Scenario;
    use super::*;

    #[test]
    fn an_order_takes_as_many_different_products_as_it_has_lines() {
        let work = work(Scenario::Baskets.plan());
        let mut draw = Draw::new(7);
        for _ in 0..100 {
            let request = work.next(&mut draw).expect("time ends it, not a number");
            let order: Value = serde_json::from_str(&request.body).expect("JSON");
            let items = order["items"].as_array().expect("lines");
            let mut ids: Vec<_> = items
                .iter()
                .map(|item| item["productId"].to_string())
                .collect();
            ids.sort();
            ids.dedup();
            assert_eq!((ids.len(), request.takes.len()), (5, 5));
            assert_eq!(items[0]["productId"], format!("id-{}", request.takes[0]));
        }
    }

    #[test]
    fn requests_that_are_counted_end() {
        let work = work(Scenario::Burst.plan());
        let mut draw = Draw::new(7);
        let asked = std::iter::from_fn(|| work.next(&mut draw)).count();
        assert_eq!(asked, 1_000);
        assert!(work.next(&mut draw).is_none());
    }

    #[test]
    fn coupons_are_asked_for_by_many_and_reads_take_nothing() {
        let mut draw = Draw::new(7);
        let coupons = work(Scenario::Coupons.plan());
        let request = coupons.next(&mut draw).expect("time ends it");
        assert_eq!(request.wish, Wish::Coupon);
        let place = request.takes[0];
        assert_eq!(request.path, format!("/coupons/id-{place}/issue"));
        let mixed = work(Scenario::Mixed.plan());
        let requests: Vec<_> = (0..1_000).filter_map(|_| mixed.next(&mut draw)).collect();
        let orders = requests.iter().filter(|r| r.wish == Wish::Order).count();
        assert!((150..250).contains(&orders), "{orders}");
        let reads = requests.iter().filter(|r| r.wish == Wish::Read);
        assert!(reads.clone().all(|read| read.takes.is_empty()));
    }

    fn work(plan: Plan) -> Work {
        Work {
            plan,
            shop: Shop::pretended(plan),
            crowd: None,
            zipf: None,
            begun: AtomicU64::new(0),
        }
    }
}

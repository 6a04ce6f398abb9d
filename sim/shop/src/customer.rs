//! A customer: orders, waits or gives up, asks again, cancels, tries again, pays; and checks what he
//! is told. How he collects points and coupons is in `collecting`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use messages::{
    Digest, EntityId, Money, Origin, ProductId, Quantity, Refusal, Service, UserId,
    order::{Command, Item, PayBy, Place, Reply, Retry, Shortage, Status, View},
};
use node::host::{Ask, CreationKey, Target};
use order_node::shortages::Shortages;
use sim::Chance;
use tokio::time::sleep;

use crate::{asking, keeper::Shelves, paying, plan::Plan, shop::Shop};

/// How long a request waits for its order to come to rest.
const SETTLE: Duration = Duration::from_millis(2_500);
/// The call that an order's key belongs to.
const CALL: &str = "POST /orders";

/// A customer.
pub(crate) struct Customer {
    pub(crate) shop: Arc<Shop>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) chance: Chance,
    pub(crate) shelves: Shelves,
    pub(crate) user: UserId,
    /// By what he asks first, with a chance of its own: seeds that were kept draw all else as before.
    door: Chance,
    number: u64,
    keys: u64,
}

impl Customer {
    pub(crate) fn new(shop: &Arc<Shop>, plan: &Arc<Plan>, shelves: &Shelves, number: u64) -> Self {
        Self {
            shop: Arc::clone(shop),
            plan: Arc::clone(plan),
            chance: Chance::new(plan.seed, "customer", number),
            shelves: shelves.clone(),
            door: Chance::new(plan.seed, "door", number),
            user: format!("u-{number}").parse().expect("a name"),
            number,
            keys: 0,
        }
    }

    /// Does all that he came for.
    pub(crate) async fn visit(mut self) {
        for _ in 0..self.plan.orders_each {
            let think = *self.chance.pick(&[0, 0, 5, 50, 300, 900]);
            sleep(Duration::from_millis(self.chance.between(0, think))).await;
            match self.chance.below(100) {
                0..15 => self.charge().await,
                15..30 => self.collect().await,
                30..40 => self.look().await,
                _ => {}
            }
            self.order().await;
        }
    }

    pub(crate) fn key(&mut self) -> String {
        self.keys += 1;
        format!("u-{}-{}", self.number, self.keys)
    }

    /// Places an order and sees what becomes of it.
    async fn order(&mut self) {
        let mut place = self.basket();
        if self.door.percent(25) {
            place.short = self.ask_first(&place.items).await;
        }
        let external = matches!(place.payment, Some(PayBy::External));
        let key = self.chance.percent(85).then(|| self.key());
        let repeats = if key.is_some() {
            self.chance.between(1, 12)
        } else {
            1
        };
        let settle = self.chance.percent(80).then_some(SETTLE);
        let ask = Ask {
            target: Target::New {
                key: key.map(|key| CreationKey {
                    call: CALL.into(),
                    key,
                    digest: Digest::of(CALL, &place.items),
                }),
            },
            command: Command::Place(place),
            request_id: None,
            origin: Origin::Client,
            settle,
            traceparent: None,
        };
        let Some(mut view) = self.told(&ask, None, repeats).await else {
            return;
        };
        // A repeat says the same order.
        if repeats > 1 && self.chance.percent(20) {
            match self.told(&ask, None, 1).await {
                Some(again) if again.id != view.id => {
                    let both = format!("{} and {}", view.id, again.id);
                    self.shop
                        .spec()
                        .wrong(|| format!("one key, two orders: {both}"));
                }
                Some(again) => view = again,
                None => {}
            }
        }
        let order = view.id.entity();
        for _ in 0..self.chance.below(4) {
            sleep(Duration::from_millis(self.chance.between(0, 400))).await;
            let seen = match view.status {
                Status::Pending if external => paying::pay(self, &view).await,
                Status::Confirmed if self.chance.percent(60) => self.cancel(&order).await,
                Status::Failed if self.chance.percent(60) => self.retry(&order).await,
                _ => self.read(&order).await,
            };
            view = seen.unwrap_or(view);
        }
        if external && view.status == Status::Pending {
            paying::pay(self, &view).await;
        }
    }

    fn basket(&self) -> Place {
        let mut products = self.shelves.products.clone();
        let mut items = Vec::new();
        let lines = *self.chance.pick(&[1, 1, 2, 3]);
        while items.len() < lines && !products.is_empty() {
            // The first is the one that everybody wants.
            let hot = self.chance.percent(50);
            let n = if hot {
                0
            } else {
                self.chance.below(products.len() as u64)
            };
            let product = products.remove(usize::try_from(n).unwrap_or(0));
            let quantity = u32::try_from(self.chance.between(1, 3)).ok();
            items.push(Item {
                product_id: product.as_str().parse().expect("a product's id"),
                quantity: quantity.and_then(Quantity::new).expect("a few pieces"),
            });
        }
        let points = self.chance.percent(40);
        let points = points.then(|| money(self.chance.between(1, 3_000)));
        let coupons = !self.shelves.campaigns.is_empty() && self.chance.percent(35);
        let coupon = coupons.then(|| self.chance.pick(&self.shelves.campaigns));
        let payment = match self.chance.below(100) {
            0..45 => None,
            45..90 => {
                let tokens = [
                    "approve", "approve", "approve", "decline", "timeout", "late", "twice",
                ];
                let token = self.chance.pick(&tokens).parse().expect("a token");
                Some(PayBy::Card { token })
            }
            _ => Some(PayBy::External),
        };
        Place {
            buyer_id: self.user.clone(),
            items,
            points,
            coupon_id: coupon.map(|id| id.as_str().parse().expect("a campaign's id")),
            payment,
            deadline_ms: self.plan.deadline_ms,
            payment_deadline_ms: self.plan.payment_deadline_ms,
            short: None,
        }
    }

    /// Has the products asked how many are left, as the edge does of those that ran short lately.
    async fn ask_first(&self, items: &[Item]) -> Option<Shortage> {
        let (service, life) = self.shop.orders.any(&self.door)?;
        let version = |product: ProductId| {
            self.shop
                .spec()
                .version(Service::Product, &product.entity())
        };
        let since: BTreeMap<_, _> = items
            .iter()
            .map(|item| (item.product_id, version(item.product_id)))
            .collect();
        let shortages = Shortages::new(service);
        shortages.note(since.keys().copied());
        let short = tokio::select! {
            biased;
            () = life.over() => None,
            short = shortages.of(items) => short,
        }?;
        let (product, left) = (short.product_id.entity(), short.available);
        let mut spec = self.shop.spec();
        if !spec.was_left(Service::Product, &product, since[&short.product_id], left) {
            spec.wrong(|| format!("{} was held at the door by {short:?}", self.user));
        }
        Some(short)
    }

    async fn read(&mut self, order: &EntityId) -> Option<View> {
        let ask = asking::of(order, Command::Get, None);
        self.told(&ask, Some(order), 2).await
    }

    async fn cancel(&mut self, order: &EntityId) -> Option<View> {
        let key = self.key();
        let ask = Ask {
            settle: self.chance.percent(70).then_some(SETTLE),
            ..asking::of(order, Command::Cancel, Some(&format!("cancel {key}")))
        };
        let times = self.chance.between(1, 6);
        self.told(&ask, Some(order), times).await
    }

    async fn retry(&mut self, order: &EntityId) -> Option<View> {
        let key = self.key();
        let retry = Command::Retry(Retry {
            deadline_ms: self.plan.deadline_ms,
            payment_deadline_ms: self.plan.payment_deadline_ms,
        });
        let ask = Ask {
            settle: self.chance.percent(70).then_some(SETTLE),
            ..asking::of(order, retry, Some(&format!("retry {key}")))
        };
        let times = self.chance.between(1, 6);
        self.told(&ask, Some(order), times).await
    }

    /// Asks an order, and checks that what is told was so.
    pub(crate) async fn told(
        &self,
        ask: &Ask<Command>,
        order: Option<&EntityId>,
        times: u64,
    ) -> Option<View> {
        let since = order.map_or(0, |order| self.shop.spec().order_version(order));
        let told = asking::often(&self.shop.orders, &self.chance, ask, times).await?;
        self.shop.trace.line(|| said(&self.user, &told));
        let mut spec = self.shop.spec();
        match told {
            Ok(Reply { order: view, .. }) => {
                let id = view.id.entity();
                if !spec.order_was(&id, since, view.status, view.cancelling, view.updated_at) {
                    spec.wrong(|| format!("{} was told {view:?}, which was never so", self.user));
                }
                Some(view)
            }
            Err(Refusal::InvalidState { .. }) => None,
            Err(Refusal::OrderNotFound) if order.is_none_or(|o| spec.order(o).is_none()) => None,
            Err(refusal) => {
                spec.wrong(|| format!("{} was told {refusal:?} of {order:?}", self.user));
                None
            }
        }
    }
}

fn said(user: &UserId, told: &Result<Reply, Refusal>) -> String {
    match told {
        Ok(Reply { order, refusal }) => {
            let why = refusal.as_ref().map_or("", Refusal::code);
            format!("{user:<7} is told {} {:?} {why}", order.id, order.status)
        }
        Err(refusal) => format!("{user:<7} is told {}", refusal.code()),
    }
}

pub(crate) fn money(amount: u64) -> Money {
    let amount = i64::try_from(amount).ok().and_then(Money::new);
    amount.expect("an amount")
}

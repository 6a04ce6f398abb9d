//! Who keeps the shop: makes products and campaigns, fills up stocks, changes prices, takes things
//! off sale; and another order system, which takes pieces and gives them back.

use std::{sync::Arc, time::Duration};

use messages::{
    Digest, EntityId, Money, Origin, Quantity, RequestId,
    coupon::{self, Discount, DiscountKind},
    envelope::Written,
    product::{self, Adjust, AdjustReason, Command, Create, Edit, Release, Reply, Reserve, Status},
};
use node::host::{Ask, CreationKey, Target};
use sim::Chance;
use tokio::{sync::watch, time::sleep};

use crate::{asking, plan::Plan, shop::Shop};

/// How often a creation is asked for: until there is an answer.
const UNTIL_ANSWERED: u64 = 10_000;

/// What there is to be bought, and what takes something off.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelves {
    pub(crate) products: Vec<EntityId>,
    pub(crate) campaigns: Vec<EntityId>,
}

/// Makes what there is to be bought.
pub(crate) async fn open(shop: &Shop, plan: &Plan) -> Shelves {
    let chance = Chance::new(plan.seed, "keeper", 0);
    let mut shelves = Shelves::default();
    for n in 0..plan.products {
        let create = Command::Create(Create {
            name: format!("product {n}"),
            price: Money::new(i64::try_from(chance.between(1, 40) * 100).unwrap_or(0))
                .expect("an amount"),
            stock: *chance.pick(&[0, 5, 20, 80]),
        });
        let ask = create_ask("POST /products", n, "product.create", &create);
        let told = asking::often(&shop.products, &chance, &ask, UNTIL_ANSWERED).await;
        match told {
            Some(Ok(Reply::Product(view))) => shelves.products.push(view.id.entity()),
            other => shop
                .spec()
                .wrong(|| format!("a product was not made: {other:?}")),
        }
    }
    for n in 0..plan.campaigns {
        let percent = chance.percent(50);
        let create = coupon::Command::Create(coupon::Create {
            name: format!("campaign {n}"),
            discount: Discount {
                kind: if percent {
                    DiscountKind::Percent
                } else {
                    DiscountKind::Fixed
                },
                value: if percent { 10 } else { 300 },
                maximum: None,
            },
            minimum_amount: Money::new(100).expect("an amount"),
            quantity: u32::try_from(*chance.pick(&[3, 8, 100])).unwrap_or(1),
            valid_from: None,
            valid_until: None,
        });
        let ask = create_ask("POST /coupons", n, "coupon.create", &create);
        let told = asking::often(&shop.coupons, &chance, &ask, UNTIL_ANSWERED).await;
        match told {
            Some(Ok(coupon::Reply::Campaign(view))) => shelves.campaigns.push(view.id.entity()),
            other => shop
                .spec()
                .wrong(|| format!("a campaign was not made: {other:?}")),
        }
    }
    shelves
}

fn create_ask<C: messages::Body + Clone>(call: &str, n: u64, kind: &str, create: &C) -> Ask<C> {
    Ask {
        target: Target::New {
            key: Some(CreationKey {
                call: call.into(),
                key: format!("new-{n}"),
                digest: Digest::of(kind, &Written(create)),
            }),
        },
        command: create.clone(),
        request_id: None,
        origin: Origin::Client,
        settle: None,
        traceparent: None,
    }
}

/// Keeps the shop until it closes.
pub(crate) async fn keep(
    shop: Arc<Shop>,
    plan: Arc<Plan>,
    shelves: Shelves,
    closing: watch::Receiver<bool>,
) {
    let chance = Chance::new(plan.seed, "keeper", 1);
    let mut taken: Vec<(EntityId, String, Quantity)> = Vec::new();
    let mut number = 0;
    while !*closing.borrow() {
        sleep(Duration::from_millis(chance.between(20, 400))).await;
        let product = chance.pick(&shelves.products).clone();
        number += 1;
        match chance.below(100) {
            0..45 => adjust(&shop, &chance, &product, number, true).await,
            45..55 => adjust(&shop, &chance, &product, number, false).await,
            55..75 => edit(&shop, &chance, &product, number).await,
            75..88 => {
                let quantity = pieces(&chance);
                let order = format!("elsewhere-{number}");
                let reserve = Command::Reserve(Reserve {
                    order_id: order.clone(),
                    quantity,
                });
                by_order(&shop, &chance, &product, &format!("DEC-{order}"), reserve).await;
                taken.push((product, order, quantity));
            }
            _ => {
                let Some((product, order, quantity)) = taken.pop() else {
                    continue;
                };
                let release = Command::Release(Release {
                    order_id: order.clone(),
                    quantity,
                    reason: None,
                });
                by_order(&shop, &chance, &product, &format!("INC-{order}"), release).await;
            }
        }
    }
}

async fn adjust(shop: &Shop, chance: &Chance, product: &EntityId, number: u64, more: bool) {
    let pieces = i64::try_from(chance.between(1, 12)).unwrap_or(1);
    let delta = if more { pieces } else { -pieces };
    let key = format!("adjust-{number}");
    let command = Command::Adjust(Adjust {
        delta,
        reason: AdjustReason::Manual,
    });
    let since = shop.spec().version(messages::Service::Product, product);
    let ask = asking::of(product, command, Some(&key));
    let told = asking::often(&shop.products, chance, &ask, 3).await;
    let mut spec = shop.spec();
    let account = spec.account(messages::Service::Product, product);
    let wrong = match &told {
        Some(Ok(Reply::Adjusted(adjusted))) => {
            let by_ledger = account.and_then(|a| a.told.get(&RequestId::from(key.as_str())));
            (by_ledger != Some(&adjusted.remaining)).then(|| format!("{by_ledger:?} by the ledger"))
        }
        Some(Err(messages::Refusal::InsufficientStock { available, .. })) => {
            (!spec.was_left(messages::Service::Product, product, since, *available))
                .then(|| "never so many left meanwhile".to_owned())
        }
        Some(other) => Some(format!("no answer to this: {other:?}")),
        None => None,
    };
    if let Some(why) = wrong {
        spec.wrong(|| format!("the keeper was told {told:?} of {product}: {why}"));
    }
}

async fn edit(shop: &Shop, chance: &Chance, product: &EntityId, number: u64) {
    let mut edit = Edit::default();
    match chance.below(4) {
        0 => edit.price = Money::new(i64::try_from(chance.between(1, 40) * 100).unwrap_or(0)),
        1 => edit.name = Some(format!("product, edited {number} times")),
        2 => edit.status = Some(Status::Discontinued),
        _ => edit.status = Some(Status::Active),
    }
    let off = edit.status == Some(Status::Discontinued);
    let key = format!("edit-{number}");
    let ask = asking::of(product, Command::Edit(edit), Some(&key));
    asking::often(&shop.products, chance, &ask, 3).await;
    if off {
        // Not for long, or nothing would be sold.
        sleep(Duration::from_millis(chance.between(10, 200))).await;
        let back = Edit {
            status: Some(Status::Active),
            ..Edit::default()
        };
        let key = format!("edit-{number}-back");
        let ask = asking::of(product, Command::Edit(back), Some(&key));
        asking::often(&shop.products, chance, &ask, 20).await;
    }
}

async fn by_order(
    shop: &Shop,
    chance: &Chance,
    product: &EntityId,
    id: &str,
    command: product::Command,
) {
    let ask = Ask {
        origin: Origin::Rest,
        ..asking::of(product, command, Some(id))
    };
    asking::often(&shop.products, chance, &ask, 3).await;
}

fn pieces(chance: &Chance) -> Quantity {
    let pieces = u32::try_from(chance.between(1, 4)).ok();
    pieces.and_then(Quantity::new).expect("a few pieces")
}

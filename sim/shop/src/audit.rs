//! Whether the books agree at the end of a run: what `onhand audit` checks in databases, checked in
//! the tables of a simulation.

use std::collections::BTreeMap;

use messages::{EntityId, Money, Origin, RequestId, Service, order::Status, payment::merchant_uid};
use node::{entity::Entity as _, table::Value};
use order_node::order::Order;
use serde::Deserialize;

use crate::{
    shop::Shop,
    spec::{Account, Deed, Spec},
};

/// A part of an order, as its row has it.
#[derive(Debug, Deserialize)]
struct Part {
    step: String,
    entity: EntityId,
    attempt: u32,
    amount: i64,
    hold: String,
}

/// An order as its database has it.
struct Kept {
    order: messages::order::View,
    parts: Vec<Part>,
    paid_here: bool,
}

/// Checks everything.
pub(crate) fn check(shop: &Shop) -> Result<(), String> {
    let orders = orders(shop)?;
    let spec = shop.spec();
    for kept in orders.values() {
        order(&spec, kept).map_err(|why| format!("order {}: {why}", kept.order.id))?;
    }
    for ((service, entity), account) in spec.accounts() {
        account_of(&orders, &spec, *service, entity, account)
            .map_err(|why| format!("{service} {entity}: {why}"))?;
    }
    drop(spec);
    money(shop, &orders)
}

fn orders(shop: &Shop) -> Result<BTreeMap<EntityId, Kept>, String> {
    shop.orders.disk().read(|tables| {
        let states = tables.states.iter().map(|(id, kept)| {
            let unreadable = |what: String| format!("order {id} cannot be read: {what}");
            let order = Order::from_row(id, kept.row.clone());
            let order = order.map_err(|error| unreadable(error.to_string()))?;
            let column = |name: &str| {
                let mut columns = Order::TABLE.columns.iter();
                let place = columns.position(|column| column.name == name);
                place.and_then(|place| kept.row.values.get(place))
            };
            let parts = match column("parts") {
                Some(Value::Text(Some(parts))) => serde_json::from_str(parts),
                _ => Ok(Vec::new()),
            };
            let known = Kept {
                order: order.view().ok_or_else(|| unreadable("nothing".into()))?,
                parts: parts.map_err(|error| unreadable(error.to_string()))?,
                paid_here: matches!(column("payment"), Some(Value::Text(Some(_)))),
            };
            Ok((id.clone(), known))
        });
        states.collect()
    })
}

fn service_of(step: &str) -> Result<Service, String> {
    match step {
        "stock" => Ok(Service::Product),
        "points" => Ok(Service::Point),
        "coupon" => Ok(Service::Coupon),
        "payment" => Ok(Service::Payment),
        other => Err(format!("a step {other:?}")),
    }
}

/// What an order at rest says of itself, against what was done for it.
fn order(spec: &Spec, kept: &Kept) -> Result<(), String> {
    let Kept { order, parts, .. } = kept;
    let book = spec.order(&order.id.entity()).ok_or("it has no ledger")?;
    let attempt = book.attempt();
    let request = |attempt| RequestId::reserve(order.id, attempt);
    for (product, quantity) in &book.lines {
        let deed = spec.deed(Service::Product, product, Origin::Saga, &request(attempt));
        let taken = deed.is_some_and(|deed| deed.taken && !deed.back);
        let amount = deed.map_or(0, |deed| deed.amount);
        match order.status {
            Status::Confirmed if !taken || amount != *quantity => {
                return Err(format!("confirmed, with {deed:?} of {product}"));
            }
            Status::Cancelled if deed.is_none_or(|deed| !deed.taken) => {
                return Err(format!("cancelled, and {deed:?} of {product} before"));
            }
            Status::Pending => return Err("pending".into()),
            _ => {}
        }
    }
    for part in parts {
        let service = service_of(&part.step)?;
        let id = request(part.attempt);
        let deed = spec.deed(service, &part.entity, Origin::Saga, &id);
        let held = deed.is_some_and(|deed| deed.taken && !deed.back);
        let allowed = match order.status {
            Status::Confirmed => &["held", "released", "refused"][..],
            _ => &["released", "refused"][..],
        };
        if !allowed.contains(&part.hold.as_str()) {
            return Err(format!("{:?}, with {part:?}", order.status));
        }
        if held != (part.hold == "held") {
            return Err(format!("{part:?}, and the ledger has {deed:?}"));
        }
        if held && deed.is_some_and(|deed| deed.amount != part.amount) {
            return Err(format!("{part:?}, and the ledger has {deed:?}"));
        }
    }
    if order.status == Status::Confirmed {
        amounts(kept)?;
    }
    Ok(())
}

/// What a confirmed order costs, and from what it is paid.
fn amounts(kept: &Kept) -> Result<(), String> {
    let Kept { order, parts, .. } = kept;
    let mut subtotal = 0;
    for line in &order.items {
        let price = line.unit_price.ok_or("a line without a price")?;
        subtotal += price.get() * i64::from(line.quantity.get());
    }
    let known = |amount: Option<Money>, what: &str| {
        amount
            .map(Money::get)
            .ok_or(format!("confirmed without {what}"))
    };
    let (points, discount) = (
        known(order.points_used, "points")?,
        known(order.discount, "a discount")?,
    );
    let due = known(order.amount_due, "an amount")?;
    if known(order.subtotal, "a subtotal")? != subtotal || due != subtotal - points - discount {
        return Err(format!("it does not add up: {order:?}"));
    }
    let held = |step: &str| {
        let parts = parts.iter().filter(|p| p.step == step && p.hold == "held");
        parts.map(|part| part.amount).sum::<i64>()
    };
    if held("points") != points {
        return Err(format!("{points} points, and holds {}", held("points")));
    }
    let paid = if kept.paid_here { due } else { 0 };
    if held("payment") != paid {
        return Err(format!("{paid} due, and holds {}", held("payment")));
    }
    Ok(())
}

/// What was taken and not given back is held by a confirmed order.
fn account_of(
    orders: &BTreeMap<EntityId, Kept>,
    spec: &Spec,
    service: Service,
    entity: &EntityId,
    account: &Account,
) -> Result<(), String> {
    let held = account
        .deeds
        .iter()
        .filter(|((origin, _), deed)| *origin == Origin::Saga && deed.taken && !deed.back);
    for ((_, request), deed) in held {
        let order = request.as_str().get(4..40).map(EntityId::from);
        let order = order.and_then(|order| orders.get(&order));
        let is_held = order.is_some_and(|kept| holds(kept, service, entity, request, deed));
        let by_an_audit = spec.is_lost(request) || spec.may_be_anothers(service, entity, request);
        if !is_held && !by_an_audit {
            return Err(format!("{request} has {deed:?}, which no order holds"));
        }
    }
    Ok(())
}

fn holds(
    kept: &Kept,
    service: Service,
    entity: &EntityId,
    request: &RequestId,
    deed: &Deed,
) -> bool {
    if kept.order.status != Status::Confirmed {
        return false;
    }
    if service == Service::Product {
        // A line's hold is a column of its own.
        return kept.order.items.iter().any(|line| {
            line.product_id.entity() == *entity && i64::from(line.quantity.get()) == deed.amount
        });
    }
    kept.parts.iter().any(|part| {
        service_of(&part.step) == Ok(service)
            && part.entity == *entity
            && part.hold == "held"
            && RequestId::reserve(kept.order.id, part.attempt) == *request
    })
}

/// What the gateway has and did not give back is what confirmed orders cost.
fn money(shop: &Shop, orders: &BTreeMap<EntityId, Kept>) -> Result<(), String> {
    let mut due = BTreeMap::<String, i64>::new();
    for kept in orders.values() {
        let held = kept.parts.iter();
        for part in held.filter(|part| part.step == "payment" && part.hold == "held") {
            due.insert(merchant_uid(kept.order.id, part.attempt), part.amount);
        }
    }
    for (uid, amount) in shop.bank.paid() {
        // A payment made outside is made under the order's id, whatever the attempt.
        let of = due
            .keys()
            .find(|other| other.get(..36) == uid.get(..36))
            .cloned();
        let owed = of.and_then(|uid| due.remove(&uid));
        if owed != Some(amount.get()) {
            return Err(format!(
                "the gateway has {amount:?} for {uid}, {owed:?} is due"
            ));
        }
    }
    match due.first_key_value() {
        Some((uid, amount)) => Err(format!("the gateway has nothing for {uid}: {amount}")),
        None => Ok(()),
    }
}

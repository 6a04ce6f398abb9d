//! Events, told from the ledger.

use std::{collections::BTreeMap, sync::mpsc};

use messages::{EntityId, Event, event, order::Status, wire};
use node::{bus::Outbound, entity::Entity, host::Limits};
use order_node::order::Order;
use product_node::product::Product;
use serde_json::Value;
use sim::{Disk, Fate};

use crate::{
    goods::{Goods, pass, reserve, said, until},
    shop::{Shop, event_ids},
};

const EVENTS: &str = "EVENTS";

#[tokio::test(start_paused = true)]
async fn every_event_is_told_once_under_its_id_in_the_order_of_the_ledger() {
    let shop = Shop::open();
    let products = [shop.goods.product(2).await, shop.goods.product(9).await];
    let orders = trade(&shop, &products).await;
    shop.cancel(&orders[0]).await.unwrap().unwrap();
    shop.rest(&orders[..1], Status::Cancelled).await;
    pass(20).await;

    assert_eq!(told(&shop), due(&shop));
    assert!(due(&shop).values().map(Vec::len).sum::<usize>() > 20);
    let messages = shop.goods.stage.broker.messages(EVENTS);
    for message in messages {
        let event: Event<Value> = wire::from_slice(&message.payload).unwrap();
        assert_eq!(message.subject, format!("event.{}", event.kind));
        assert!(message.headers.contains(&("Nats-Msg-Id".into(), event.id)));
    }
}

/// Those of a kind share messages, of many partitions too; what became of an entity is told behind
/// what it was.
#[tokio::test(start_paused = true)]
async fn many_events_leave_together_and_an_entity_keeps_its_order() {
    let shop = Shop::with(&together());
    let products = [shop.goods.product(2).await, shop.goods.product(9).await];
    let orders = trade(&shop, &products).await;
    shop.cancel(&orders[0]).await.unwrap().unwrap();
    shop.rest(&orders[..1], Status::Cancelled).await;
    pass(20).await;

    assert_eq!(sorted(told(&shop)), sorted(due(&shop)));
    let mut versions: BTreeMap<EntityId, i64> = BTreeMap::new();
    let mut most = 0;
    for message in shop.goods.stage.broker.messages(EVENTS) {
        let events = event::split(&message.payload);
        most = most.max(events.len());
        for event in events {
            let event: Event<Value> = wire::from_slice(event.unwrap()).unwrap();
            assert_eq!(message.subject, format!("event.{}", event.kind));
            let before = versions.insert(event.entity, event.version);
            assert!(before < Some(event.version));
        }
    }
    assert!(most > 1, "no two shared a message");
}

#[tokio::test(start_paused = true)]
async fn events_that_the_broker_forgot_are_told_again_in_the_same_order() {
    for lost in [None, Some(7)] {
        let shop = Shop::open();
        let products = [shop.goods.product(2).await, shop.goods.product(9).await];
        trade(&shop, &products).await;
        until("all is told", || told(&shop) == due(&shop)).await;
        pass(5).await;

        lose(&shop, lost).await;

        until("all is told again", || told(&shop) == due(&shop)).await;
    }
}

/// One that is told again need not be in the company that it was in.
#[tokio::test(start_paused = true)]
async fn events_that_left_together_and_were_forgotten_are_told_again() {
    for lost in [None, Some(1), Some(3)] {
        let shop = Shop::with(&together());
        let products = [shop.goods.product(2).await, shop.goods.product(9).await];
        trade(&shop, &products).await;
        until("all is told", || has_all(&shop)).await;
        pass(5).await;

        lose(&shop, lost).await;

        until("all is told again", || has_all(&shop)).await;
    }
}

/// What was handed over while the broker was away is sent on the next connection before anything is
/// looked at: it must not pass for the sign that the stream has all that came before it.
#[tokio::test(start_paused = true)]
async fn events_that_were_under_way_do_not_hide_what_the_broker_forgot() {
    let shop = Shop::open();
    let products = [shop.goods.product(2).await, shop.goods.product(9).await];
    trade(&shop, &products).await;
    until("all is told", || told(&shop) == due(&shop)).await;

    let broker = shop.goods.stage.broker.clone();
    broker.disconnect();
    let late = shop.order(&products[1]).await;
    pass(1).await;
    broker.lose_tail(EVENTS, 20);
    broker.reconnect();

    // What was under way comes first, so not in the order of the ledger.
    until("all is told again", || {
        sorted(told(&shop)) == sorted(due(&shop))
    })
    .await;
    shop.rest(&[late], Status::Confirmed).await;
}

/// As many as the broker forgot are under way, and so one comes to stand where another stood, which
/// may be of the same partition.
#[tokio::test(start_paused = true)]
async fn an_event_does_not_pass_for_the_one_that_stood_in_its_place() {
    for limits in [Limits::default(), together()] {
        for forgotten in 1..=6 {
            let shop = Shop::with(&limits);
            let products = [shop.goods.product(9).await, shop.goods.product(9).await];
            trade(&shop, &products).await;
            until("all is told", || has_all(&shop)).await;

            let broker = shop.goods.stage.broker.clone();
            broker.disconnect();
            for _ in 0..forgotten {
                shop.order(&products[1]).await;
                pass(1).await;
            }
            broker.lose_tail(EVENTS, forgotten);
            broker.reconnect();

            until("all is told again", || has_all(&shop)).await;
        }
    }
}

/// The broker dies once more, and its disk with it, before what it had lost the first time is told.
#[tokio::test(start_paused = true)]
async fn events_that_a_new_stream_lacks_are_told_though_the_end_of_the_old_one_was_lost_before() {
    let shop = Shop::open();
    let products = [shop.goods.product(9).await, shop.goods.product(9).await];
    // Of what was told first the broker counts as keeping it by the end.
    let while_s = Limits::default().reread_ms / 1_000;
    for wait in [while_s / 2, while_s + 1, 0] {
        trade(&shop, &products).await;
        until("all is told", || told(&shop) == due(&shop)).await;
        pass(wait).await;
    }

    let broker = shop.goods.stage.broker.clone();
    broker.judge(no_events);
    shop.while_away(|| broker.lose_tail(EVENTS, 20)).await;
    pass(5).await;
    shop.while_away(|| broker.lose_everything()).await;
    broker.be_kind();

    until("all is told again", || told(&shop) == due(&shop)).await;
}

/// Events leave in rows that one acknowledgement speaks for: one that the broker does not take breaks
/// its row, and those behind it are not taken either.
#[tokio::test(start_paused = true)]
async fn events_behind_one_that_was_refused_are_told_once_and_in_order() {
    let shop = Shop::open();
    let products = [shop.goods.product(4).await, shop.goods.product(9).await];
    let (sender, refused) = mpsc::channel();
    let mut orders = 0;
    shop.goods.stage.broker.judge(move |message| {
        orders += usize::from(message.subject == "event.order.created.pending");
        if orders == 2 {
            orders += 1;
            sender.send(message.id.clone()).unwrap();
            return Fate::Refuse;
        }
        Fate::Keep
    });
    trade(&shop, &products).await;

    until("all is told", || told(&shop) == due(&shop)).await;
    assert!(event_ids(&shop.goods).contains(&refused.try_recv().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn events_that_were_not_told_when_the_process_died_are_told_by_the_next() {
    let shop = Shop::open();
    let mug = shop.goods.product(9).await;
    shop.goods.stage.broker.judge(|message| {
        if message.subject.starts_with("event.order") {
            Fate::Refuse
        } else {
            Fate::Keep
        }
    });
    let orders = [shop.order(&mug).await, shop.order(&mug).await];
    shop.rest(&orders, Status::Confirmed).await;

    let shop = shop.start_orders_again();
    shop.goods.stage.broker.be_kind();
    until("all is told", || told(&shop) == due(&shop)).await;
}

/// What waits in memory may have been sent from the ledger meanwhile. In a row it would be taken for
/// new: the last one's acknowledgement would speak for one before it that the broker refused.
#[tokio::test(start_paused = true)]
async fn what_was_sent_from_the_ledger_does_not_leave_in_a_row_afterwards() {
    let goods = Goods::open();
    let mug = goods.product(9).await;
    goods.stage.broker.judge(no_events);
    sell(&goods, &mug, 1).await;
    let goods = goods.start_again();
    sell(&goods, &mug, 2).await;
    sell(&goods, &mug, 3).await;

    goods.stage.broker.judge(|message| {
        if message.id == "product-0-3" {
            Fate::Refuse
        } else {
            Fate::Keep
        }
    });
    let is_told = |id: &str| event_ids(&goods).iter().any(|told| told == id);
    until("one behind it is told", || is_told("product-0-4")).await;
    sell(&goods, &mug, 4).await;
    until("one from memory is told", || is_told("product-0-5")).await;
    goods.stage.broker.be_kind();

    until("the refused one is told", || is_told("product-0-3")).await;
    assert_eq!(event_ids(&goods).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_was_let_go_because_too_much_waited_is_told_though_nothing_follows_it() {
    let limits = Limits {
        in_flight_max: 1,
        ..Limits::default()
    };
    let goods = Goods::with(1, limits);
    let mug = goods.product(20).await;
    goods.stage.broker.judge(no_events);
    for n in 1..=12 {
        sell(&goods, &mug, n).await;
    }
    goods.stage.broker.be_kind();

    until("all is told", || event_ids(&goods).len() == 12).await;
}

fn no_events(message: &Outbound) -> Fate {
    if message.subject.starts_with("event.") {
        Fate::Refuse
    } else {
        Fate::Keep
    }
}

/// Sells one piece to the order `n`.
async fn sell(goods: &Goods, product: &EntityId, n: u32) {
    let stock = goods.committed(product).stock;
    goods
        .say(0, &[said(product, &format!("DEC-{n}"), reserve(1))])
        .await;
    until("it is sold", || goods.committed(product).stock < stock).await;
}

/// Orders of which some are refused.
async fn trade(shop: &Shop, products: &[EntityId; 2]) -> Vec<EntityId> {
    let mut orders = Vec::new();
    for _ in 0..4 {
        for product in products {
            orders.push(shop.order(product).await);
        }
    }
    let done = |order| shop.committed(order).status != Status::Pending;
    until("all are done", || orders.iter().all(done)).await;
    orders
}

/// The broker forgets its newest messages of events, or where no number is said all that it has, while
/// nobody is connected.
async fn lose(shop: &Shop, newest: Option<usize>) {
    let broker = &shop.goods.stage.broker;
    let hurt = || match newest {
        Some(newest) => broker.lose_tail(EVENTS, newest),
        None => broker.lose_everything(),
    };
    shop.while_away(hurt).await;
}

/// Limits under which all events that wait at once leave together.
fn together() -> Limits {
    Limits {
        events_alone_max: 0,
        ..Limits::default()
    }
}

/// Whether the stream has every event of the ledgers, however often.
fn has_all(shop: &Shop) -> bool {
    let mut told = told(shop);
    for (source, due) in sorted(due(shop)) {
        let mut told = told.remove(&source).unwrap_or_default();
        told.sort();
        told.dedup();
        if told != due {
            return false;
        }
    }
    true
}

fn sorted(mut events: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    for ids in events.values_mut() {
        ids.sort();
    }
    events
}

/// The ids of the events in the stream, by service and partition, in their order.
fn told(shop: &Shop) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in event_ids(&shop.goods) {
        let (source, _) = id.rsplit_once('-').unwrap();
        told.entry(source.to_owned()).or_default().push(id);
    }
    told
}

/// The ids of the events that the ledgers hold.
fn due(shop: &Shop) -> BTreeMap<String, Vec<String>> {
    let mut due = due_of::<Product>(&shop.goods.disk);
    due.extend(due_of::<Order>(&shop.disk));
    due
}

fn due_of<E: Entity>(disk: &Disk) -> BTreeMap<String, Vec<String>> {
    let mut due: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((partition, number), row) in &disk.tables().ledger {
        let change = serde_json::from_str::<E::Change>(&row.body).unwrap();
        if E::event(&row.entity, &change).is_some() {
            let ids = due
                .entry(format!("{}-{partition}", E::SERVICE))
                .or_default();
            ids.push(event::id(E::SERVICE, *partition, *number));
        }
    }
    due
}

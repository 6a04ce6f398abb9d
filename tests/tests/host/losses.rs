//! A broker that loses what it had acknowledged.

use messages::{EntityId, order::Status};

use crate::{
    goods::{Goods, adjust, left, pass, reserve, said, until},
    shop::Shop,
};

const COMMANDS: &str = "CMD_PRODUCT";
const REPLIES: &str = "REPLY_ORDER";

#[tokio::test(start_paused = true)]
async fn orders_finish_and_nothing_is_done_twice_though_the_broker_loses_its_newest_messages() {
    for stream in [COMMANDS, REPLIES] {
        let shop = Shop::open();
        let mug = shop.goods.product(20).await;
        let mut orders = some(&shop, &mug, 4).await;
        shop.rest(&orders, Status::Confirmed).await;
        shop.goods.stage.broker.hold(stream);
        orders.extend(some(&shop, &mug, 4).await);
        pass(1).await;

        let broker = shop.goods.stage.broker.clone();
        // More than was held: also some that were read and whose positions are committed.
        shop.while_away(|| broker.lose_tail(stream, 10)).await;
        shop.goods.stage.broker.let_go(stream);
        orders.extend(some(&shop, &mug, 4).await);

        all_confirmed(&shop, &mug, &orders).await;
    }
}

#[tokio::test(start_paused = true)]
async fn orders_finish_and_nothing_is_done_twice_though_the_broker_loses_everything() {
    for stream in [COMMANDS, REPLIES] {
        let shop = Shop::open();
        let mug = shop.goods.product(20).await;
        let mut orders = some(&shop, &mug, 4).await;
        shop.rest(&orders, Status::Confirmed).await;
        shop.goods.stage.broker.hold(stream);
        orders.extend(some(&shop, &mug, 4).await);
        pass(1).await;

        let broker = shop.goods.stage.broker.clone();
        shop.while_away(|| broker.lose_everything()).await;
        shop.goods.stage.broker.let_go(stream);
        orders.extend(some(&shop, &mug, 4).await);

        all_confirmed(&shop, &mug, &orders).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_before_the_tail_was_lost_is_not_taken_when_it_is_read_again() {
    let goods = Goods::open();
    let mug = goods.product(0).await;
    for (n, id) in ["DEC-1", "DEC-2", "DEC-3"].into_iter().enumerate() {
        goods.say(0, &[said(&mug, id, reserve(1))]).await;
        until("it is refused", || goods.replies().len() == n + 1).await;
    }
    pass(2).await;
    left(goods.ask(&mug, "restock", adjust(5)).await.unwrap());

    goods.stage.broker.disconnect();
    goods.stage.broker.lose_tail(COMMANDS, 1);
    pass(1).await;
    goods.stage.broker.reconnect();
    pass(5).await;
    // What is sent now is read, though its sequence was given out before.
    goods.say(0, &[said(&mug, "DEC-4", reserve(2))]).await;
    until("it is taken", || goods.committed(&mug).stock == 3).await;

    assert_eq!(goods.ledger(&mug), ["restock", "DEC-4"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_new_stream_has_is_read_though_its_sequences_are_below_the_position() {
    let shop = Shop::open();
    let mug = shop.goods.product(20).await;
    let mut orders = some(&shop, &mug, 6).await;
    shop.rest(&orders, Status::Confirmed).await;

    // Nobody runs while the streams are made anew, so that only positions tell of it.
    let Shop {
        goods,
        disk,
        process,
    } = shop;
    process.kill();
    goods.stage.broker.lose_everything();
    let goods = goods.start_again();
    let process = goods.stage.start(&disk, node::host::Limits::default());
    let shop = Shop {
        goods,
        disk,
        process,
    };
    orders.extend(some(&shop, &mug, 2).await);

    all_confirmed(&shop, &mug, &orders).await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_is_waited_for() {
    let shop = Shop::open();
    let mug = shop.goods.product(20).await;
    shop.goods.stage.broker.disconnect();
    let orders = some(&shop, &mug, 3).await;
    assert_eq!(shop.process.service.missing(), ["broker"]);
    pass(20).await;
    shop.goods.stage.broker.reconnect();

    all_confirmed(&shop, &mug, &orders).await;
    until("it is ready", || shop.process.service.missing().is_empty()).await;
}

async fn some(shop: &Shop, product: &EntityId, count: usize) -> Vec<EntityId> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.push(shop.order(product).await);
    }
    orders
}

/// Every order has exactly its one piece.
async fn all_confirmed(shop: &Shop, product: &EntityId, orders: &[EntityId]) {
    shop.rest(orders, Status::Confirmed).await;
    pass(60).await;
    let mut taken = shop.goods.ledger(product);
    taken.sort();
    let mut asked: Vec<String> = orders.iter().map(|order| format!("DEC-{order}")).collect();
    asked.sort();
    assert_eq!(taken, asked);
    let left = 20 - i64::try_from(orders.len()).unwrap();
    assert_eq!(shop.goods.committed(product).stock, left);
}

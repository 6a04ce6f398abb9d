//! An order that somebody waits for, and commands that wait for each other.

use std::time::Duration;

use messages::order::Status;
use sim::Verdict;

use crate::{
    goods::{pass, until},
    shop::{Shop, ids},
};

const COMMANDS: &str = "CMD_PRODUCT";
const WAIT: Option<Duration> = Some(Duration::from_secs(8));

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_order_is_answered_when_it_is_at_rest_and_not_before() {
    let shop = Shop::open();
    let mug = shop.goods.product(5).await;
    shop.goods.stage.broker.hold(COMMANDS);
    let waiting = shop.place(&mug, WAIT);
    pass(3).await;
    assert!(!waiting.is_finished());

    shop.goods.stage.broker.let_go(COMMANDS);
    let order = waiting.await.unwrap().unwrap().order;
    assert_eq!(order.status, Status::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_answered_with_the_order_as_it_stands() {
    let shop = Shop::open();
    let mug = shop.goods.product(5).await;
    shop.goods.stage.broker.hold(COMMANDS);
    let order = shop.place(&mug, WAIT).await.unwrap().unwrap().order;
    assert_eq!(order.status, Status::Pending);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_though_everything_was_loaded_anew_meanwhile() {
    let shop = Shop::open();
    let mug = shop.goods.product(5).await;
    shop.goods.stage.broker.hold(COMMANDS);
    let waiting = shop.place(&mug, WAIT);
    until("it is placed", || !shop.disk.tables().states.is_empty()).await;
    let mut verdicts = vec![Verdict::BreakAfter];
    shop.disk
        .judge(move |_| verdicts.pop().unwrap_or(Verdict::Write));
    let another = shop.order(&mug).await;
    assert_eq!(shop.disk.writers(), 2);

    shop.goods.stage.broker.let_go(COMMANDS);
    let order = waiting.await.unwrap().unwrap().order;
    assert_eq!(order.status, Status::Confirmed);
    shop.rest(&[another], Status::Confirmed).await;
    assert_eq!(shop.disk.tables().states.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_for_the_same_partition_leave_together() {
    let shop = Shop::open();
    let mug = shop.goods.product(50).await;
    let waiting: Vec<_> = (0..30).map(|_| shop.place(&mug, WAIT)).collect();
    for order in waiting {
        assert_eq!(
            order.await.unwrap().unwrap().order.status,
            Status::Confirmed
        );
    }
    let messages = ids(&shop.goods, COMMANDS).len();
    assert!(messages <= 10, "{messages} messages for 30 commands");
    assert_eq!(shop.goods.committed(&mug).stock, 20);
}

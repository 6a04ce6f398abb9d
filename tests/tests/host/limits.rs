//! At a limit, and at the end.

use std::time::Duration;

use node::host::Limits;
use product_node::product::Product;
use sim::{Process, Verdict};
use tokio::time::Instant;

use crate::goods::{Goods, adjust, left, pass, reserve, said, until};

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_requests_under_way_the_next_is_turned_away_at_once() {
    let limits = Limits {
        in_flight_max: 3,
        ..Limits::default()
    };
    let goods = Goods::with(1, limits);
    let mug = goods.product(9).await;
    goods.disk.hold_commits();
    let under_way: Vec<_> = ["a", "b", "c"]
        .map(|id| goods.ask(&mug, id, adjust(-1)))
        .into();
    pass(1).await;

    let asked = Instant::now();
    assert!(goods.ask(&mug, "d", adjust(-1)).await.unwrap().is_err());
    assert!(asked.elapsed() < Duration::from_millis(5));
    goods.disk.let_commits_go();

    for asked in under_way {
        assert!(asked.await.unwrap().unwrap().is_ok());
    }
    assert_eq!(left(goods.ask(&mug, "d", adjust(-1)).await.unwrap()), 5);
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_is_under_way_and_gives_the_locks_back() {
    let goods = Goods::open();
    let mug = goods.product(9).await;
    goods.disk.hold_lookups();
    let under_way = goods.ask(&mug, "first", adjust(-1));
    goods.say(0, &[said(&mug, "DEC-1", reserve(1))]).await;
    until("a lookup waits", || goods.disk.lookups_held() == 1).await;
    pass(1).await;

    let service = goods.process.service.clone();
    let (disk, broker) = (goods.disk.clone(), goods.stage.broker.clone());
    let letting_go = tokio::spawn(async move {
        pass(2).await;
        disk.let_lookups_go();
    });
    goods.process.stop().await.unwrap();
    letting_go.await.unwrap();

    assert_eq!(left(under_way.await.unwrap()), 8);
    assert_eq!(
        broker.messages("REPLY_ORDER").len(),
        1,
        "its answer has left"
    );
    assert!(
        service.ask(read(&mug)).await.is_err(),
        "nothing new is taken"
    );
    let next: Process<Product> = goods.stage.start(&goods.disk, Limits::default());
    assert!(next.service.ask(read(&mug)).await.unwrap().is_ok());
    assert!(goods.disk.tables().ledger.len() == 3);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_no_longer_than_its_limit() {
    let goods = Goods::open();
    let mug = goods.product(9).await;
    goods.disk.judge(|_| Verdict::Write);
    goods.disk.hold_commits();
    let under_way = goods.ask(&mug, "first", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;

    let begun = Instant::now();
    goods.process.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(under_way.await.unwrap().is_err());
}

fn read(product: &messages::EntityId) -> node::host::Ask<messages::product::Command> {
    node::host::Ask {
        target: node::host::Target::Entity(product.clone()),
        command: messages::product::Command::Get,
        request_id: None,
        origin: messages::Origin::Client,
        settle: None,
        traceparent: None,
    }
}

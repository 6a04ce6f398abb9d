//! Entities that come and go in memory.

use node::host::Limits;

use crate::goods::{Goods, adjust, left, pass, refused, until};

#[tokio::test(start_paused = true)]
async fn idle_entities_are_put_away_and_come_back_as_they_were() {
    let goods = tight();
    let mut products = Vec::new();
    for stock in 10..15 {
        products.push(goods.product(stock).await);
    }
    for round in 1..=5 {
        for (product, stock) in products.iter().zip(10..) {
            let taken = goods.ask(product, &format!("key-{round}"), adjust(-1));
            assert_eq!(left(taken.await.unwrap()), stock - round);
        }
        pass(3).await;
    }
    for product in &products {
        let repeat = goods.ask(product, "key-1", adjust(-1)).await.unwrap();
        assert!(repeat.unwrap().is_ok());
        assert_eq!(goods.ledger(product).len(), 5);
    }
    assert_eq!(goods.disk.writers(), 1, "nothing had to be loaded anew");
}

#[tokio::test(start_paused = true)]
async fn an_entity_is_not_put_away_while_anything_of_it_awaits_a_commit() {
    let goods = tight();
    let mug = goods.product(1).await;
    goods.disk.hold_commits();
    let first = goods.ask(&mug, "first", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    pass(5).await;
    let second = goods.ask(&mug, "second", adjust(-1));
    pass(5).await;
    goods.disk.let_commits_go();

    assert_eq!(left(first.await.unwrap()), 0);
    refused(second.await.unwrap());
    assert_eq!(goods.ledger(&mug), ["first"]);
    assert_eq!(goods.disk.writers(), 1, "one incarnation decided both");
}

/// Room for one entity, and that only for a moment.
fn tight() -> Goods {
    let limits = Limits {
        entities_max: 1,
        entity_idle_ms: 1,
        ask_wait_ms: 60_000,
        ..Limits::default()
    };
    Goods::with(1, limits)
}

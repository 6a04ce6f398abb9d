//! What ran short lately is asked again before an order of it is written.

use std::time::Duration;

use futures::future::join_all;
use messages::{
    EntityId, ProductId, Quantity,
    order::{Item, Shortage},
    product::{Command, Edit, Status},
};
use order_node::shortages::Shortages;

use crate::{goods::adjust, shop::Shop};

fn id(product: &EntityId) -> ProductId {
    product.as_str().parse().unwrap()
}

fn pieces(product: &EntityId, quantity: u32) -> Item {
    Item {
        product_id: id(product),
        quantity: Quantity::new(quantity).unwrap(),
    }
}

/// A shop, what it notes, and a product of which so many are left, noted as one that ran short.
async fn noted(stock: i64) -> (Shop, Shortages, EntityId) {
    let shop = Shop::open();
    let product = shop.goods.product(stock).await;
    let shortages = Shortages::new(shop.process.service.clone());
    shortages.note([id(&product)]);
    (shop, shortages, product)
}

#[tokio::test(start_paused = true)]
async fn who_wants_more_than_there_is_is_told_what_there_is() {
    let (_shop, shortages, product) = noted(2).await;
    let short = Some(Shortage {
        product_id: id(&product),
        available: 2,
    });
    let wants: Vec<_> = (1..=4).map(|n| [pieces(&product, n)]).collect();
    let told = join_all(wants.iter().map(|items| shortages.of(items))).await;
    assert_eq!(told, [None, None, short, short]);
}

#[tokio::test(start_paused = true)]
async fn what_has_come_in_is_known_to_the_next_who_asks() {
    let (shop, shortages, product) = noted(0).await;
    let one = [pieces(&product, 1)];
    for n in 0..3 {
        assert!(shortages.of(&one).await.is_some());
        let came_in = shop.goods.ask(&product, &format!("in {n}"), adjust(1));
        came_in.await.unwrap().unwrap().unwrap();
        assert_eq!(shortages.of(&one).await, None);
        let sold = shop.goods.ask(&product, &format!("out {n}"), adjust(-1));
        sold.await.unwrap().unwrap().unwrap();
        shortages.note([id(&product)]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_does_not_count_for_who_came_after_the_question() {
    let (shop, shortages, product) = noted(0).await;
    let broker = &shop.goods.stage.broker;
    broker.take_time(|| Duration::from_millis(100));
    let one = [pieces(&product, 1)];
    let before = tokio::spawn({
        let (shortages, one) = (shortages.clone(), one.clone());
        async move { shortages.of(&one).await }
    });
    // The product has said that there is none, and its answer is on the way.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let came_in = shop.goods.ask(&product, "in", adjust(1));
    came_in.await.unwrap().unwrap().unwrap();
    assert!(!before.is_finished());
    assert_eq!(shortages.of(&one).await, None);
    assert!(before.await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_product_that_does_not_answer_or_cannot_be_ordered_is_asked_the_usual_way() {
    let (shop, shortages, product) = noted(0).await;
    let gone = shop.goods.product(0).await;
    let edit = Command::Edit(Edit {
        status: Some(Status::Discontinued),
        ..Edit::default()
    });
    shop.goods
        .ask(&gone, "gone", edit)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    shortages.note([id(&gone)]);
    assert_eq!(shortages.of(&[pieces(&gone, 1)]).await, None);
    let unknown = EntityId::from("01890000-0000-7000-8000-0000000000ff");
    shortages.note([id(&unknown)]);
    assert_eq!(shortages.of(&[pieces(&unknown, 1)]).await, None);
    shop.goods.process.kill();
    assert_eq!(shortages.of(&[pieces(&product, 1)]).await, None);
}

#[tokio::test(start_paused = true)]
async fn of_a_basket_the_first_line_that_is_short_is_told() {
    let (shop, shortages, product) = noted(1).await;
    let other = shop.goods.product(0).await;
    let basket = [pieces(&product, 1), pieces(&other, 1)];
    // Nobody has said of the other that it ran short.
    assert_eq!(shortages.of(&basket).await, None);
    shortages.note([id(&product), id(&other)]);
    let told = shortages.of(&basket).await.map(|short| short.product_id);
    assert_eq!(told, Some(id(&other)));
}

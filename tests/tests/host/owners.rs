//! Several processes of one service on one database.

use messages::EntityId;
use node::host::{Ask, Limits, Target};
use product_node::product::Product;
use sim::Process;

use crate::goods::{Goods, Outcome, adjust, left, until};

const PARTITIONS: u16 = 4;

#[tokio::test(start_paused = true)]
async fn two_processes_share_the_partitions_and_answer_for_each_other() {
    let goods = Goods::with(PARTITIONS, Limits::default());
    let products = one_a_partition(&goods).await;
    let other: Process<Product> = goods.stage.start(&goods.disk, Limits::default());
    until("each owns half", || {
        owned(&goods.process, &products) == 2 && owned(&other, &products) == 2
    })
    .await;

    for (n, product) in products.iter().enumerate() {
        assert!(
            goods.process.service.watch(product).is_some()
                != other.service.watch(product).is_some()
        );
        assert_eq!(
            left(goods.ask(product, "here", adjust(-1)).await.unwrap()),
            8,
            "{n}"
        );
        assert_eq!(left(ask(&other, product, "there").await), 7, "{n}");
        assert_eq!(
            left(ask(&other, product, "here").await),
            8,
            "a repeat, asked elsewhere"
        );
        assert_eq!(goods.ledger(product), ["here", "there"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_may_not_have_the_other_takes_and_a_third_gets_some_of_it() {
    let goods = Goods::with(PARTITIONS, Limits::default());
    let products = one_a_partition(&goods).await;
    let mut machine = goods.stage.machine(&goods.disk);
    machine.partitions_max = 1;
    let small: Process<Product> = machine.run(Limits::default(), |service| service);
    until("all have an owner", || {
        owned(&goods.process, &products) == 3 && owned(&small, &products) == 1
    })
    .await;

    let third: Process<Product> = goods.stage.start(&goods.disk, Limits::default());

    until("the third has some, and all have an owner", || {
        let all = [&goods.process, &small, &third].map(|process| owned(process, &products));
        all.iter().sum::<usize>() == 4 && all[1] == 1 && all[2] > 0
    })
    .await;
    for product in &products {
        assert_eq!(left(ask(&small, product, "key").await), 8);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_owned_is_taken_over() {
    let goods = Goods::with(PARTITIONS, Limits::default());
    let products = one_a_partition(&goods).await;
    let other: Process<Product> = goods.stage.start(&goods.disk, Limits::default());
    until("each owns half", || {
        owned(&goods.process, &products) == 2 && owned(&other, &products) == 2
    })
    .await;
    let asked: Vec<_> = products
        .iter()
        .map(|product| goods.ask(product, "key", adjust(-1)))
        .collect();

    other.kill();

    for asked in asked {
        assert_eq!(left(asked.await.unwrap()), 8);
    }
    until("the one owns all", || owned(&goods.process, &products) == 4).await;
    for product in &products {
        assert_eq!(
            left(goods.ask(product, "next", adjust(-1)).await.unwrap()),
            7
        );
        assert_eq!(goods.ledger(product), ["key", "next"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_never_idle_still_looks_at_what_it_owns() {
    let goods = Goods::with(PARTITIONS, Limits::default());
    let products = one_a_partition(&goods).await;
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (service, product) = (goods.process.service.clone(), products[0].clone());
        load.spawn(async move {
            loop {
                let _ = service.ask(question(&product, None)).await;
            }
        });
        // The next asks while the ones before it are being answered: somebody always waits.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    let other: Process<Product> = goods.stage.start(&goods.disk, Limits::default());
    until("each owns half", || {
        owned(&goods.process, &products) == 2 && owned(&other, &products) == 2
    })
    .await;
    load.abort_all();
}

#[tokio::test(start_paused = true)]
async fn one_more_process_than_partitions_stands_by_and_takes_over() {
    let goods = Goods::open();
    let mug = goods.product(9).await;
    let standby: Process<Product> = goods.stage.start(&goods.disk, Limits::default());
    assert_eq!(left(ask(&standby, &mug, "first").await), 8);
    assert!(standby.service.watch(&mug).is_none());

    goods.process.kill();

    until("it is the owner", || standby.service.watch(&mug).is_some()).await;
    assert_eq!(left(ask(&standby, &mug, "second").await), 7);
}

/// A product in each partition, with nine pieces.
async fn one_a_partition(goods: &Goods) -> Vec<EntityId> {
    let mut products: Vec<EntityId> = Vec::new();
    while products.len() < usize::from(PARTITIONS) {
        let new = goods.product(9).await;
        let home = new.partition(PARTITIONS);
        if products
            .iter()
            .all(|product| product.partition(PARTITIONS) != home)
        {
            products.push(new);
        }
    }
    products
}

fn owned(process: &Process<Product>, products: &[EntityId]) -> usize {
    products
        .iter()
        .filter(|product| process.service.watch(product).is_some())
        .count()
}

async fn ask(process: &Process<Product>, product: &EntityId, id: &str) -> Outcome {
    process.service.ask(question(product, Some(id))).await
}

fn question(product: &EntityId, id: Option<&str>) -> Ask<messages::product::Command> {
    Ask {
        target: Target::Entity(product.clone()),
        command: id.map_or(messages::product::Command::Get, |_| adjust(-1)),
        request_id: id.map(messages::RequestId::from),
        origin: messages::Origin::Client,
        settle: None,
        traceparent: None,
    }
}

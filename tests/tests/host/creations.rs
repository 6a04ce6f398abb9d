//! Creations under a caller's key.

use messages::{Refusal, Timestamp};
use node::store::{Batch, Creation};

use crate::goods::{Goods, adjust, left, pass, refused, until, view};

#[tokio::test(start_paused = true)]
async fn creations_under_one_key_at_once_make_one_thing_and_wait_for_the_same_commit() {
    let goods = Goods::with(4, node::host::Limits::default());
    goods.product(1).await;
    goods.disk.hold_commits();
    let mut repeats = vec![goods.make("key", 5), goods.make("key", 5)];
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    repeats.push(goods.make("key", 5));
    let other = goods.make("key", 6);
    pass(3).await;
    assert!(repeats.iter().all(|repeat| !repeat.is_finished()) && !other.is_finished());
    goods.disk.let_commits_go();

    let mut made = Vec::new();
    for repeat in repeats {
        made.push(view(repeat.await.unwrap()).id);
    }
    made.dedup();
    assert_eq!(made.len(), 1);
    assert_eq!(refused(other.await.unwrap()), Refusal::RequestMismatch);
    assert_eq!(goods.disk.tables().states.len(), 2);
    assert_eq!(goods.disk.writers(), 1, "nothing had to be loaded anew");

    let goods = goods.start_again();
    assert_eq!(view(goods.make("key", 5).await.unwrap()).id, made[0]);
    assert_eq!(
        refused(goods.make("key", 6).await.unwrap()),
        Refusal::RequestMismatch
    );
    assert_eq!(goods.disk.tables().states.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_was_refused_leaves_its_key_free() {
    let goods = Goods::open();
    assert_eq!(
        refused(goods.make("key", -1).await.unwrap()),
        Refusal::AmountTooLarge
    );
    assert_eq!(view(goods.make("key", 5).await.unwrap()).stock, 5);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_clashes_in_the_database_fails_that_request_and_not_its_batch() {
    let goods = Goods::open();
    let (mug, cup) = (goods.product(5).await, goods.product(6).await);
    goods.disk.hold_commits();
    let first = goods.ask(&mug, "first", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    let (made, beside) = (goods.make("key", 6), goods.ask(&mug, "beside", adjust(-1)));
    pass(1).await;
    // Somebody else made the cup under that key in the meantime.
    let creation = Creation {
        call: "POST /products".into(),
        key: "key".into(),
        digest: messages::Digest::of(
            "product.create",
            &messages::envelope::Written(&crate::goods::create(6)),
        ),
        entity: cup.clone(),
        at: Timestamp::default(),
    };
    let batch = Batch {
        creations: vec![creation],
        ..Batch::default()
    };
    goods.disk.write(&batch).unwrap();
    goods.disk.let_commits_go();

    assert_eq!(left(first.await.unwrap()), 4);
    assert_eq!(left(beside.await.unwrap()), 3);
    assert_eq!(view(made.await.unwrap()).id.entity(), cup);
    assert_eq!(goods.disk.tables().states.len(), 2);
}

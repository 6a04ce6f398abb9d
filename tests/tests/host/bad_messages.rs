//! Messages that cannot be understood.

use messages::{EntityId, Partition, wire};
use node::host::Limits;
use sim::Fate;

use crate::goods::{Goods, pass, reserve, said, until};

#[tokio::test(start_paused = true)]
async fn bad_envelopes_become_dead_letters_and_the_good_ones_among_them_are_done() {
    let goods = Goods::with(4, Limits::default());
    let mug = goods.product(5).await;
    let Partition(home) = mug.partition(4);
    let stranger = stranger_to(home);
    let envelopes = [
        wire::to_vec(&"no envelope"),
        said(&mug, "DEC-1", reserve(1)),
        said(&stranger, "DEC-2", reserve(1)),
        said(&mug, "DEC-3", reserve(1)),
    ];

    goods.say(home, &envelopes).await;

    until("the good ones are answered", || goods.replies().len() == 2).await;
    assert_eq!(goods.ledger(&mug), ["DEC-1", "DEC-3"]);
    let dead = goods.dead();
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert!(dead[0].contains("malformed"), "{dead:?}");
    assert!(dead[1].contains("lives in partition"), "{dead:?}");
    assert_eq!(goods.position(home), 1);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_message_become_a_dead_letter_and_nothing_waits_behind_them() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.publish(0, vec![0xc1, 0xff, 0x00].into()).await;
    until("its position is committed", || goods.position(0) == 1).await;
    assert_eq!(goods.dead().len(), 1);

    goods.say(0, &[said(&mug, "DEC-1", reserve(1))]).await;
    until("it is answered", || goods.replies().len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_position_moves_on_only_when_the_dead_letter_is_kept() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.stage.broker.judge(|message| {
        if message.subject.starts_with("dead.") {
            Fate::Refuse
        } else {
            Fate::Keep
        }
    });
    goods
        .say(0, &[wire::to_vec(&1), said(&mug, "DEC-1", reserve(1))])
        .await;
    until("the good one is done", || goods.committed(&mug).stock == 4).await;
    pass(3).await;
    assert_eq!(goods.position(0), 0);

    // Whoever comes next finds it again.
    let goods = goods.start_again();
    goods.stage.broker.be_kind();
    until("it is kept", || goods.dead().len() == 1).await;
    until("the position has moved", || goods.position(0) == 1).await;
    assert_eq!(goods.committed(&mug).stock, 4);
}

/// An entity that does not live in this partition of four.
fn stranger_to(home: u16) -> EntityId {
    let names = (0..100).map(|n| EntityId::from(format!("stranger-{n}").as_str()));
    let mut others = names.filter(|id| id.partition(4) != Partition(home));
    others.next().unwrap()
}

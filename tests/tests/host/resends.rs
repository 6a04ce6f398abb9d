//! What is owed is sent until it is answered.

use messages::order::Status;
use sim::Fate;

use crate::{
    goods::{adjust, left, pass, until},
    shop::{Shop, ids},
};

const COMMANDS: &str = "CMD_PRODUCT";
const REPLIES: &str = "REPLY_ORDER";

#[tokio::test(start_paused = true)]
async fn a_command_is_sent_again_with_growing_pauses_until_it_is_answered() {
    let shop = Shop::open();
    let mug = shop.goods.product(5).await;
    shop.goods.stage.broker.hold(COMMANDS);
    let order = shop.order(&mug).await;
    pass(60).await;

    let first = format!("DEC-{order}/{mug}");
    let sent = ids(&shop.goods, COMMANDS);
    assert!(sent.len() >= 5, "{sent:?}");
    assert_eq!(sent[0], first);
    for (n, id) in (1..).zip(&sent).skip(1) {
        assert_eq!(*id, format!("{first}#{n}"));
    }
    let times: Vec<i64> = shop
        .goods
        .stage
        .broker
        .messages(COMMANDS)
        .iter()
        .map(|m| m.at.millis())
        .collect();
    let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((500..700).contains(&pauses[0]), "{pauses:?}");
    assert!(
        pauses
            .windows(2)
            .take(4)
            .all(|pair| pair[1] > pair[0] * 3 / 2),
        "{pauses:?}"
    );
    assert!(pauses.iter().all(|pause| *pause < 20_000), "{pauses:?}");

    shop.goods.stage.broker.let_go(COMMANDS);
    shop.rest(&[order], Status::Confirmed).await;
    let answered = ids(&shop.goods, COMMANDS).len();
    pass(60).await;
    assert_eq!(
        ids(&shop.goods, COMMANDS).len(),
        answered,
        "nothing is sent any more"
    );
    assert_eq!(shop.goods.committed(&mug).stock, 4);
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_is_answered_by_the_same_message_again() {
    let shop = Shop::open();
    let mug = shop.goods.product(5).await;
    let mut lost = 0;
    shop.goods.stage.broker.judge(move |message| {
        lost += u32::from(message.subject.starts_with("cmd."));
        if lost == 1 && message.subject.starts_with("cmd.") {
            Fate::LoseAcknowledgement
        } else {
            Fate::Keep
        }
    });
    shop.goods.stage.broker.hold(COMMANDS);
    let order = shop.order(&mug).await;
    pass(3).await;
    let copies = ids(&shop.goods, COMMANDS);
    assert_eq!(copies[0], format!("DEC-{order}/{mug}"));
    shop.goods.stage.broker.let_go(COMMANDS);

    shop.rest(&[order], Status::Confirmed).await;
    assert_eq!(shop.goods.committed(&mug).stock, 4);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_refuses_is_tried_again() {
    let shop = Shop::open();
    let mug = shop.goods.product(5).await;
    shop.goods.stage.broker.judge(|_| Fate::Refuse);
    let order = shop.order(&mug).await;
    pass(10).await;
    assert_eq!(ids(&shop.goods, COMMANDS), Vec::<String>::new());

    shop.goods.stage.broker.be_kind();
    shop.rest(&[order], Status::Confirmed).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_was_sent_once_owes_nothing() {
    let shop = Shop::open();
    let mug = shop.goods.product(0).await;
    let order = shop.order(&mug).await;
    shop.rest(&[order], Status::Failed).await;
    assert_eq!(ids(&shop.goods, COMMANDS).len(), 1, "no release");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_was_sent_twice_still_owes_the_release() {
    let shop = Shop::open();
    let mug = shop.goods.product(0).await;
    shop.goods.stage.broker.hold(COMMANDS);
    let order = shop.order(&mug).await;
    until("it is sent twice", || ids(&shop.goods, COMMANDS).len() == 2).await;
    // Only the first copy is there to be refused; the second comes after a restock.
    shop.goods.stage.broker.lose_tail(COMMANDS, 1);
    shop.goods.stage.broker.let_go(COMMANDS);

    shop.rest(std::slice::from_ref(&order), Status::Failed)
        .await;

    let released = format!("INC-{order}");
    assert!(
        ids(&shop.goods, COMMANDS)
            .iter()
            .any(|id| id.starts_with(&released))
    );
    assert_eq!(
        shop.goods.ledger(&mug),
        [format!("DEC-{order}")],
        "a tombstone keeps it away"
    );
    assert_eq!(
        left(shop.goods.ask(&mug, "restock", adjust(5)).await.unwrap()),
        5
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_heard_before_the_acknowledgement_owes_the_release() {
    let shop = Shop::open();
    let mug = shop.goods.product(0).await;
    let mut first = true;
    shop.goods.stage.broker.judge(move |message| {
        let command = message.subject.starts_with("cmd.");
        if command && std::mem::take(&mut first) {
            Fate::LoseAcknowledgement
        } else {
            Fate::Keep
        }
    });
    let order = shop.order(&mug).await;
    shop.rest(std::slice::from_ref(&order), Status::Failed)
        .await;

    // It is published again, and the broker may have forgotten that it has it.
    assert_eq!(shop.goods.ledger(&mug), [format!("DEC-{order}")]);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_not_sent_again_while_that_is_being_committed() {
    let shop = Shop::open();
    let mug = shop.goods.product(0).await;
    let order = shop.order(&mug).await;
    shop.disk.hold_commits();
    pass(5).await;
    assert_eq!(shop.goods.replies().len(), 1);
    assert_eq!(ids(&shop.goods, COMMANDS).len(), 1, "it was answered");
    shop.disk.let_commits_go();

    shop.rest(&[order], Status::Failed).await;
    assert_eq!(ids(&shop.goods, COMMANDS).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_reaches_an_order_which_was_loaded_anew_owes_the_release() {
    let shop = Shop::open();
    let mug = shop.goods.product(0).await;
    shop.goods.stage.broker.hold(REPLIES);
    let order = shop.order(&mug).await;
    until("it is refused", || ids(&shop.goods, REPLIES).len() == 1).await;

    let shop = shop.start_orders_again();
    shop.goods.stage.broker.let_go(REPLIES);

    shop.rest(std::slice::from_ref(&order), Status::Failed)
        .await;
    assert_eq!(
        shop.goods.ledger(&mug),
        [format!("DEC-{order}")],
        "a tombstone keeps it away"
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_process_died_goes_on_where_it_stood() {
    let shop = Shop::open();
    let mug = shop.goods.product(5).await;
    let kept = shop.order(&mug).await;
    shop.rest(std::slice::from_ref(&kept), Status::Confirmed)
        .await;
    // Whatever leaves is lost, so that only what is owed can bring it about.
    shop.goods.stage.broker.judge(|message| {
        if message.subject.starts_with("cmd.") {
            Fate::Forget
        } else {
            Fate::Keep
        }
    });
    let order = shop.order(&mug).await;
    shop.cancel(&kept).await.unwrap().unwrap();

    let shop = shop.start_orders_again();
    shop.goods.stage.broker.be_kind();

    shop.rest(&[order], Status::Confirmed).await;
    shop.rest(&[kept], Status::Cancelled).await;
    assert_eq!(shop.goods.committed(&mug).stock, 4);
}

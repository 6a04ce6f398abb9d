//! A commit whose outcome nobody knows, and a writer that is no longer the owner.

use messages::{EntityId, Refusal};
use node::store::{Batch, StateWrite};
use sim::Verdict;

use crate::goods::{Goods, adjust, left, refused, reserve, said, until, view};

#[tokio::test(start_paused = true)]
async fn a_commit_of_unknown_outcome_is_done_once_whether_it_had_been_written_or_not() {
    for verdict in [Verdict::BreakBefore, Verdict::BreakAfter] {
        let goods = Goods::open();
        let mug = goods.product(5).await;
        break_once(&goods, verdict);

        let first = goods.ask(&mug, "key", adjust(-1));
        goods.say(0, &[said(&mug, "DEC-1", reserve(1))]).await;

        assert!([3, 4].contains(&left(first.await.unwrap())));
        // Its reply may have been lost with the life that owed it: it is sent again, as a saga does.
        until("it is committed", || goods.committed(&mug).stock == 3).await;
        goods.say(0, &[said(&mug, "DEC-1", reserve(1))]).await;
        until("it is answered", || !goods.replies().is_empty()).await;
        assert_eq!(goods.committed(&mug).stock, 3);
        let mut ledger = goods.ledger(&mug);
        ledger.sort();
        assert_eq!(ledger, ["DEC-1", "key"]);
        assert_eq!(goods.disk.writers(), 2, "a new writer, and all loaded anew");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ask_without_a_key_is_done_once_though_its_commit_was_lost() {
    for verdict in [Verdict::BreakBefore, Verdict::BreakAfter] {
        let goods = Goods::open();
        goods.product(5).await;
        break_once(&goods, verdict);

        let made = goods.product(7).await;

        assert_eq!(goods.committed(&made).stock, 7);
        assert_eq!(goods.disk.tables().states.len(), 2);
        assert_eq!(goods.disk.tables().ledger.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_actor_decided_and_no_commit_wrote_is_forgotten() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.disk.hold_commits();
    let lost = goods.ask(&mug, "lost", adjust(-5));
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    lost.abort();
    break_once(&goods, Verdict::BreakBefore);
    goods.disk.let_commits_go();

    // The old actor had nothing left; the database has it all.
    assert_eq!(left(goods.ask(&mug, "next", adjust(-5)).await.unwrap()), 0);
    assert_eq!(goods.ledger(&mug), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_takes_too_long_ends_the_life_of_its_owner() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.disk.hold_commits();
    let first = goods.ask(&mug, "key", adjust(-1));
    until("another life begins", || goods.disk.writers() == 2).await;
    goods.disk.let_commits_go();

    assert!(
        first.await.unwrap().is_err(),
        "it waited too long for an owner"
    );
    assert_eq!(left(goods.ask(&mug, "key", adjust(-1)).await.unwrap()), 4);
    assert_eq!(goods.ledger(&mug), ["key"]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_writer_writes_nothing_and_decides_on_the_truth_from_then_on() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    behind_its_back(&goods, &mug);

    let refusal = refused(goods.ask(&mug, "key", adjust(-3)).await.unwrap());

    assert_eq!(
        refusal,
        Refusal::InsufficientStock {
            available: 2,
            requested: 3
        }
    );
    assert_eq!(goods.committed(&mug).stock, 2);
    assert_eq!(goods.ledger(&mug), Vec::<String>::new());
    assert_eq!(goods.disk.writers(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_waited_for() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    let mut faults = 0;
    goods.disk.judge(move |_| {
        faults += 1;
        if faults <= 5 {
            Verdict::BreakBefore
        } else {
            Verdict::Write
        }
    });

    assert_eq!(left(goods.ask(&mug, "key", adjust(-1)).await.unwrap()), 4);
    assert_eq!(goods.disk.writers(), 6);
    assert_eq!(
        view(
            goods
                .ask(&mug, "read", messages::product::Command::Get)
                .await
                .unwrap()
        )
        .stock,
        4
    );
}

fn break_once(goods: &Goods, verdict: Verdict) {
    let mut verdicts = vec![verdict];
    goods
        .disk
        .judge(move |_| verdicts.pop().unwrap_or(Verdict::Write));
}

/// Another owner sold three pieces of five.
fn behind_its_back(goods: &Goods, product: &EntityId) {
    let mut read = goods.disk.tables().state(product).unwrap();
    let stock = read
        .row
        .values
        .iter_mut()
        .find(|value| **value == 5.into())
        .unwrap();
    *stock = 2.into();
    let state = StateWrite {
        entity: product.clone(),
        partition: product.partition(1),
        expected: read.version,
        version: read.version + 1,
        owing: false,
        row: read.row,
    };
    let batch = Batch {
        states: vec![state],
        ..Batch::default()
    };
    goods.disk.write(&batch).unwrap();
}

//! Nothing leaves before it is durable.

use messages::{Refusal, product::Command};
use node::host::Limits;
use sim::Verdict;

use crate::goods::{Goods, adjust, left, pass, refused, reserve, said, until, view};

#[tokio::test(start_paused = true)]
async fn no_answer_leaves_before_the_commit_of_what_it_rests_on() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.disk.hold_commits();

    let taken = goods.ask(&mug, "first", adjust(-4));
    let refusal = goods.ask(&mug, "second", adjust(-2));
    let read = goods.ask(&mug, "read", Command::Get);
    goods
        .say(
            0,
            &[
                said(&mug, "DEC-1", reserve(1)),
                said(&mug, "DEC-2", reserve(1)),
            ],
        )
        .await;
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    pass(3).await;
    for asked in [&taken, &refusal, &read] {
        assert!(!asked.is_finished());
    }
    assert_eq!(goods.replies(), []);

    goods.disk.let_commits_go();
    assert_eq!(left(taken.await.unwrap()), 1);
    assert!(matches!(
        refused(refusal.await.unwrap()),
        Refusal::InsufficientStock { available: 1, .. }
    ));
    assert_eq!(view(read.await.unwrap()).stock, 1);
    until("both are answered", || goods.replies().len() == 2).await;
    assert!(goods.replies()[0].1.is_ok() && goods.replies()[1].1.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_rests_on_what_is_never_committed_is_never_given() {
    let goods = Goods::open();
    let (mug, cup) = (goods.product(1).await, goods.product(1).await);
    goods.disk.hold_commits();
    let before = goods.ask(&cup, "before", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    // These two are decided meanwhile, and share the next commit.
    let taken = goods.ask(&mug, "first", adjust(-1));
    let refusal = goods.ask(&mug, "second", adjust(-1));
    pass(1).await;

    // The first effect is lost with that commit, and nobody asks for it again.
    taken.abort();
    let mut verdicts = vec![Verdict::BreakBefore, Verdict::Write];
    goods
        .disk
        .judge(move |_| verdicts.pop().unwrap_or(Verdict::Write));
    goods.disk.let_commits_go();

    assert_eq!(left(before.await.unwrap()), 0);
    assert_eq!(left(refusal.await.unwrap()), 0, "so there was one left");
    assert_eq!(goods.ledger(&mug), ["second"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_waits_until_the_position_behind_its_message_is_committed() {
    let goods = one_at_a_time().await;
    let (mug, cup) = (goods.product(5).await, goods.product(5).await);
    stop_after_one_commit(&goods);

    goods
        .say(
            0,
            &[
                said(&mug, "DEC-1", reserve(1)),
                said(&cup, "DEC-2", reserve(1)),
            ],
        )
        .await;
    until("one is committed", || goods.committed(&mug).stock == 4).await;
    pass(3).await;
    assert_eq!(goods.committed(&cup).stock, 5);
    assert_eq!(goods.position(0), 0, "the second envelope is not decided");
    assert_eq!(goods.replies(), []);

    goods.disk.judge(|_| Verdict::Write);
    goods.disk.let_commits_go();
    until("both are answered", || goods.replies().len() == 2).await;
    assert_eq!(goods.position(0), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_decided_when_the_process_died_is_decided_by_the_next() {
    let goods = one_at_a_time().await;
    let (mug, cup) = (goods.product(5).await, goods.product(5).await);
    stop_after_one_commit(&goods);
    goods
        .say(
            0,
            &[
                said(&mug, "DEC-1", reserve(1)),
                said(&cup, "DEC-2", reserve(1)),
            ],
        )
        .await;
    until("one is committed", || goods.committed(&mug).stock == 4).await;

    let goods = goods.start_again();
    goods.disk.judge(|_| Verdict::Write);
    goods.disk.let_commits_go();

    until("both are answered", || goods.replies().len() == 2).await;
    assert!(goods.replies().iter().all(|(_, answer)| answer.is_ok()));
    assert_eq!(
        (goods.committed(&mug).stock, goods.committed(&cup).stock),
        (4, 4)
    );
    assert_eq!((goods.ledger(&mug).len(), goods.ledger(&cup).len()), (1, 1));
}

/// One commit a decision.
async fn one_at_a_time() -> Goods {
    let limits = Limits {
        batch_max: 1,
        ..Limits::default()
    };
    let goods = Goods::with(1, limits);
    goods.product(1).await;
    goods
}

/// Lets one commit through, and holds all behind it up.
fn stop_after_one_commit(goods: &Goods) {
    let disk = goods.disk.clone();
    goods.disk.judge(move |_| {
        disk.hold_commits();
        Verdict::Write
    });
}

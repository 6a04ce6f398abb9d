//! The same request twice, while the first is not yet in the ledger.

use messages::{Refusal, product::Reply};

use crate::goods::{Goods, adjust, left, pass, refused, release, reserve, said, until};

#[tokio::test(start_paused = true)]
async fn two_copies_in_one_batch_have_one_effect_and_two_equal_answers() {
    let goods = Goods::open();
    let mug = goods.product(5).await;

    let copies = [
        goods.ask(&mug, "key", adjust(-1)),
        goods.ask(&mug, "key", adjust(-1)),
    ];
    goods
        .say(
            0,
            &[
                said(&mug, "DEC-1", reserve(1)),
                said(&mug, "DEC-1", reserve(1)),
            ],
        )
        .await;

    let mut answers = Vec::new();
    for copy in copies {
        answers.push(copy.await.unwrap().unwrap().unwrap());
    }
    assert_eq!(answers[0], answers[1]);
    until("both are answered", || goods.replies().len() == 2).await;
    assert_eq!(goods.replies()[0], goods.replies()[1]);
    assert_eq!(goods.ledger(&mug), ["key", "DEC-1"]);
    assert_eq!(goods.committed(&mug).stock, 3);
    assert_eq!(goods.disk.writers(), 1, "nothing had to be loaded anew");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_while_the_first_is_being_committed_waits_for_it_and_gets_its_answer() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.disk.hold_commits();
    let first = goods.ask(&mug, "key", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;

    let repeat = goods.ask(&mug, "key", adjust(-1));
    pass(3).await;
    assert!(!repeat.is_finished());
    goods.disk.let_commits_go();

    assert_eq!(
        (left(first.await.unwrap()), left(repeat.await.unwrap())),
        (4, 4)
    );
    assert_eq!(goods.ledger(&mug), ["key"]);
    assert_eq!(goods.disk.writers(), 1, "nothing had to be loaded anew");
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_began_before_the_commit_ended_does_not_hide_the_first() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.disk.hold_commits();
    let first = goods.ask(&mug, "key", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    goods.disk.hold_lookups();
    let repeat = goods.ask(&mug, "key", adjust(-1));
    until("a lookup has found nothing", || {
        goods.disk.lookups_held() == 1
    })
    .await;

    goods.disk.let_commits_go();
    assert_eq!(left(first.await.unwrap()), 4);
    goods.disk.let_lookups_go();

    assert_eq!(left(repeat.await.unwrap()), 4);
    assert_eq!(goods.ledger(&mug), ["key"]);
    assert_eq!(goods.disk.writers(), 1, "nothing had to be loaded anew");
}

#[tokio::test(start_paused = true)]
async fn the_same_id_with_another_body_is_a_mismatch_before_the_commit_and_after_it() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.disk.hold_commits();
    let first = goods.ask(&mug, "key", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    let before = goods.ask(&mug, "key", adjust(-2));
    pass(1).await;
    goods.disk.let_commits_go();

    assert_eq!(left(first.await.unwrap()), 4);
    assert_eq!(refused(before.await.unwrap()), Refusal::RequestMismatch);
    let after = goods.ask(&mug, "key", adjust(-2));
    assert_eq!(refused(after.await.unwrap()), Refusal::RequestMismatch);
    assert_eq!(goods.committed(&mug).stock, 4);
}

#[tokio::test(start_paused = true)]
async fn a_release_undoes_exactly_its_reserve_in_one_batch_with_it_and_later() {
    for together in [true, false] {
        let goods = Goods::open();
        let mug = goods.product(9).await;
        let envelopes = [
            said(&mug, "DEC-1", reserve(3)),
            said(&mug, "DEC-1-2", reserve(2)),
            said(&mug, "INC-1", release(2)),
            said(&mug, "INC-1-2", release(2)),
        ];
        if together {
            goods.say(0, &envelopes).await;
        } else {
            for (n, envelope) in envelopes.into_iter().enumerate() {
                goods.say(0, &[envelope]).await;
                until("it is answered", || goods.replies().len() == n + 1).await;
            }
        }

        until("all are answered", || goods.replies().len() == 4).await;
        let answers: Vec<_> = goods
            .replies()
            .into_iter()
            .map(|(_, answer)| answer)
            .collect();
        assert_eq!(
            answers[2],
            Err(Refusal::RequestMismatch),
            "the first took three"
        );
        assert!(matches!(&answers[3], Ok(Reply::Released(released)) if released.quantity == 2));
        assert_eq!(goods.committed(&mug).stock, 6);
        assert_eq!(goods.ledger(&mug), ["DEC-1", "DEC-1-2", "INC-1-2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reserve_behind_its_release_is_refused_in_one_batch_with_it_and_later() {
    for together in [true, false] {
        let goods = Goods::open();
        let mug = goods.product(9).await;
        let (release, reserve) = (
            said(&mug, "INC-1", release(3)),
            said(&mug, "DEC-1", reserve(3)),
        );
        if together {
            goods.say(0, &[release, reserve]).await;
        } else {
            goods.say(0, &[release]).await;
            until("it is answered", || goods.replies().len() == 1).await;
            goods.say(0, &[reserve]).await;
        }

        until("both are answered", || goods.replies().len() == 2).await;
        assert!(goods.replies()[0].1.is_ok());
        assert_eq!(goods.replies()[1].1, Err(Refusal::AlreadyReleased));
        assert_eq!(
            goods.ledger(&mug),
            ["DEC-1"],
            "a tombstone under the reserve's own id"
        );
        assert_eq!(goods.committed(&mug).stock, 9);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_comes_for_the_first_time_needs_no_look_into_the_ledger() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    goods.disk.hold_lookups();
    let first = said(&mug, &of_order(1), reserve(1));
    goods.say(0, std::slice::from_ref(&first)).await;
    until("the first is answered", || goods.replies().len() == 1).await;

    goods.say(0, &[first]).await;
    until("a lookup waits", || goods.disk.lookups_held() == 1).await;
    goods.disk.let_lookups_go();
    until("the repeat is decided", || goods.position(0) == 2).await;
    assert_eq!(goods.ledger(&mug), [of_order(1)]);
    assert_eq!(goods.committed(&mug).stock, 4);
    assert_eq!(goods.disk.writers(), 1, "nothing had to be loaded anew");
}

#[tokio::test(start_paused = true)]
async fn what_a_life_before_has_decided_is_found_in_the_ledger_and_what_is_younger_is_new() {
    let goods = Goods::open();
    let mug = goods.product(5).await;
    let two = [3, 5].map(|order| said(&mug, &of_order(order), reserve(1)));
    goods.say(0, &two).await;
    until("both are answered", || goods.replies().len() == 2).await;
    let goods = goods.start_again();

    goods.disk.hold_lookups();
    let younger = said(&mug, &of_order(6), reserve(1));
    goods.say(0, &[younger]).await;
    until("the younger is answered", || goods.replies().len() == 3).await;
    // One that came before, and one that never came but might have.
    for (order, stock) in [(5, 2), (4, 1)] {
        let said_before = goods.position(0);
        goods.disk.hold_lookups();
        goods
            .say(0, &[said(&mug, &of_order(order), reserve(1))])
            .await;
        until("a lookup waits", || goods.disk.lookups_held() == 1).await;
        goods.disk.let_lookups_go();
        until("it is decided", || goods.position(0) > said_before).await;
        assert_eq!(goods.committed(&mug).stock, stock);
    }
    assert_eq!(goods.ledger(&mug), [3, 5, 6, 4].map(of_order));
}

/// The reserve of an order, named as orders are.
fn of_order(n: u32) -> String {
    format!("DEC-0190a1b2-c3d4-7e5f-8a9b-{n:012}")
}

//! A row that the database refuses.

use messages::product::Command;
use node::store::Batch;
use sim::Verdict;

use crate::goods::{Goods, adjust, left, reserve, said, until, view};

#[tokio::test(start_paused = true)]
async fn a_refused_row_stops_neither_its_batch_nor_its_partition() {
    let goods = Goods::open();
    let (mug, cup, jug) = (
        goods.product(9).await,
        goods.product(9).await,
        goods.product(9).await,
    );
    refuse(&goods, &["DEC-bad"]);
    goods.disk.hold_commits();
    let mut good = vec![goods.ask(&cup, "a", adjust(-1))];
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    for (id, product) in [
        ("DEC-1", &mug),
        ("DEC-bad", &mug),
        ("DEC-2", &mug),
        ("DEC-3", &jug),
    ] {
        goods.say(0, &[said(product, id, reserve(1))]).await;
    }
    good.push(goods.ask(&cup, "b", adjust(-1)));
    good.push(goods.ask(&jug, "c", adjust(-1)));
    goods.disk.let_commits_go();

    for asked in good {
        assert!(asked.await.unwrap().unwrap().is_ok());
    }
    until("three are answered", || goods.replies().len() >= 3).await;
    let mut answered: Vec<String> = goods.replies().into_iter().map(|(id, _)| id).collect();
    answered.sort();
    answered.dedup();
    assert_eq!(answered, ["DEC-1", "DEC-2", "DEC-3"]);
    assert_eq!(goods.dead().len(), 1);
    assert!(
        goods.dead()[0].contains("the database refuses"),
        "{:?}",
        goods.dead()
    );
    assert_eq!(goods.ledger(&mug), ["DEC-1", "DEC-2"]);
    assert_eq!(goods.committed(&mug).stock, 7);
    assert_eq!(
        (goods.committed(&cup).stock, goods.committed(&jug).stock),
        (7, 7)
    );
    until("the position is behind all", || goods.position(0) == 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_envelope_stops_neither_those_before_nor_those_behind_it_in_its_message() {
    let goods = Goods::open();
    let (mug, cup) = (goods.product(9).await, goods.product(9).await);
    refuse(&goods, &["DEC-bad", "DEC-worse"]);

    let envelopes = [
        said(&mug, "DEC-1", reserve(1)),
        said(&mug, "DEC-bad", reserve(1)),
        said(&cup, "DEC-worse", reserve(1)),
        said(&cup, "DEC-2", reserve(1)),
    ];
    goods.say(0, &envelopes).await;

    until("the position is behind it", || goods.position(0) == 1).await;
    until("the good ones are answered", || goods.replies().len() >= 2).await;
    assert_eq!(
        (goods.ledger(&mug), goods.ledger(&cup)),
        (vec!["DEC-1".into()], vec!["DEC-2".into()])
    );
    assert_eq!(goods.dead().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_ask_whose_row_is_refused_alone_is_told_so() {
    let goods = Goods::open();
    let mug = goods.product(9).await;
    refuse(&goods, &["bad"]);
    goods.disk.hold_commits();
    let first = goods.ask(&mug, "first", adjust(-1));
    until("a commit waits", || goods.disk.commits_held() == 1).await;
    let (bad, good) = (
        goods.ask(&mug, "bad", adjust(-1)),
        goods.ask(&mug, "good", adjust(-1)),
    );
    goods.disk.let_commits_go();

    assert!(bad.await.unwrap().is_err());
    assert!(left(first.await.unwrap()) == 8 && left(good.await.unwrap()) == 7);
    assert_eq!(goods.ledger(&mug), ["first", "good"]);
    assert_eq!(goods.dead(), Vec::<String>::new());
    assert_eq!(
        view(goods.ask(&mug, "read", Command::Get).await.unwrap()).stock,
        7
    );
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_while_a_command_is_put_aside_is_given_up_on() {
    let goods = Goods::open();
    let mug = goods.product(9).await;
    let (mut refused, mut hung) = (false, false);
    goods.disk.judge(move |batch| {
        let bad = |id: &messages::RequestId| id.as_str() == "DEC-bad";
        if batch.ledger.iter().any(|row| bad(&row.request_id)) {
            refused = true;
            Verdict::Refuse
        } else if refused && !hung && batch.ledger.is_empty() {
            hung = true;
            Verdict::HangAfter
        } else {
            Verdict::Write
        }
    });
    goods.say(0, &[said(&mug, "DEC-bad", reserve(1))]).await;
    goods.say(0, &[said(&mug, "DEC-1", reserve(1))]).await;

    until("the next is decided", || goods.ledger(&mug) == ["DEC-1"]).await;
}

/// The database refuses every batch that has a row of one of these requests.
fn refuse(goods: &Goods, ids: &'static [&'static str]) {
    let bad = move |batch: &Batch| {
        batch
            .ledger
            .iter()
            .any(|row| ids.contains(&row.request_id.as_str()))
    };
    goods.disk.judge(move |batch| {
        if bad(batch) {
            Verdict::Refuse
        } else {
            Verdict::Write
        }
    });
}

//! What is owed to the outside is called until its outcome is known.

use std::time::Duration;

use node::host::Limits;
use sim::Verdict;

use crate::{
    errand::{Errands, sent},
    goods::{pass, until},
    outside::Deed,
};

#[tokio::test(start_paused = true)]
async fn a_call_is_made_only_when_what_owes_it_is_committed() {
    let errands = Errands::run(&[]);
    until("it owns", || errands.process.service.missing().is_empty()).await;
    errands.disk.hold_commits();
    let asked = errands.send("a", None);
    pass(5).await;
    assert_eq!(errands.world.calls(), []);
    assert!(!asked.is_finished());

    errands.disk.let_commits_go();
    until("it is back", || errands.is_out("a") == Some(false)).await;
    assert_eq!(errands.world.calls(), [("errand-1".to_owned(), false)]);
    pass(60).await;
    assert_eq!(errands.world.calls().len(), 1, "nothing is called any more");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_unknown_outcome_is_made_again_under_its_id_until_it_is_known() {
    let errands = Errands::run(&[Deed::Lose; 8]);
    errands.send("a", None).await.unwrap().unwrap().unwrap();
    pass(2).await;
    let soon = errands.world.calls().len();
    assert!((2..=4).contains(&soon), "{soon} calls in two seconds");
    until("it is back", || errands.is_out("a") == Some(false)).await;

    let calls = errands.world.calls();
    assert_eq!(calls.len(), 9);
    assert_eq!(calls[0], ("errand-1".to_owned(), false));
    assert!(
        calls[1..]
            .iter()
            .all(|call| *call == ("errand-1".to_owned(), true))
    );
    assert_eq!(errands.ledger("a"), ["sent", "back"]);
}

#[tokio::test(start_paused = true)]
async fn another_call_of_the_same_entity_has_never_been_made_before() {
    let errands = Errands::run(&[Deed::Lose]);
    for _ in 0..2 {
        errands.send("a", None).await.unwrap().unwrap().unwrap();
        until("it is back", || errands.is_out("a") == Some(false)).await;
    }
    let calls = [("errand-1", false), ("errand-1", true), ("errand-2", false)];
    let calls = calls.map(|(id, again)| (id.to_owned(), again));
    assert_eq!(errands.world.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_comes_twice_is_decided_once() {
    let errands = Errands::run(&[Deed::Repeat(3)]);
    errands.send("a", None).await.unwrap().unwrap().unwrap();
    pass(5).await;
    assert_eq!(errands.ledger("a"), ["sent", "back"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_made_again_and_not_beside_itself() {
    let limits = Limits {
        call_wait_ms: 4_000,
        ..Limits::default()
    };
    let long = Deed::Take(Duration::from_mins(1));
    let errands = Errands::with(&[long, long], limits);
    errands.send("a", None).await.unwrap().unwrap().unwrap();
    pass(3).await;
    assert_eq!(errands.world.calls().len(), 1);
    until("it is back", || errands.is_out("a") == Some(false)).await;
    assert_eq!(errands.world.calls().len(), 3);
    assert_eq!(errands.world.most_under_way(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_killed_process_owed_is_made_by_the_next_as_made_before() {
    let errands = Errands::run(&[Deed::Take(Duration::from_secs(5))]);
    errands.send("a", None).await.unwrap().unwrap().unwrap();
    until("it is called", || errands.world.calls().len() == 1).await;

    let errands = errands.start_again();
    until("it is back", || errands.is_out("a") == Some(false)).await;
    let calls = [("errand-1", false), ("errand-1", true)];
    assert_eq!(
        errands.world.calls(),
        calls.map(|(id, again)| (id.to_owned(), again))
    );
    assert_eq!(errands.ledger("a"), ["sent", "back"]);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_whose_commit_was_lost_is_asked_for_again() {
    for verdict in [Verdict::BreakBefore, Verdict::BreakAfter] {
        let errands = Errands::run(&[]);
        let mut left = Some(verdict);
        errands.disk.judge(move |batch| {
            let back = batch.ledger.iter().any(|row| row.kind == "back");
            left.take_if(|_| back).unwrap_or(Verdict::Write)
        });
        errands.send("a", None).await.unwrap().unwrap().unwrap();
        until("it is back", || errands.is_out("a") == Some(false)).await;
        pass(60).await;
        assert_eq!(errands.ledger("a"), ["sent", "back"]);
        assert_eq!(errands.disk.writers(), 2, "all was loaded anew");
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_calls_are_under_way_and_no_more() {
    let limits = Limits {
        calls_max: 3,
        ..Limits::default()
    };
    let errands = Errands::with(&[Deed::Take(Duration::from_millis(200)); 20], limits);
    let names: Vec<String> = (0..20).map(|n| format!("e{n}")).collect();
    for name in &names {
        errands.send(name, None).await.unwrap().unwrap().unwrap();
    }
    until("all are back", || {
        names.iter().all(|name| errands.is_out(name) == Some(false))
    })
    .await;
    assert_eq!(errands.world.most_under_way(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_turn_is_not_made_when_it_is_owed_no_longer() {
    let limits = Limits {
        calls_max: 1,
        ..Limits::default()
    };
    let errands = Errands::with(&[Deed::Take(Duration::from_secs(5))], limits);
    errands.send("a", None).await.unwrap().unwrap().unwrap();
    errands.send("b", None).await.unwrap().unwrap().unwrap();
    pass(1).await;
    errands.call_back("b").await.unwrap().unwrap().unwrap();
    until("a is back", || errands.is_out("a") == Some(false)).await;
    pass(60).await;

    assert_eq!(errands.is_out("b"), Some(false));
    assert_eq!(errands.world.calls(), [("errand-1".to_owned(), false)]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_holds_up_nothing() {
    let limits = Limits {
        calls_max: 1,
        ..Limits::default()
    };
    let errands = Errands::with(&[Deed::Panic], limits);
    for name in ["a", "b"] {
        errands.send(name, None).await.unwrap().unwrap().unwrap();
    }
    for name in ["a", "b"] {
        until("both are back", || errands.is_out(name) == Some(false)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_call_that_is_under_way_and_begins_no_other() {
    let errands = Errands::run(&[Deed::Take(Duration::from_secs(4)), Deed::Lose]);
    errands.send("a", None).await.unwrap().unwrap().unwrap();
    until("it is called", || errands.world.under_way() == 1).await;
    errands.send("b", None).await.unwrap().unwrap().unwrap();
    until("both are called", || errands.world.calls().len() == 2).await;

    let Errands {
        process,
        disk,
        world,
        stage,
        ..
    } = errands;
    process.stop().await.unwrap();

    assert_eq!(world.calls().len(), 2, "no call is begun while it stops");
    let kinds: Vec<String> = disk
        .tables()
        .ledger
        .values()
        .map(|row| row.kind.clone())
        .collect();
    assert_eq!(kinds, ["sent", "sent", "back"]);
    drop(stage);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_when_the_outcome_is_known() {
    let errands = Errands::run(&[Deed::Take(Duration::from_secs(2))]);
    let waiting = errands.send("a", Some(Duration::from_secs(8)));
    pass(1).await;
    assert!(!waiting.is_finished());
    assert_eq!(waiting.await.unwrap().unwrap(), Ok(sent(1)));
}

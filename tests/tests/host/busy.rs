//! An answer to an envelope waits until its entity is at rest, and nothing waits with it.

use std::time::Duration;

use messages::Refusal;
use node::host::Limits;

use crate::{
    errand::{Errands, sent},
    goods::{pass, until},
    outside::Deed,
};

const LONG: Deed = Deed::Take(Duration::from_secs(5));

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_the_outcome_and_not_the_position() {
    let errands = Errands::run(&[LONG]);
    errands.say("DEC-1", &["a"]).await;
    until("the position moves on", || errands.position() == 1).await;
    errands.say("DEC-2", &["b"]).await;
    until("another is answered", || !errands.replies().is_empty()).await;
    assert_eq!(errands.replies(), [("DEC-2".to_owned(), Ok(sent(1)))]);

    until("both are answered", || errands.replies().len() == 2).await;
    assert_eq!(errands.replies()[1], ("DEC-1".to_owned(), Ok(sent(1))));
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_is_what_the_entity_says_at_rest() {
    let errands = Errands::run(&[Deed::Fail]);
    errands.say("DEC-1", &["a"]).await;
    until("it is answered", || !errands.replies().is_empty()).await;
    let refusal = Refusal::InvalidState {
        reason: "DEC-1 was in vain".into(),
    };
    assert_eq!(errands.replies(), [("DEC-1".to_owned(), Err(refusal))]);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_that_waits_too_is_answered_with_the_first() {
    let errands = Errands::run(&[LONG]);
    for _ in 0..3 {
        errands.say("DEC-1", &["a"]).await;
    }
    errands.say("DEC-2", &["a"]).await;
    pass(10).await;
    let mut ids: Vec<String> = errands.replies().into_iter().map(|(id, _)| id).collect();
    ids.sort();
    assert_eq!(ids, ["DEC-1", "DEC-2"]);
    errands.say("DEC-1", &["b"]).await;
    until("a later one is answered", || errands.replies().len() == 3).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_with_its_process_is_given_when_it_is_asked_for_again() {
    let errands = Errands::run(&[LONG]);
    errands.say("DEC-1", &["a"]).await;
    until("it is called", || errands.world.calls().len() == 1).await;

    let errands = errands.start_again();
    until("it is back", || errands.is_out("a") == Some(false)).await;
    pass(5).await;
    assert_eq!(errands.replies(), [], "nobody waits any more");
    errands.say("DEC-1", &["a"]).await;
    until("it is answered", || !errands.replies().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn answers_of_one_message_wait_each_for_its_own_entity() {
    let errands = Errands::run(&[LONG]);
    errands.say("DEC-1", &["a", "b", "c"]).await;
    until("two are answered", || errands.replies().len() == 2).await;
    assert_eq!(errands.is_out("a"), Some(true));
    until("all are answered", || errands.replies().len() == 3).await;
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_an_answer_is_let_go() {
    let limits = Limits {
        busy_max: 2,
        ..Limits::default()
    };
    let errands = Errands::with(&[LONG; 3], limits);
    for name in ["a", "b", "c"] {
        errands.say("DEC-1", &[name]).await;
    }
    pass(20).await;
    assert_eq!(errands.replies().len(), 2);
    assert_eq!(errands.is_out("c"), Some(false));
    // There is room again.
    errands.say("DEC-1", &["c"]).await;
    until("it is answered", || errands.replies().len() == 3).await;
}

//! Given, when, then: what a payment by card decides, and what all have in common.

mod desk;
mod outside;
mod random;

use messages::payment::{Outcome, Status};

use super::*;
use desk::{Desk, ORDER, money, no_cover};

#[test]
fn a_charge_is_owed_from_the_intent_on_and_answered_when_it_is_known() {
    let mut desk = Desk::open();
    assert_eq!(desk.authorise(1), None, "it waits for the gateway");
    assert_eq!(desk.owes(), ["charge o"]);
    desk.paid(1, "g-1");
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert_eq!(desk.authorise(1), Some(Ok(authorised("g-1"))));
    assert_eq!(desk.told, ["payment.completed"]);
}

#[test]
fn an_authorisation_that_comes_again_asks_the_gateway_once() {
    let mut desk = Desk::open();
    for _ in 0..3 {
        assert_eq!(desk.authorise(1), None);
    }
    assert_eq!(desk.owes(), ["charge o"]);
    desk.paid(1, "g-1");
    desk.paid(1, "g-1");
    assert_eq!(desk.told, ["payment.completed"]);
}

#[test]
fn each_attempt_is_charged_under_a_merchant_uid_of_its_own() {
    let mut desk = Desk::open();
    desk.authorise(1);
    desk.declined(1, false);
    desk.authorise(2);
    assert_eq!(desk.owes(), ["charge o-2"]);
    desk.paid(2, "g-2");
    assert_eq!(desk.authorise(2), Some(Ok(authorised("g-2"))));
    assert_eq!(desk.authorise(1), Some(Err(no_cover())), "the first answer");
}

#[test]
fn another_amount_under_the_same_request_id_is_a_mismatch() {
    let mut desk = Desk::open();
    desk.authorise(1);
    let other = Some(Err(Refusal::RequestMismatch));
    assert_eq!(desk.authorise_of(1, 501), other);
    desk.paid(1, "g-1");
    assert_eq!(desk.authorise_of(1, 501), other);
    assert_eq!(desk.name(1, "imp_1"), other);
}

#[test]
fn nothing_is_charged_where_nothing_is_due() {
    let mut desk = Desk::open();
    let refused = desk.authorise_of(1, 0);
    assert!(matches!(refused, Some(Err(Refusal::InvalidState { .. }))));
    assert_eq!(desk.owes(), Vec::<String>::new());
}

#[test]
fn a_decline_is_answered_alike_for_ever_and_asked_no_second_time() {
    let mut desk = Desk::open();
    desk.authorise(1);
    desk.declined(1, false);
    assert_eq!(desk.authorise(1), Some(Err(no_cover())));
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert_eq!(desk.cancel(1), Some(Ok(cancelled(money(0)))));
    assert_eq!(status(&mut desk), Status::Declined);
}

#[test]
fn a_decline_of_what_was_asked_twice_is_looked_for_all_the_same() {
    let mut desk = Desk::open();
    desk.authorise(1);
    desk.declined(1, true);
    assert_eq!(desk.authorise(1), Some(Err(no_cover())));
    assert_eq!(desk.owes(), ["seek o"]);
    desk.paid(1, "g-1");
    assert_eq!(desk.owes(), ["refund g-1"]);
    refunded(&mut desk, "g-1");
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert_eq!(desk.told, Vec::<&str>::new());
}

#[test]
fn a_cancel_gives_back_what_was_taken_once_the_gateway_says_so() {
    let mut desk = Desk::open();
    desk.authorise(1);
    desk.paid(1, "g-1");
    assert_eq!(desk.cancel(1), None);
    assert_eq!(desk.cancel(1), None);
    assert_eq!(desk.owes(), ["refund g-1"]);
    refunded(&mut desk, "g-1");
    refunded(&mut desk, "g-1");
    assert_eq!(desk.cancel(1), Some(Ok(cancelled(money(500)))));
    assert_eq!(desk.told, ["payment.completed", "payment.cancelled"]);
    assert_eq!(status(&mut desk), Status::Cancelled);
}

#[test]
fn a_cancel_that_the_gateway_refuses_leaves_the_money_and_may_be_asked_again() {
    let mut desk = Desk::open();
    desk.authorise(1);
    desk.paid(1, "g-1");
    desk.cancel(1);
    desk.hear(Outcome::RefundRefused {
        gateway_id: "g-1".into(),
        reason: "no cover".into(),
    });
    assert_eq!(status(&mut desk), Status::Authorised);
    let command = Command::Cancel(messages::payment::Cancel {
        order_id: desk::order(),
        amount: money(500),
    });
    let id = RequestId::release(ORDER, 1);
    assert_eq!(desk.payment.answer_at_rest(&command, &id), Err(no_cover()));
    assert_eq!(desk.cancel(1), None, "it is asked again");
    refunded(&mut desk, "g-1");
    assert_eq!(desk.cancel(1), Some(Ok(cancelled(money(500)))));
}

#[test]
fn a_cancel_of_what_is_not_known_is_answered_at_once_and_gives_back_what_comes() {
    let mut desk = Desk::open();
    desk.authorise(1);
    assert_eq!(desk.cancel(1), Some(Ok(cancelled(money(0)))));
    assert_eq!(desk.owes(), ["seek o"]);
    assert_eq!(desk.authorise(1), Some(Err(Refusal::AlreadyReleased)));
    desk.paid(1, "g-1");
    desk.paid(1, "g-1");
    assert_eq!(desk.owes(), ["refund g-1"]);
    refunded(&mut desk, "g-1");
    desk.paid(1, "g-1");
    assert_eq!(desk.owes(), Vec::<String>::new(), "it is given back once");
    assert_eq!(desk.cancel(1), Some(Ok(cancelled(money(0)))));
}

#[test]
fn what_is_not_found_is_looked_for_no_longer() {
    let mut desk = Desk::open();
    desk.authorise(1);
    desk.cancel(1);
    desk.declined(1, true);
    assert_eq!(desk.owes(), ["seek o"], "a late no changes nothing");
    missing(&mut desk, ORDER);
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert!(desk.payment.calls().is_empty());
}

#[test]
fn a_cancel_that_comes_first_keeps_the_charge_away() {
    let mut desk = Desk::open();
    assert_eq!(desk.cancel(1), Some(Ok(cancelled(money(0)))));
    assert_eq!(desk.authorise(1), Some(Err(Refusal::AlreadyReleased)));
    assert_eq!(desk.owes(), ["seek o"]);
    assert_eq!(desk.cancel(1), Some(Ok(cancelled(money(0)))));
}

#[test]
fn money_that_was_taken_twice_is_given_back_once() {
    let mut desk = Desk::open();
    desk.authorise(1);
    desk.paid(1, "g-1");
    desk.paid(1, "g-2");
    assert_eq!(desk.owes(), ["refund g-2"]);
    refunded(&mut desk, "g-2");
    assert_eq!(desk.authorise(1), Some(Ok(authorised("g-1"))));
}

#[test]
fn a_request_id_of_another_order_is_a_mismatch() {
    let mut desk = Desk::open();
    let command = Command::Cancel(messages::payment::Cancel {
        order_id: desk::order(),
        amount: money(500),
    });
    for id in ["INC-x", "x", "", &format!("INC-{ORDER}-1"), "INC-"] {
        let refused = desk.ask(id, &command);
        assert_eq!(refused, Some(Err(Refusal::RequestMismatch)), "{id:?}");
    }
}

fn authorised(gateway_id: &str) -> Reply {
    Reply::Authorised(Authorised {
        amount: money(500),
        gateway: "sandbox".into(),
        gateway_id: gateway_id.into(),
    })
}

fn status(desk: &mut Desk) -> Status {
    match desk.get() {
        Ok(Reply::Payment(view)) => view.status,
        other => panic!("{other:?}"),
    }
}

fn refunded(desk: &mut Desk, gateway_id: &str) {
    desk.hear(Outcome::Refunded {
        gateway_id: gateway_id.into(),
    });
}

fn missing(desk: &mut Desk, merchant_uid: &str) {
    desk.hear(Outcome::Missing {
        merchant_uid: merchant_uid.into(),
    });
}

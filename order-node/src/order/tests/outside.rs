//! Payments that the customer makes at the gateway: in time, with another amount, too late, never,
//! twice, and of a name that the gateway does not know.

use messages::{
    Origin, Refusal,
    order::{PayBy, Status, Step},
};

use super::{super::*, participants::Word, saga::*};

/// An order that holds everything else, and waits for its payment.
fn waiting() -> Saga {
    let mut saga = Saga::with(everything(PayBy::External));
    saga.to_the_end();
    saga
}

fn says_no(saga: &mut Saga, why: Refusal) {
    let asked = saga.owed_now(true).remove(0);
    let command = Command::Payment(Err(why));
    saga.tell(Origin::Saga, &asked.id, Some(&asked.entity), &command)
        .expect("an answer is not refused");
}

fn mismatch() -> Refusal {
    Refusal::PaymentMismatch {
        due: 2_200,
        paid: 1,
    }
}

#[test]
fn an_order_waits_with_everything_held_and_says_how_much_is_due() {
    let saga = waiting();
    let view = saga.order.view().expect("placed");
    assert_eq!(view.status, Status::Pending);
    assert_eq!(view.amount_due, messages::Money::new(2_200));
    assert!(saga.order.settled(), "whoever waits is answered");
    assert_eq!(saga.owed(), []);
    let (at, command) = saga.order.alarm().expect("a deadline");
    let waits = i64::try_from(PAYMENT_DEADLINE_MS).expect("short");
    assert_eq!(at, view.created_at.plus_millis(waits));
    assert_eq!(command, Command::Expire);
}

#[test]
fn a_payment_in_time_confirms_it() {
    let mut saga = waiting();
    let reply = saga.pay("key", "imp_1").expect("it waits");
    assert_eq!(reply.order.status, Status::Pending);
    assert!(!saga.order.settled());
    saga.to_the_end();
    assert_eq!((saga.status(), saga.owed()), (Status::Confirmed, vec![]));
}

#[test]
fn a_payment_that_is_named_early_is_asked_for_when_it_is_its_turn() {
    let mut saga = Saga::with(everything(PayBy::External));
    saga.pay("key", "imp_1").expect("it is pending");
    saga.up_to(Step::Payment);
    saga.to_the_end();
    assert_eq!(saga.status(), Status::Confirmed);
}

#[test]
fn a_payment_of_another_amount_fails_it_and_gives_everything_back() {
    let mut saga = waiting();
    saga.pay("key", "imp_1").expect("it waits");
    says_no(&mut saga, mismatch());
    assert_eq!(
        (saga.status(), saga.reason()),
        (Status::Failed, Some(mismatch()))
    );
    assert!(saga.events().contains(&"payment.failed"));
    assert_eq!(saga.owed_now(false).len(), 4);
    saga.give_all_back();
    assert_eq!(saga.owed(), []);
}

#[test]
fn a_payment_that_never_comes_fails_it_and_closes_the_attempt() {
    let mut saga = waiting();
    saga.expire();
    assert_eq!(
        saga.status(),
        Status::Pending,
        "it has more time than a step"
    );
    saga.expire_after(PAYMENT_DEADLINE_MS);
    assert_eq!(saga.reason(), Some(Refusal::PaymentExpired));
    assert!(saga.events().contains(&"payment.failed"));
    let steps: Vec<Step> = saga.owed().into_iter().map(|owed| owed.step).collect();
    let all = [
        Step::Stock,
        Step::Stock,
        Step::Points,
        Step::Coupon,
        Step::Payment,
    ];
    assert_eq!(steps, all, "it may have been made all the same");
    saga.give_all_back();
    assert_eq!(saga.owed(), []);
}

#[test]
fn a_payment_after_the_deadline_is_not_taken() {
    let mut saga = waiting();
    saga.now = saga
        .now
        .plus_millis(i64::try_from(PAYMENT_DEADLINE_MS).expect("short"));
    let late = saga.pay("key", "imp_1");
    assert!(
        matches!(late, Err(Refusal::InvalidState { .. })),
        "{late:?}"
    );
    saga.expire();
    let late = saga.pay("key", "imp_1");
    assert!(
        matches!(late, Err(Refusal::InvalidState { .. })),
        "{late:?}"
    );
}

#[test]
fn the_same_payment_said_twice_is_one_and_another_is_not_taken() {
    let mut saga = waiting();
    saga.pay("key", "imp_1").expect("it waits");
    let before = saga.order.clone();
    saga.pay("key", "imp_1").expect("a repeat");
    saga.pay("another key", "imp_1").expect("the same payment");
    assert_eq!(saga.order, before);
    let second = saga.pay("x", "imp_2");
    assert!(matches!(second, Err(Refusal::InvalidState { .. })));
    saga.to_the_end();
    let paid = saga.pay("y", "imp_1").expect("it was paid by it");
    assert_eq!(paid.order.status, Status::Confirmed);
    let second = saga.pay("z", "imp_2");
    assert!(matches!(second, Err(Refusal::InvalidState { .. })));
}

#[test]
fn an_order_that_is_not_paid_outside_takes_no_payment() {
    for mut saga in [Saga::confirmed(), Saga::with(everything(card()))] {
        let answer = saga.pay("key", "imp_1");
        assert!(matches!(answer, Err(Refusal::InvalidState { .. })));
    }
    let unknown = Saga::new().pay("key", "imp_1");
    assert_eq!(unknown, Err(Refusal::OrderNotFound));
}

#[test]
fn a_payment_that_the_gateway_does_not_know_leaves_it_waiting_for_another() {
    for resent in [false, true] {
        let mut saga = waiting();
        for (times, key) in [(1, "first"), (2, "second")] {
            saga.pay(key, "imp_typo").expect("it waits");
            saga.resent = resent;
            says_no(&mut saga, Refusal::PaymentNotFound);
            saga.resent = false;
            assert_eq!(saga.status(), Status::Pending);
            assert_eq!(saga.reason(), Some(Refusal::PaymentNotFound));
            assert!(saga.order.settled());
            assert_eq!(saga.owed(), []);
            assert_eq!(
                saga.state().parts.last().map(|part| part.refusals),
                Some(times)
            );
        }
        saga.pay("third", "imp_1").expect("it waits again");
        assert_eq!(saga.reason(), None);
        assert_eq!(
            saga.order.owes()[0].again,
            2,
            "no copy of what was answered"
        );
        saga.to_the_end();
        assert_eq!(saga.status(), Status::Confirmed);
        saga.cancel("key").expect("confirmed");
        saga.give_all_back();
        assert_eq!(saga.status(), Status::Cancelled);
    }
}

#[test]
fn a_payment_that_was_not_known_and_comes_late_is_given_back() {
    let mut saga = waiting();
    saga.pay("first", "imp_1").expect("it waits");
    let asked = saga.owed_now(true).remove(0);
    says_no(&mut saga, Refusal::PaymentNotFound);
    saga.answer(&asked, Word::Yes);
    assert_eq!(saga.reason(), Some(Refusal::PaymentNotFound));
    assert_eq!(saga.status(), Status::Failed, "its attempt is used up");
    saga.give_all_back();
    assert_eq!(saga.owed(), []);
}

#[test]
fn a_payment_that_was_not_known_is_closed_when_none_comes_in_time() {
    let mut saga = waiting();
    saga.pay("first", "imp_typo").expect("it waits");
    says_no(&mut saga, Refusal::PaymentNotFound);
    saga.expire_after(PAYMENT_DEADLINE_MS);
    assert_eq!(saga.reason(), Some(Refusal::PaymentExpired));
    assert_eq!(saga.owed_now(false).len(), 5);
    saga.give_all_back();
    assert_eq!(saga.owed(), []);
}

#[test]
fn a_retry_waits_for_a_payment_anew() {
    let mut saga = waiting();
    saga.pay("first", "imp_1").expect("it waits");
    says_no(&mut saga, mismatch());
    saga.give_all_back();
    saga.retry("key").expect("it failed");
    saga.to_the_end();
    assert!(saga.order.settled());
    saga.pay("second", "imp_1").expect("it waits");
    saga.to_the_end();
    assert_eq!(saga.status(), Status::Confirmed);
}

#[test]
fn a_step_before_the_payment_that_is_not_answered_fails_it_in_the_usual_time() {
    let mut saga = Saga::with(everything(PayBy::External));
    saga.up_to(Step::Coupon);
    saga.expire();
    assert_eq!(saga.reason(), Some(Refusal::DependencyFailed));
}

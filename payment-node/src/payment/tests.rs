//! Given, when, then: what a payment decides.

mod desk;

use messages::payment::{Outcome, Status};
use proptest::prelude::*;

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
fn a_payment_made_outside_is_looked_up_and_another_may_be_named() {
    let mut desk = Desk::open();
    assert_eq!(desk.name(1, "imp_1"), None);
    assert_eq!(desk.owes(), ["look up imp_1"]);
    desk.hear(Outcome::Declined {
        merchant_uid: ORDER.into(),
        refusal: Refusal::PaymentNotFound,
        resent: false,
        unwanted: None,
    });
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert_eq!(desk.name(1, "imp_2"), None);
    desk.paid(1, "imp_2");
    assert_eq!(desk.name(1, "imp_2"), Some(Ok(authorised("imp_2"))));
}

#[test]
fn an_id_that_is_no_name_is_not_asked_for() {
    let mut desk = Desk::open();
    let refused = Some(Err(Refusal::PaymentNotFound));
    for bad in ["", "a/b", "a?b", "a b"] {
        assert_eq!(desk.name(1, bad), refused, "{bad:?}");
        assert_eq!(desk.reject(bad), refused, "{bad:?}");
    }
}

#[test]
fn a_payment_with_another_amount_is_given_back_and_declines_the_attempt() {
    let mut desk = Desk::open();
    desk.name(1, "imp_1");
    let refusal = Refusal::PaymentMismatch { due: 500, paid: 1 };
    for _ in 0..2 {
        desk.hear(Outcome::Declined {
            merchant_uid: ORDER.into(),
            refusal: refusal.clone(),
            resent: false,
            unwanted: Some("imp_1".into()),
        });
    }
    assert_eq!(desk.owes(), ["refund imp_1"]);
    assert_eq!(desk.name(1, "imp_1"), Some(Err(refusal)));
}

#[test]
fn a_rejected_payment_is_given_back_where_it_is_this_orders_and_does_not_pay() {
    let mut desk = Desk::open();
    desk.name(1, "imp_1");
    assert_eq!(desk.reject("imp_1"), None, "it may yet pay");
    desk.paid(1, "imp_1");
    assert_eq!(desk.reject("imp_1"), Some(Ok(Reply::Rejected)));
    assert_eq!(desk.owes(), Vec::<String>::new());

    assert_eq!(desk.reject("imp_2"), Some(Ok(Reply::Rejected)));
    assert_eq!(desk.reject("imp_2"), Some(Ok(Reply::Rejected)));
    assert_eq!(desk.owes(), ["judge imp_2"]);
    desk.paid(1, "imp_2");
    assert_eq!(desk.owes(), ["refund imp_2"]);
    refunded(&mut desk, "imp_2");
    assert_eq!(desk.owes(), Vec::<String>::new());
}

#[test]
fn a_rejected_payment_of_another_order_is_left_alone() {
    let mut desk = Desk::open();
    desk.reject("imp_1");
    desk.hear(Outcome::Paid {
        merchant_uid: "another order".into(),
        gateway: "sandbox".into(),
        gateway_id: "imp_1".into(),
        amount: money(500),
    });
    assert_eq!(desk.owes(), Vec::<String>::new());
    desk.reject("imp_2");
    desk.hear(Outcome::NotOurs {
        gateway_id: "imp_2".into(),
    });
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert_eq!(desk.get(), Err(Refusal::PaymentNotFound));
}

#[test]
fn a_payment_that_an_attempt_names_is_not_given_back_for_an_earlier_one() {
    let mut desk = Desk::open();
    desk.cancel(1);
    desk.name(2, "imp_1");
    desk.paid(1, "imp_1");
    assert_eq!(desk.owes(), ["seek o", "look up imp_1"]);
    desk.paid(2, "imp_1");
    desk.paid(1, "imp_1");
    assert_eq!(desk.owes(), ["seek o"]);
    assert_eq!(desk.name(2, "imp_1"), Some(Ok(authorised("imp_1"))));
}

#[test]
fn a_payment_named_while_another_is_looked_up_may_be_named_again() {
    let mut desk = Desk::open();
    assert_eq!(desk.name(1, "imp_0"), None);
    // A copy of what was named first came late, and is being looked up.
    assert_eq!(desk.name(1, "imp_1"), Some(Err(Refusal::PaymentNotFound)));
    assert_eq!(desk.owes(), ["look up imp_0"]);
}

#[test]
fn a_payment_named_after_an_earlier_one_was_taken_all_the_same_is_given_back() {
    let mut desk = Desk::open();
    desk.name(1, "imp_0");
    // A copy of what was named first came late, and the gateway has it by now.
    desk.paid(1, "imp_0");
    for _ in 0..2 {
        assert_eq!(desk.name(1, "imp_1"), Some(Ok(authorised("imp_0"))));
        assert_eq!(desk.owes(), ["judge imp_1"]);
    }
    desk.paid(1, "imp_1");
    refunded(&mut desk, "imp_1");
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert_eq!(status(&mut desk), Status::Authorised);
    assert_eq!(desk.name(1, "/../"), Some(Err(Refusal::PaymentNotFound)));
}

#[test]
fn a_customer_who_paid_twice_for_an_order_that_is_given_up_has_both_back() {
    let mut desk = Desk::open();
    desk.cancel(1);
    for payment in ["imp_1", "imp_2"] {
        desk.paid(1, payment);
        assert_eq!(desk.owes(), ["seek o", &format!("refund {payment}")]);
        refunded(&mut desk, payment);
    }
    missing(&mut desk, ORDER);
    assert_eq!(desk.owes(), Vec::<String>::new());
}

#[test]
fn what_was_paid_for_an_attempt_that_is_given_up_is_looked_for_in_every_way() {
    let mut desk = Desk::open();
    desk.name(1, "imp_1");
    desk.cancel(1);
    assert_eq!(desk.owes(), ["seek o", "judge imp_1"]);
    desk.paid(1, "imp_1");
    assert_eq!(desk.owes(), ["seek o", "refund imp_1"]);

    let mut desk = Desk::open();
    desk.cancel(2);
    assert_eq!(desk.owes(), ["seek o-2 and o"]);
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

/// One thing that may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    Authorise(u32),
    Cancel(u32),
    Paid(u32),
    Declined(u32, bool),
    Missing(u32),
    Refunded(u32),
    RefundRefused(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let attempt = || 1_u32..4;
    prop_oneof![
        attempt().prop_map(Step::Authorise),
        attempt().prop_map(Step::Cancel),
        attempt().prop_map(Step::Paid),
        (attempt(), any::<bool>()).prop_map(|(n, resent)| Step::Declined(n, resent)),
        attempt().prop_map(Step::Missing),
        attempt().prop_map(Step::Refunded),
        attempt().prop_map(Step::RefundRefused),
    ]
}

proptest! {
    /// Whatever comes in whatever order: money that the gateway was heard to have is paid for an
    /// attempt that stands, or is being given back, or was.
    #[test]
    fn money_is_kept_or_given_back(steps in proptest::collection::vec(step(), 0..60)) {
        let mut desk = Desk::open();
        let mut given_back = std::collections::BTreeSet::new();
        let mut heard = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Authorise(n) => drop(desk.authorise(n)),
                Step::Cancel(n) => drop(desk.cancel(n)),
                // The gateway charges a merchant uid once, and only what it was asked for.
                Step::Paid(n) => {
                    let known = desk.payment.state.as_ref().is_some_and(|s| s.work.attempts.contains_key(&n));
                    if known && !given_back.contains(&n) {
                        heard.insert(n);
                        desk.paid(n, &format!("g-{n}"));
                    }
                }
                Step::Declined(n, resent) => if !heard.contains(&n) { desk.declined(n, resent) },
                Step::Missing(n) => if !heard.contains(&n) {
                    missing(&mut desk, &messages::payment::merchant_uid(ORDER, n));
                },
                Step::Refunded(n) => {
                    if desk.owes().contains(&format!("refund g-{n}")) {
                        given_back.insert(n);
                        refunded(&mut desk, &format!("g-{n}"));
                    }
                }
                Step::RefundRefused(n) => desk.hear(Outcome::RefundRefused {
                    gateway_id: format!("g-{n}"),
                    reason: "no".into(),
                }),
            }
            for n in heard.difference(&given_back) {
                let state = desk.payment.state.as_ref().expect("there is a payment");
                let stands = state.work.attempts.get(n).is_some_and(|a| a.stand == Stand::Authorised);
                let owed = desk.owes().contains(&format!("refund g-{n}"));
                prop_assert!(stands || owed, "attempt {n}: {:?}, {:?}", desk.owes(), state.work);
            }
        }
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

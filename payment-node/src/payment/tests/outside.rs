//! Payments that a customer makes by himself: named, looked up, judged, and given back.

use messages::payment::{Outcome, Status};

use super::{
    super::*,
    authorised,
    desk::{Desk, ORDER, money},
    missing, refunded, status,
};

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
    assert_eq!(desk.owes(), ["seek o", "refund imp_1"]);
    assert_eq!(desk.name(1, "imp_1"), Some(Err(refusal.clone())));
    // What he pays and names after that is of no use, and is found by the search.
    assert_eq!(desk.name(1, "imp_2"), Some(Err(refusal)));
    desk.paid(1, "imp_2");
    assert_eq!(
        desk.owes(),
        ["seek o", "refund imp_1", "refund imp_2"],
        "both are given back"
    );
}

#[test]
fn a_rejected_payment_is_given_back_where_it_is_this_orders_and_does_not_pay() {
    let mut desk = Desk::open();
    desk.name(1, "imp_1");
    assert_eq!(desk.reject("imp_1"), None, "it may yet pay");
    desk.paid(1, "imp_1");
    assert_eq!(desk.reject("imp_1"), Some(Ok(Reply::Rejected)));
    missing(&mut desk, ORDER);
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
    assert_eq!(desk.owes(), ["seek o", "seek o-2 and o"]);
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
        assert_eq!(desk.owes(), ["seek o", "judge imp_1"]);
    }
    desk.paid(1, "imp_1");
    refunded(&mut desk, "imp_1");
    assert_eq!(desk.owes(), ["seek o"]);
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
fn what_a_customer_paid_besides_the_payment_that_pays_is_looked_for_and_given_back() {
    let mut desk = Desk::open();
    desk.name(1, "imp_1");
    desk.paid(1, "imp_1");
    assert_eq!(desk.owes(), ["seek o"]);
    // All that the gateway has under the order's id: nobody named the second one.
    desk.paid(1, "imp_1");
    desk.paid(1, "imp_2");
    assert_eq!(desk.owes(), ["seek o", "refund imp_2"]);
    refunded(&mut desk, "imp_2");
    missing(&mut desk, ORDER);
    assert_eq!(desk.owes(), Vec::<String>::new());
    assert_eq!(desk.name(1, "imp_1"), Some(Ok(authorised("imp_1"))));
    assert_eq!(desk.told, ["payment.completed"]);
}

#[test]
fn a_search_that_still_runs_when_the_payment_is_given_back_finds_nothing_new_in_it() {
    let mut desk = Desk::open();
    desk.name(1, "imp_1");
    desk.paid(1, "imp_1");
    desk.cancel(1);
    assert_eq!(desk.owes(), ["refund imp_1", "seek o"]);
    desk.paid(1, "imp_1");
    refunded(&mut desk, "imp_1");
    desk.paid(1, "imp_1");
    assert_eq!(desk.owes(), ["seek o"]);
    assert_eq!(status(&mut desk), Status::Cancelled);
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

//! Given, when, then: what a campaign decides.

mod books;
mod desk;

use messages::{
    Money, Origin, RequestId,
    coupon::{Create, Discount, DiscountKind},
};

use super::*;
use desk::{Desk, SUBTOTAL, create, order_id, unusable};

#[test]
fn coupons_are_numbered_in_the_order_of_arrival_until_none_is_left() {
    let mut desk = Desk::with(3);
    let numbers = ["c", "a", "b"].map(|user| desk.issue(user));
    assert_eq!(numbers, [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(desk.issue("d"), Err(Refusal::CouponExhausted));
    let view = desk.facts().view();
    assert_eq!((view.quantity, view.issued), (3, 3));
}

#[test]
fn a_user_gets_one_coupon_of_a_campaign_and_is_told_so_even_when_none_is_left() {
    let mut desk = Desk::with(2);
    assert_eq!(desk.issue("a"), Ok(1));
    assert_eq!(desk.issue("a"), Err(Refusal::CouponAlreadyIssued));
    assert_eq!(desk.issue("b"), Ok(2));
    assert_eq!(desk.issue("a"), Err(Refusal::CouponAlreadyIssued));
    assert_eq!(desk.issue("c"), Err(Refusal::CouponExhausted));
}

#[test]
fn a_key_that_comes_again_gets_the_same_coupon_and_another_user_under_it_is_a_mismatch() {
    let mut desk = Desk::with(2);
    assert_eq!(desk.issue_under("key", "a"), Ok(1));
    assert_eq!(desk.issue("b"), Ok(2));
    assert_eq!(desk.issue_under("key", "a"), Ok(1));
    assert_eq!(desk.issue_under("key", "c"), Err(Refusal::RequestMismatch));
    let other = desk.issue_under("another", "a");
    assert_eq!(other, Err(Refusal::CouponAlreadyIssued));
}

#[test]
fn a_refused_issue_is_not_remembered_by_its_key() {
    let mut desk = Desk::with(2);
    desk.issue("a").expect("one is left");
    let refused = desk.issue_under("key", "a");
    assert_eq!(refused, Err(Refusal::CouponAlreadyIssued));
    assert_eq!(desk.issue_under("key", "b"), Ok(2));
}

#[test]
fn what_is_issued_without_a_key_has_an_id_that_no_key_can_be() {
    let mut desk = Desk::with(2);
    desk.issue("a").expect("one is left");
    desk.issue_under("issue-2", "b").expect("one is left");
    let ids: Vec<&str> = desk.ledger.keys().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["issue 1", "issue-2", node::entity::CREATION]);
}

#[test]
fn a_campaign_that_does_not_exist_is_not_found_and_gives_back_nothing() {
    let mut desk = Desk::empty();
    assert_eq!(desk.issue("a"), Err(Refusal::CouponNotFound));
    assert_eq!(desk.take(1, "a"), Err(Refusal::CouponNotFound));
    let get = desk.ask(Origin::Client, "ask", &Command::Get);
    assert_eq!(get, Err(Refusal::CouponNotFound));
    assert_eq!(desk.restore(1, "a"), Ok(Reply::Restored));
    assert!(desk.ledger.is_empty());
}

#[test]
fn a_coupon_takes_off_what_its_campaign_says() {
    let mut desk = Desk::of(Create {
        discount: Discount {
            kind: DiscountKind::Percent,
            value: 15,
            maximum: Money::new(5_000),
        },
        ..create(3)
    });
    for (order, user, cost, off) in [
        (1, "a", 9_999, 1_499),
        (2, "b", 39_000, 5_000),
        (3, "c", 0, 0),
    ] {
        desk.issue(user).expect("one is left");
        assert_eq!(desk.take_from(order, user, cost), Ok(off));
        assert_eq!(desk.used_by(user), Some(order_id(order)));
    }
}

#[test]
fn a_use_without_a_coupon_is_refused() {
    let mut desk = Desk::with(1);
    desk.issue("a").expect("one is left");
    assert_eq!(
        desk.take(1, "b"),
        unusable("it was not issued to this user")
    );
}

#[test]
fn a_coupon_is_used_by_one_order_at_a_time() {
    let mut desk = Desk::with(1);
    desk.issue("a").expect("one is left");
    assert_eq!(desk.take(1, "a"), Ok(3_000));
    assert_eq!(desk.take(2, "a"), unusable("it is used already"));
    assert_eq!(desk.restore(1, "a"), Ok(Reply::Restored));
    assert_eq!(desk.take(2, "a"), Ok(3_000), "a refusal is not remembered");
    assert_eq!(desk.used_by("a"), Some(order_id(2)));
}

#[test]
fn a_use_is_judged_by_the_time_it_is_decided_at() {
    let mut desk = Desk::empty();
    let (from, until) = (desk.now.plus_millis(10), desk.now.plus_millis(20));
    let window = Create {
        valid_from: Some(from),
        valid_until: Some(until),
        ..create(2)
    };
    let made = desk.ask(Origin::Client, "a creation", &Command::Create(window));
    made.expect("within its limits");
    assert_eq!(desk.issue("a"), Ok(1), "before it can be used");
    desk.now = from.plus_millis(-1);
    assert_eq!(desk.take(1, "a"), unusable("it is not valid yet"));
    desk.now = until;
    assert_eq!(desk.take(1, "a"), unusable("it has expired"));
    assert_eq!(desk.issue("b"), unusable("it has expired"));
    desk.now = until.plus_millis(-1);
    assert_eq!(desk.take(1, "a"), Ok(3_000));
    desk.now = until;
    assert_eq!(desk.take(1, "a"), Ok(3_000), "a repeat");
    assert_eq!(desk.restore(1, "a"), Ok(Reply::Restored), "never refused");
    desk.now = from;
    assert_eq!(desk.take(2, "a"), Ok(3_000));
}

#[test]
fn an_order_below_the_minimum_does_not_use_a_coupon() {
    let mut desk = Desk::of(Create {
        minimum_amount: Money::new(10_000).expect("an amount"),
        ..create(1)
    });
    desk.issue("a").expect("one is left");
    let refused = unusable("the order is below its minimum of 10000");
    assert_eq!(desk.take_from(1, "a", 9_999), refused);
    assert_eq!(desk.take_from(1, "a", 10_000), Ok(3_000));
}

#[test]
fn a_use_that_comes_twice_is_answered_alike_and_with_another_body_is_a_mismatch() {
    let mut desk = Desk::with(2);
    desk.issue("a").expect("one is left");
    desk.issue("b").expect("one is left");
    assert_eq!(desk.take(1, "a"), Ok(3_000));
    assert_eq!(desk.take(1, "a"), Ok(3_000));
    let dearer = desk.take_from(1, "a", SUBTOTAL + 1);
    assert_eq!(dearer, Err(Refusal::RequestMismatch));
    assert_eq!(desk.take(1, "b"), Err(Refusal::RequestMismatch));
    assert_eq!(desk.used_by("b"), None);
}

#[test]
fn a_restore_that_comes_twice_gives_back_once() {
    let mut desk = Desk::with(1);
    desk.issue("a").expect("one is left");
    desk.take(1, "a").expect("it is free");
    desk.restore(1, "a").expect("never refused");
    desk.take(2, "a").expect("it is free again");
    assert_eq!(desk.restore(1, "a"), Ok(Reply::Restored));
    assert_eq!(desk.used_by("a"), Some(order_id(2)), "of another order");
    assert_eq!(desk.take(1, "a"), Ok(3_000), "the first answer again");
    assert_eq!(desk.used_by("a"), Some(order_id(2)));
}

#[test]
fn a_restore_before_its_use_leaves_a_tombstone() {
    let mut desk = Desk::with(1);
    desk.issue("a").expect("one is left");
    assert_eq!(desk.restore(1, "a"), Ok(Reply::Restored));
    assert_eq!(desk.take(1, "a"), Err(Refusal::AlreadyReleased));
    assert_eq!(desk.restore(1, "a"), Ok(Reply::Restored), "a repeat");
    assert_eq!(desk.used_by("a"), None);
    let dec = (Origin::Saga, RequestId::reserve(order_id(1), 1));
    assert!(desk.ledger.contains_key(&dec), "under the use's own id");
    assert_eq!(
        desk.take_in(2, 1, "a", SUBTOTAL),
        Ok(3_000),
        "the next attempt"
    );
}

#[test]
fn a_restore_undoes_the_use_of_its_own_attempt_and_user() {
    let mut desk = Desk::with(2);
    for user in ["a", "b"] {
        desk.issue(user).expect("one is left");
    }
    desk.take(1, "a").expect("it is free");
    assert_eq!(desk.restore(1, "b"), Err(Refusal::RequestMismatch));
    assert_eq!(desk.restore_in(2, 1, "a"), Ok(Reply::Restored), "nothing");
    assert_eq!(desk.used_by("a"), Some(order_id(1)));
    assert_eq!(desk.restore(1, "a"), Ok(Reply::Restored));
    assert_eq!(desk.used_by("a"), None);
}

#[test]
fn a_creation_that_comes_again_gets_the_first_answer_and_keeps_to_the_limits() {
    let mut desk = Desk::with(2);
    desk.issue("a").expect("one is left");
    let again = desk.ask(Origin::Client, "again", &Command::Create(create(9)));
    assert_eq!(again, Ok(Reply::Campaign(desk.facts().view())));
    let too_large = Discount {
        kind: DiscountKind::Percent,
        value: 101,
        maximum: None,
    };
    let wrong = [
        create(0),
        create(QUANTITY_MAX + 1),
        Create {
            discount: too_large,
            ..create(1)
        },
    ];
    for wrong in wrong {
        let made = Desk::empty().ask(Origin::Client, "x", &Command::Create(wrong));
        assert_eq!(made, Err(Refusal::AmountTooLarge));
    }
}

#[test]
fn what_was_issued_and_what_moved_is_told_to_everybody() {
    let mut desk = Desk::with(2);
    desk.issue("a").expect("one is left");
    desk.take(1, "a").expect("it is free");
    desk.restore(1, "a").expect("never refused");
    desk.restore(2, "a").expect("never refused");
    let moved = |request: RequestId| {
        vec![serde_json::json!({
            "couponId": desk::ID, "name": "spring sale", "userId": "a", "number": 1,
            "orderId": order_id(1), "requestId": request.as_str(),
            "subtotal": SUBTOTAL, "discount": 3_000,
        })]
    };
    let issued = serde_json::json!({
        "couponId": desk::ID, "name": "spring sale", "userId": "a", "number": 1, "remaining": 1,
    });
    let expected = [
        ("coupon.issued", vec![issued]),
        ("coupon.restored", moved(RequestId::release(order_id(1), 1))),
        ("coupon.used", moved(RequestId::reserve(order_id(1), 1))),
    ];
    assert_eq!(desk.told(), expected.into());
}

#[test]
fn a_row_with_a_gap_in_its_numbers_is_not_read() {
    let mut desk = Desk::with(3);
    for user in ["a", "b", "c"] {
        desk.issue(user).expect("one is left");
    }
    let id = EntityId::from(desk::ID);
    let whole = desk.campaign.to_row();
    let mut gap = whole.clone();
    gap.lines.remove(1);
    assert!(Campaign::from_row(&id, gap).is_err());
    let mut short = whole;
    short.lines.pop();
    assert!(Campaign::from_row(&id, short).is_err());
}

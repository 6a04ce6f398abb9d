//! What an order makes of what it is told: by products, and by its deadline.

use messages::{Money, Origin, RequestId, order::Status, product, product::Reserved};

use super::{super::*, saga::*};

#[test]
fn an_order_asks_for_all_its_lines_side_by_side() {
    let saga = Saga::placed(&[3, 4]);
    let dec = format!("DEC-{ORDER}");
    assert_eq!(saga.owes(), [(dec.clone(), 1), (dec, 2)]);
    assert!(!saga.order.settled());
    let (at, command) = saga.order.alarm().expect("a deadline");
    assert_eq!(
        (at, command),
        (saga.now.plus_millis(5_000), Command::Expire)
    );
    assert_eq!(saga.events(), ["order.created.pending"]);
}

#[test]
fn an_order_is_confirmed_when_every_line_is_held() {
    let mut saga = Saga::placed(&[3, 4]);
    saga.accept(2);
    assert_eq!(saga.status(), Status::Pending);
    saga.accept(1);
    let view = saga.order.view().expect("placed");
    assert_eq!(view.status, Status::Confirmed);
    assert_eq!(view.subtotal, Money::new(7 * PRICE));
    assert_eq!(view.amount_due, Money::new(7 * PRICE));
    assert_eq!(
        (view.discount, view.points_used),
        (Some(Money::ZERO), Some(Money::ZERO))
    );
    assert_eq!(view.items[0].amount, Money::new(3 * PRICE));
    assert!(saga.order.settled() && saga.owes().is_empty() && saga.order.alarm().is_none());
    assert_eq!(saga.events(), ["order.confirmed", "order.created.pending"]);
}

#[test]
fn an_order_fails_for_the_first_refused_line_and_gives_back_the_others() {
    let mut saga = Saga::placed(&[1, 1, 1]);
    saga.refuse(3);
    saga.accept(1);
    assert_eq!(saga.status(), Status::Pending, "line 2 may still be held");
    assert_eq!(saga.reason(), None);
    saga.refuse(2);
    assert_eq!(saga.status(), Status::Failed);
    assert_eq!(saga.reason(), Some(short(2)));
    assert_eq!(saga.owes(), [(format!("INC-{ORDER}"), 1)]);
    saga.give_back(1);
    assert_eq!(saga.owes(), []);
    let failed = "product.reserve.failed";
    let events = ["order.created.pending", "order.failed", failed, failed];
    assert_eq!(saga.events(), events);
}

#[test]
fn a_request_sent_more_than_once_owes_the_release_even_where_it_was_refused() {
    let mut saga = Saga::placed(&[1]);
    saga.resent = true;
    saga.refuse(1);
    assert_eq!(saga.status(), Status::Failed);
    assert_eq!(saga.owes(), [(format!("INC-{ORDER}"), 1)]);
    saga.accept(1);
    assert_eq!(saga.owes().len(), 1, "the release is already owed");
    saga.give_back(1);
    assert_eq!(saga.owes(), []);
}

#[test]
fn a_late_acceptance_of_a_final_order_is_answered_by_a_release() {
    let mut saga = Saga::failed();
    assert_eq!(saga.owes(), []);
    saga.accept(1);
    assert_eq!(saga.owes(), [(format!("INC-{ORDER}"), 1)]);
    assert_eq!(saga.status(), Status::Failed);
    saga.give_back(1);
    saga.accept(1);
    assert_eq!(
        saga.owes(),
        [],
        "what was released can never be taken any more"
    );
}

#[test]
fn a_refusal_followed_by_its_late_acceptance_is_no_repeat() {
    let mut saga = Saga::placed(&[1, 1]);
    saga.refuse(1);
    saga.accept(1);
    assert_eq!(
        saga.owes().len(),
        2,
        "a release of the first line, a reserve of the second"
    );
    saga.accept(2);
    assert_eq!(
        (saga.status(), saga.reason()),
        (Status::Failed, Some(short(1)))
    );
}

#[test]
fn an_answer_that_comes_twice_changes_nothing() {
    let mut saga = Saga::placed(&[1, 1]);
    saga.accept(1);
    let before = saga.order.clone();
    saga.accept(1);
    saga.refuse(1);
    saga.give_back(1);
    assert_eq!(saga.order, before);
}

#[test]
fn an_answer_to_a_confirmed_order_changes_nothing() {
    let mut saga = Saga::confirmed();
    let before = saga.order.clone();
    saga.accept(1);
    saga.refuse(1);
    saga.give_back(1);
    saga.expire();
    assert_eq!(saga.order, before);
}

#[test]
fn an_answer_that_was_never_asked_for_changes_nothing() {
    let mut saga = Saga::placed(&[1]);
    let before = saga.order.clone();
    saga.hear(7, &saga.dec(), Ok(accepted()));
    saga.hear(1, &saga.dec(), Ok(given_back()));
    saga.hear(1, &saga.inc(), Ok(accepted()));
    for id in [
        "x",
        "DEC-other",
        &format!("DEC-{ORDER}x"),
        &format!("DEC-{ORDER}-x"),
    ] {
        saga.hear(1, &RequestId::from(id), Ok(accepted()));
    }
    saga.hear(1, &RequestId::reserve(ORDER, 2), Ok(accepted()));
    let nobody = saga.tell(
        Origin::Saga,
        &saga.dec(),
        None,
        &Command::Product(Ok(accepted())),
    );
    assert!(nobody.is_ok());
    assert_eq!(saga.order, before);
}

#[test]
fn an_order_is_given_up_at_its_deadline_and_not_before() {
    let mut saga = Saga::placed(&[1, 1]);
    saga.accept(1);
    let early = RequestId::from("alarm");
    assert!(
        saga.tell(Origin::Saga, &early, None, &Command::Expire)
            .is_ok()
    );
    assert_eq!(saga.status(), Status::Pending);
    saga.expire();
    assert_eq!(saga.status(), Status::Failed);
    assert_eq!(saga.reason(), Some(Refusal::DependencyFailed));
    let inc = format!("INC-{ORDER}");
    assert_eq!(
        saga.owes(),
        [(inc.clone(), 1), (inc, 2)],
        "everything ever sent"
    );
    saga.accept(2);
    saga.refuse(2);
    assert_eq!(saga.owes().len(), 2, "unknown is never read as refused");
}

#[test]
fn an_order_given_up_after_a_refusal_fails_for_that_refusal() {
    let mut saga = Saga::placed(&[1, 1]);
    saga.refuse(2);
    saga.expire();
    assert_eq!(saga.reason(), Some(short(2)));
    assert_eq!(saga.owes(), [(format!("INC-{ORDER}"), 1)]);
}

#[test]
fn an_order_that_costs_more_than_can_be_written_fails_and_gives_back_everything() {
    let mut saga = Saga::placed(&[2]);
    let dear = Ok(product::Reply::Reserved(Reserved {
        name: "moon".into(),
        unit_price: Money::MAX,
        quantity: pieces(2),
        remaining: 0,
    }));
    saga.hear(1, &saga.dec(), dear);
    assert_eq!(
        (saga.status(), saga.reason()),
        (Status::Failed, Some(Refusal::AmountTooLarge))
    );
    assert_eq!(saga.owes(), [(format!("INC-{ORDER}"), 1)]);
}

#[test]
fn a_release_that_is_refused_is_shown_in_the_ledger_and_not_sent_for_ever() {
    let mut saga = Saga::confirmed();
    saga.cancel("key").expect("confirmed");
    saga.hear(1, &saga.inc(), Err(Refusal::RequestMismatch));
    assert_eq!((saga.status(), saga.owes()), (Status::Cancelled, vec![]));
    let kinds = saga.ledger.values().map(|change| change.record().kind);
    assert!(kinds.into_iter().any(|kind| kind == "releaseRefused"));
}

#[test]
fn an_answer_to_an_order_that_was_never_placed_is_refused() {
    let mut saga = Saga::new();
    let id = RequestId::reserve(ORDER, 1);
    let source = product(1).entity();
    let told = saga.tell(
        Origin::Saga,
        &id,
        Some(&source),
        &Command::Product(Ok(accepted())),
    );
    assert_eq!(told, Err(Refusal::OrderNotFound));
}

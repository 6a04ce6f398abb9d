//! What a customer may wish of an order, and when.

use messages::{
    Origin, RequestId,
    order::{Place, Shortage, Status},
};

use super::{super::*, saga::*};

fn invalid(reason: &str) -> Result<Reply, Refusal> {
    Err(Refusal::InvalidState {
        reason: reason.into(),
    })
}

#[test]
fn an_unknown_order_can_only_be_placed() {
    let mut saga = Saga::new();
    assert_eq!(saga.wish("x", &Command::Get), Err(Refusal::OrderNotFound));
    assert_eq!(saga.cancel("x"), Err(Refusal::OrderNotFound));
    assert_eq!(saga.retry("x"), Err(Refusal::OrderNotFound));
    assert_eq!(saga.place(&[1]).expect("placed").order.id, order_id());
}

#[test]
fn an_order_without_lines_with_too_many_or_with_a_product_twice_is_refused() {
    let refused = invalid("an order has 1 to 100 lines, and a product at most once");
    assert_eq!(Saga::new().place(&[]), refused);
    assert_eq!(Saga::new().place(&[1; LINES_MAX + 1]), refused);
    assert!(Saga::new().place(&[1; LINES_MAX]).is_ok());
    let item = messages::order::Item {
        product_id: product(1),
        quantity: pieces(1),
    };
    let twice = Place {
        items: vec![item.clone(), item],
        ..lines(&[])
    };
    assert_eq!(Saga::new().wish("x", &Command::Place(twice)), refused);
}

#[test]
fn an_order_placed_twice_is_one_order_as_it_stands() {
    let mut saga = Saga::confirmed();
    let stands = saga.wish("x", &Command::Get);
    assert_eq!(saga.place(&[1]), stands);
    assert_eq!(stands.expect("placed").order.status, Status::Confirmed);
}

#[test]
fn an_order_of_what_is_short_is_turned_away_and_asks_for_nothing() {
    let mut saga = Saga::new();
    let place = Place {
        short: Some(left(2, 1)),
        ..lines(&[1, 2])
    };
    let told = saga.wish("x", &Command::Place(place));
    let refusal = Refusal::InsufficientStock {
        available: 1,
        requested: 2,
    };
    let told = told.expect("a new order");
    assert_eq!(told.order.status, Status::Failed);
    assert_eq!(told.refusal, Some(refusal));
    assert_eq!(saga.owes(), []);
    assert_eq!(saga.order.alarm(), None);
    assert_eq!(saga.events(), ["order.failed"]);

    // Tried again it asks everybody, as any order does.
    saga.retry("again")
        .expect("a failed order that owes nothing");
    assert_eq!(saga.status(), Status::Pending);
    let asked = [(saga.dec().to_string(), 1), (saga.dec().to_string(), 2)];
    assert_eq!(saga.owes(), asked);
}

#[test]
fn what_is_not_short_for_this_order_does_not_turn_it_away() {
    for harmless in [left(1, 2), left(2, 0)] {
        let place = Place {
            short: Some(harmless),
            ..lines(&[2])
        };
        let saga = Saga::with(place);
        assert_eq!(saga.status(), Status::Pending);
        assert_eq!(saga.owes(), [(saga.dec().to_string(), 1)]);
    }
}

fn left(n: u32, available: i64) -> Shortage {
    Shortage {
        product_id: product(n),
        available,
    }
}

#[test]
fn only_a_confirmed_order_can_be_cancelled() {
    let refused = |status| invalid(&format!("an order that is {status} cannot be cancelled"));
    assert_eq!(Saga::placed(&[1]).cancel("key"), refused("PENDING"));
    assert_eq!(Saga::failed().cancel("key"), refused("FAILED"));
    let mut saga = Saga::confirmed();
    saga.cancel("key").expect("confirmed");
    saga.give_back(1);
    assert_eq!(saga.cancel("another"), refused("CANCELLED"));
}

#[test]
fn a_cancel_gives_everything_back_and_only_goes_forward() {
    let mut saga = Saga::placed(&[1, 1]);
    saga.accept(1);
    saga.accept(2);
    let reply = saga.cancel("key").expect("confirmed");
    assert_eq!(
        (reply.order.status, reply.order.cancelling),
        (Status::Confirmed, true)
    );
    assert!(!saga.order.settled());
    assert_eq!(saga.owes().len(), 2);
    saga.give_back(2);
    saga.expire();
    assert_eq!(
        saga.status(),
        Status::Confirmed,
        "the other line is still on its way"
    );
    saga.give_back(1);
    let view = saga.order.view().expect("placed");
    assert_eq!((view.status, view.cancelling), (Status::Cancelled, false));
    assert!(saga.order.settled() && saga.owes().is_empty());
}

#[test]
fn a_second_cancel_joins_the_first() {
    let mut saga = Saga::confirmed();
    let first = saga.cancel("key");
    let before = saga.order.clone();
    assert_eq!(saga.cancel("another"), first);
    assert_eq!(saga.order, before);
}

#[test]
fn a_cancel_under_the_same_key_is_answered_by_the_order_as_it_stands() {
    let mut saga = Saga::confirmed();
    saga.cancel("key").expect("confirmed");
    saga.give_back(1);
    let again = saga.cancel("key").expect("done already");
    assert_eq!(again.order.status, Status::Cancelled);
    assert_eq!(saga.retry("key"), Err(Refusal::RequestMismatch));
}

#[test]
fn only_a_failed_order_can_be_tried_again() {
    let refused = |status| invalid(&format!("an order that is {status} cannot be tried again"));
    assert_eq!(Saga::placed(&[1]).retry("key"), refused("PENDING"));
    let mut saga = Saga::confirmed();
    assert_eq!(saga.retry("key"), refused("CONFIRMED"));
    saga.cancel("c").expect("confirmed");
    assert_eq!(
        saga.retry("key"),
        refused("CONFIRMED"),
        "it is being cancelled"
    );
    saga.give_back(1);
    assert_eq!(saga.retry("key"), refused("CANCELLED"));
}

#[test]
fn a_retry_waits_until_nothing_is_owed() {
    let mut saga = Saga::placed(&[1, 1]);
    saga.accept(1);
    saga.refuse(2);
    let busy = invalid("still giving back what it took; try again in a moment");
    assert_eq!(saga.retry("key"), busy);
    saga.give_back(1);
    assert!(saga.retry("key").is_ok());
}

#[test]
fn a_retry_runs_under_new_request_ids() {
    let mut saga = Saga::failed();
    let reply = saga.retry("key").expect("it failed");
    assert_eq!(
        (reply.order.status, reply.order.fail_reason),
        (Status::Pending, None)
    );
    assert_eq!(saga.owes(), [(format!("DEC-{ORDER}-2"), 1)]);
    assert_eq!(
        saga.retry("key").expect("a repeat").order.status,
        Status::Pending
    );
    let (at, _) = saga.order.alarm().expect("a new deadline");
    assert!(at > saga.now);
    saga.accept(1);
    assert_eq!(saga.status(), Status::Confirmed);
    let events = [
        "order.confirmed",
        "order.created.pending",
        "order.created.pending",
        "order.failed",
        "product.reserve.failed",
    ];
    assert_eq!(saga.events(), events);
}

#[test]
fn an_acceptance_of_an_earlier_attempt_is_given_back_under_its_own_id() {
    let mut saga = Saga::failed();
    saga.retry("key").expect("it failed");
    let first = RequestId::reserve(ORDER, 1);
    saga.hear(1, &first, Err(short(1)));
    assert_eq!(
        saga.owes(),
        [(format!("DEC-{ORDER}-2"), 1)],
        "a refusal took nothing"
    );
    saga.hear(1, &first, Ok(accepted()));
    saga.hear(1, &first, Ok(accepted()));
    let owed = [(format!("INC-{ORDER}"), 1), (format!("DEC-{ORDER}-2"), 1)];
    assert_eq!(saga.owes(), owed);
    saga.refuse(1);
    assert!(
        saga.retry("early").is_err(),
        "the first attempt is not given back yet"
    );
    let release = RequestId::release(ORDER, 1);
    saga.hear(1, &release, Ok(given_back()));
    assert_eq!(saga.owes(), []);
    saga.hear(1, &first, Ok(accepted()));
    saga.hear(1, &release, Ok(given_back()));
    assert_eq!(
        saga.owes(),
        [],
        "what was released can never be taken any more"
    );
    assert!(saga.retry("now").is_ok());
}

#[test]
fn what_is_owed_carries_the_orders_trace() {
    let saga = Saga::placed(&[1]);
    assert_eq!(saga.order.owes()[0].traceparent.as_deref(), Some("a trace"));
    let id = RequestId::from("PLACE");
    assert!(saga.ledger.contains_key(&(Origin::Client, id)));
}

//! What an order costs, and what it is asked to pay.

use messages::{
    Money,
    order::{PayBy, Place, Status},
    product,
};

use super::{super::*, saga::*};

fn won(amount: i64) -> Option<Money> {
    Money::new(amount)
}

/// Subtotal, points used, discount and what is due.
fn amounts(saga: &Saga) -> [Option<Money>; 4] {
    let view = saga.order.view().expect("placed");
    [
        view.subtotal,
        view.points_used,
        view.discount,
        view.amount_due,
    ]
}

fn confirmed(place: Place) -> Saga {
    let mut saga = Saga::with(place);
    saga.to_the_end();
    assert_eq!(saga.status(), Status::Confirmed);
    saga
}

#[test]
fn points_and_the_coupon_are_taken_off_what_the_lines_cost() {
    let saga = confirmed(everything(card()));
    assert_eq!(amounts(&saga), [won(3_000), won(500), won(300), won(2_200)]);
}

#[test]
fn amounts_become_known_step_by_step() {
    let mut saga = Saga::with(everything(card()));
    assert_eq!(amounts(&saga), [None; 4]);
    saga.up_to(messages::order::Step::Points);
    assert_eq!(amounts(&saga), [won(3_000), None, None, None]);
    saga.up_to(messages::order::Step::Coupon);
    assert_eq!(amounts(&saga), [won(3_000), won(500), None, None]);
    saga.up_to(messages::order::Step::Payment);
    assert_eq!(amounts(&saga), [won(3_000), won(500), won(300), won(2_200)]);
}

#[test]
fn no_more_points_are_used_than_the_lines_cost_and_the_payment_is_skipped() {
    let place = Place {
        points: won(1_000_000),
        ..everything(card())
    };
    let saga = confirmed(place);
    assert_eq!(amounts(&saga), [won(3_000), won(3_000), won(0), won(0)]);
    let steps: Vec<_> = saga
        .held()
        .into_iter()
        .map(|(step, _)| step.name())
        .collect();
    assert_eq!(steps, ["stock", "points", "coupon"]);
}

#[test]
fn a_coupon_takes_off_no_more_than_points_have_left() {
    let place = Place {
        points: won(2_900),
        ..everything(card())
    };
    let saga = confirmed(place);
    assert_eq!(amounts(&saga), [won(3_000), won(2_900), won(100), won(0)]);
}

#[test]
fn without_a_payment_nothing_is_charged_and_the_amount_is_told() {
    let place = Place {
        payment: None,
        ..everything(card())
    };
    let saga = confirmed(place);
    assert_eq!(amounts(&saga)[3], won(2_200));
    assert!(saga.held().iter().all(|(step, _)| step.name() != "payment"));
}

#[test]
fn an_order_that_is_given_away_asks_for_no_points_and_no_payment() {
    let place = Place {
        coupon_id: None,
        ..everything(card())
    };
    let mut saga = Saga::with(place);
    let free = || {
        Ok(product::Reply::Reserved(product::Reserved {
            name: "leaflet".into(),
            unit_price: Money::ZERO,
            quantity: pieces(1),
            remaining: 0,
        }))
    };
    saga.hear(1, &saga.dec(), free());
    saga.hear(2, &saga.dec(), free());
    assert_eq!(saga.status(), Status::Confirmed);
    assert_eq!(amounts(&saga), [won(0); 4]);
}

#[test]
fn what_costs_more_than_can_be_written_is_refused_before_anything_else_is_asked() {
    for place in [everything(card()), lines(&[1, 2])] {
        let mut saga = Saga::with(place);
        let dear = Ok(product::Reply::Reserved(product::Reserved {
            name: "moon".into(),
            unit_price: Money::MAX,
            quantity: pieces(1),
            remaining: 0,
        }));
        saga.hear(1, &saga.dec(), dear.clone());
        saga.hear(2, &saga.dec(), dear);
        assert_eq!(saga.reason(), Some(Refusal::AmountTooLarge));
        assert_eq!(saga.owed().len(), 2);
        assert!(
            saga.owed()
                .iter()
                .all(|o| !o.takes && o.step.name() == "stock")
        );
    }
}

#[test]
fn an_order_asks_for_exactly_these_amounts_and_gives_back_as_much() {
    let mut saga = confirmed(everything(card()));
    let amount = |saga: &Saga, name: &str| {
        let mut parts = saga.state().parts.iter();
        parts
            .find(|part| part.step.name() == name)
            .map(|part| part.amount)
    };
    assert_eq!(amount(&saga, "points"), Some(500));
    assert_eq!(amount(&saga, "coupon"), Some(1));
    assert_eq!(amount(&saga, "payment"), Some(2_200));
    saga.cancel("key").expect("confirmed");
    saga.give_all_back();
    assert_eq!(saga.status(), Status::Cancelled);
    assert_eq!(amounts(&saga), [won(3_000), won(500), won(300), won(2_200)]);
}

#[test]
fn a_retry_reckons_anew() {
    let mut saga = Saga::with(everything(PayBy::External));
    saga.up_to(messages::order::Step::Coupon);
    saga.expire();
    saga.give_all_back();
    saga.retry("key").expect("it failed");
    assert_eq!(amounts(&saga), [None; 4]);
}

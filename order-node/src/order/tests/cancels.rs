//! A cancel undoes everything, first what may refuse to be undone.

use messages::{
    Refusal,
    order::{Status, Step},
};

use super::{super::*, participants::*, saga::*};

fn confirmed() -> Saga {
    let mut saga = Saga::with(everything(card()));
    saga.to_the_end();
    saga
}

fn steps(saga: &Saga) -> Vec<Step> {
    saga.owed().into_iter().map(|owed| owed.step).collect()
}

#[test]
fn a_cancel_gives_the_payment_back_first_and_then_all_the_rest() {
    let mut saga = confirmed();
    saga.cancel("key").expect("confirmed");
    assert_eq!(steps(&saga), [Step::Payment]);
    let payment = saga.owed().remove(0);
    saga.answer(&payment, Word::Back);
    assert_eq!(
        steps(&saga),
        [Step::Stock, Step::Stock, Step::Points, Step::Coupon]
    );
    assert_eq!(saga.status(), Status::Confirmed, "until all is back");
    saga.give_all_back();
    assert_eq!((saga.status(), saga.owed()), (Status::Cancelled, vec![]));
    assert!(saga.events().contains(&"order.cancelled"));
}

#[test]
fn where_the_gateway_refuses_the_order_stays_confirmed_and_nothing_else_is_undone() {
    let mut saga = confirmed();
    saga.cancel("key").expect("confirmed");
    let payment = saga.owed().remove(0);
    saga.answer(&payment, Word::No);
    let view = saga.order.view().expect("placed");
    assert_eq!((view.status, view.cancelling), (Status::Confirmed, false));
    assert_eq!(view.fail_reason.as_deref(), Some("PAYMENT_DECLINED"));
    assert_eq!(saga.reason(), Some(refusal(Step::Payment)));
    assert_eq!(saga.owed(), []);
    assert!(saga.order.settled());
    let held: Vec<Step> = saga.held().into_iter().map(|(step, _)| step).collect();
    assert_eq!(held, [Step::Stock, Step::Points, Step::Coupon]);
    assert!(!saga.events().contains(&"order.cancelled"));
}

#[test]
fn a_cancel_that_was_refused_may_be_tried_again() {
    let mut saga = confirmed();
    for key in ["first", "second", "third"] {
        saga.cancel(key).expect("confirmed");
        assert_eq!(saga.reason(), None, "it is under way again");
        let payment = saga.owed().remove(0);
        saga.answer(&payment, Word::No);
        saga.answer(&payment, Word::No);
        assert_eq!(saga.owed(), []);
    }
    saga.cancel("fourth").expect("confirmed");
    saga.give_all_back();
    assert_eq!(saga.status(), Status::Cancelled);
}

#[test]
fn a_payment_that_is_given_back_after_it_was_refused_takes_the_cancel_on() {
    let mut saga = confirmed();
    saga.cancel("key").expect("confirmed");
    let payment = saga.owed().remove(0);
    saga.answer(&payment, Word::No);
    // A copy of the same request was carried out after all.
    saga.answer(&payment, Word::Back);
    let view = saga.order.view().expect("placed");
    assert_eq!((view.status, view.cancelling), (Status::Confirmed, true));
    saga.give_all_back();
    assert_eq!(saga.status(), Status::Cancelled);
}

#[test]
fn a_failed_order_whose_payment_is_kept_says_so_and_is_not_tried_again() {
    let mut saga = Saga::with(everything(card()));
    saga.up_to(Step::Payment);
    saga.expire();
    for owed in saga.owed_now(false) {
        let word = if owed.step == Step::Payment {
            Word::No
        } else {
            Word::Back
        };
        saga.answer(&owed, word);
    }
    assert_eq!((saga.status(), saga.owed()), (Status::Failed, vec![]));
    let kept = saga.state().parts.iter().filter(|p| p.hold == Hold::Kept);
    assert_eq!(kept.count(), 1);
    let reason = "the gateway did not give back the payment of an earlier attempt; \
                  have it given back there, and place a new order";
    let reason = reason.to_owned();
    assert_eq!(saga.retry("key"), Err(Refusal::InvalidState { reason }));
}

#[test]
fn an_order_without_a_payment_goes_straight_on() {
    let mut saga = Saga::placed(&[1, 1]);
    saga.to_the_end();
    saga.cancel("key").expect("confirmed");
    assert_eq!(steps(&saga), [Step::Stock, Step::Stock]);
}

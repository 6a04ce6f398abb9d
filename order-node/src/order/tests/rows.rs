//! The plan walked row by row: every step fails in turn, is answered twice, late, or never, and
//! everything that undoes it is repeated. Knows no step by its name, so that a new row is covered.

use messages::{Origin, Refusal, RequestId, order::Status};
use serde_json::json;

use super::{super::*, participants::*, saga::*};
use crate::plan::PLAN;

fn whole() -> Saga {
    Saga::with(everything(card()))
}

/// What is given back, as steps and entities.
fn places(owed: &[Owed]) -> Vec<(messages::order::Step, EntityId)> {
    let mut places: Vec<_> = owed.iter().map(|o| (o.step, o.entity.clone())).collect();
    places.sort();
    places
}

#[test]
fn each_row_is_asked_when_every_row_before_it_is_held() {
    let mut saga = whole();
    for (n, row) in PLAN.iter().enumerate() {
        saga.up_to(row.step);
        let held: Vec<_> = saga.held().into_iter().map(|(step, _)| step).collect();
        let before: Vec<_> = PLAN[..n].iter().map(|row| row.step).collect();
        assert_eq!(held, before);
        assert!(saga.owed().iter().all(|o| o.step == row.step && o.takes));
    }
    saga.to_the_end();
    assert_eq!((saga.status(), saga.owed()), (Status::Confirmed, vec![]));
}

#[test]
fn a_step_that_an_order_does_not_need_is_not_asked() {
    for row in PLAN.iter().skip(1) {
        let mut saga = Saga::placed(&[1, 2]);
        while let Some(owed) = saga.owed_now(true).first() {
            assert_ne!(owed.step, row.step);
            saga.answer(&owed.clone(), Word::Yes);
        }
        assert_eq!(saga.status(), Status::Confirmed);
    }
}

#[test]
fn a_row_that_is_refused_gives_back_exactly_what_is_held() {
    for row in &PLAN {
        let parts = {
            let mut saga = whole();
            saga.up_to(row.step);
            saga.owed().len()
        };
        for n in 0..parts {
            let mut saga = whole();
            saga.up_to(row.step);
            let asked = saga.owed();
            for (m, owed) in asked.iter().enumerate() {
                saga.answer(owed, if m == n { Word::No } else { Word::Yes });
            }
            assert_eq!(saga.status(), Status::Failed);
            assert_eq!(saga.reason(), Some(refusal(row.step)));
            let held: usize = saga.state().parts.len() - 1;
            assert_eq!(saga.owed_now(false).len(), held, "{:?}", row.step);
            assert!(saga.owed_now(true).is_empty());
            assert!(!places(&saga.owed()).contains(&(row.step, asked[n].entity.clone())));
            let told = saga
                .events()
                .into_iter()
                .filter(|kind| *kind == row.refused);
            assert_eq!(told.count(), 1);
            saga.give_all_back();
            assert_eq!(saga.owed(), []);
            assert!(saga.state().parts.iter().all(|part| !part.is_ours()));
        }
    }
}

#[test]
fn the_event_of_a_refused_step_says_all_there_is_to_know() {
    for row in &PLAN {
        let mut saga = whole();
        saga.up_to(row.step);
        let refused = saga.owed().remove(0);
        saga.answer(&refused, Word::No);
        let told = saga.told(row.refused).remove(0);
        assert_eq!(told["orderId"], ORDER);
        assert_eq!(told["buyerId"], "u-001");
        assert_eq!(told["entity"], refused.entity.as_str());
        assert_eq!(told["refusal"], json!(refusal(row.step)));
        let order = &told["order"];
        assert_eq!(
            (&order["id"], &order["status"]),
            (&json!(ORDER), &json!("PENDING"))
        );
        let lines = saga.order.view().expect("an order").items;
        let items = order["items"].as_array().expect("lines");
        if items.len() == 1 {
            // A line that was refused, alone.
            assert_eq!(items[0]["productId"], refused.entity.as_str());
            assert_eq!(items[0]["quantity"], told["amount"]);
        } else {
            assert_eq!(items.len(), lines.len(), "{:?}", row.step);
            assert!(items.iter().all(|item| item["name"].is_string()));
            assert!(order["subtotal"].is_i64(), "what is known is told: {order}");
        }
    }
}

#[test]
fn an_acceptance_heard_twice_is_heard_once() {
    let mut saga = whole();
    while let Some(owed) = saga.owed_now(true).first().cloned() {
        saga.answer(&owed, Word::Yes);
        let before = saga.order.clone();
        saga.answer(&owed, Word::Yes);
        saga.answer(&owed, Word::No);
        assert_eq!(saga.order, before);
    }
    assert_eq!((saga.status(), saga.owed()), (Status::Confirmed, vec![]));
}

#[test]
fn a_refusal_of_what_was_sent_more_than_once_owes_the_release_all_the_same() {
    for row in &PLAN {
        let mut saga = whole();
        saga.up_to(row.step);
        saga.resent = true;
        for owed in saga.owed() {
            saga.answer(&owed, Word::No);
        }
        assert_eq!(saga.status(), Status::Failed);
        assert_eq!(saga.owed_now(false).len(), saga.state().parts.len());
        saga.give_all_back();
        assert_eq!(saga.owed(), []);
    }
}

#[test]
fn an_acceptance_that_comes_after_the_refusal_is_given_back() {
    for row in &PLAN {
        let mut saga = whole();
        saga.up_to(row.step);
        let asked = saga.owed();
        for owed in &asked {
            saga.answer(owed, Word::No);
        }
        saga.give_all_back();
        assert_eq!((saga.status(), saga.owed()), (Status::Failed, vec![]));
        for owed in &asked {
            saga.answer(owed, Word::Yes);
        }
        assert_eq!(places(&saga.owed_now(false)), places(&asked));
        saga.give_all_back();
        for owed in &asked {
            saga.answer(owed, Word::Yes);
        }
        assert_eq!(
            saga.owed(),
            [],
            "what is released can never be taken any more"
        );
    }
}

#[test]
fn a_step_that_is_never_answered_fails_the_order_and_gives_back_all_that_was_asked() {
    for row in &PLAN {
        let mut saga = whole();
        saga.up_to(row.step);
        let asked = saga.owed();
        saga.expire();
        assert_eq!(saga.reason(), Some(Refusal::DependencyFailed));
        assert_eq!(saga.owed_now(false).len(), saga.state().parts.len());
        // Late answers, before and after what was asked for is given back.
        for owed in &asked {
            saga.answer(owed, Word::Yes);
            saga.answer(owed, Word::No);
        }
        assert_eq!(saga.owed_now(false).len(), saga.state().parts.len());
        saga.give_all_back();
        for owed in &asked {
            saga.answer(owed, Word::Yes);
        }
        assert_eq!((saga.status(), saga.owed()), (Status::Failed, vec![]));
    }
}

#[test]
fn an_acceptance_of_an_earlier_attempt_is_given_back_and_the_next_one_confirmed() {
    for row in &PLAN {
        let mut saga = whole();
        saga.up_to(row.step);
        let asked = saga.owed();
        saga.expire();
        saga.give_all_back();
        saga.retry("again").expect("it failed, and owes nothing");
        for owed in &asked {
            saga.answer(owed, Word::Yes);
            saga.answer(owed, Word::Yes);
        }
        assert_eq!(places(&saga.owed_now(false)), places(&asked));
        saga.give_all_back();
        for owed in &asked {
            saga.answer(owed, Word::Yes);
        }
        assert_eq!(saga.owed_now(false), []);
        saga.to_the_end();
        assert_eq!((saga.status(), saga.owed()), (Status::Confirmed, vec![]));
        let held: usize = saga.held().into_iter().map(|(_, count)| count).sum();
        assert_eq!(
            held,
            PLAN.len() + 1,
            "two lines, and one part of each other step"
        );
    }
}

#[test]
fn a_release_that_must_not_be_refused_and_is_counts_as_done_and_is_seen() {
    for row in PLAN.iter().filter(|row| !row.undo.may_refuse()) {
        let mut saga = whole();
        saga.up_to(row.step);
        saga.expire();
        for owed in saga.owed_now(false) {
            saga.answer(&owed, Word::No);
        }
        assert_eq!(saga.owed(), []);
        let kinds = saga.ledger.values().map(|change| change.record().kind);
        assert!(kinds.into_iter().any(|kind| kind == "releaseRefused"));
    }
}

#[test]
fn an_answer_without_a_sender_or_to_another_order_changes_nothing() {
    for row in &PLAN {
        let mut saga = whole();
        saga.up_to(row.step);
        let before = saga.order.clone();
        let asked = saga.owed().remove(0);
        for word in [Word::Yes, Word::No, Word::Back] {
            let (command, id) = (says(row.step, word, 1), RequestId::from("DEC-another"));
            let source = Some(&asked.entity);
            saga.tell(Origin::Saga, &id, source, &command)
                .expect("nothing");
            saga.tell(Origin::Saga, &asked.id, None, &command)
                .expect("nothing");
        }
        // A step that was not asked yet cannot have been accepted.
        for later in PLAN.iter().filter(|other| other.step > row.step) {
            let command = says(later.step, Word::Yes, 1);
            let source = Some(&asked.entity);
            saga.tell(Origin::Saga, &asked.id, source, &command)
                .expect("nothing");
        }
        assert_eq!(saga.order, before);
    }
}

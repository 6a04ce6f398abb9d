//! One message of every kind, with every optional field there and, where that differs, without.

use messages::{Envelope, Money, Refusal, Service, envelope, event, order, product, wire};

use crate::{
    coupons,
    parts::{
        ORDER, PRODUCT, Sample, at, bare, buyer, full, money, order_id, product_id, quantity,
        reserve, said, told, view,
    },
    payments, points,
};

pub(crate) fn samples() -> Vec<Sample> {
    let mut all = product_commands();
    all.extend(product_answers());
    all.extend(order_commands());
    all.extend(order_answers());
    all.extend(coupons::samples());
    all.extend(payments::samples());
    all.extend(points::samples());
    all.extend(events());
    all.push(payload());
    all.push(several_events());
    all
}

fn product_commands() -> Vec<Sample> {
    use product::Command;
    let release = |reason: Option<&str>| {
        Command::Release(product::Release {
            order_id: ORDER.into(),
            quantity: quantity(3),
            reason: reason.map(Into::into),
        })
    };
    let edit = Command::Edit(product::Edit {
        name: Some("cup".into()),
        price: Money::new(12_000),
        status: Some(product::Status::Discontinued),
    });
    let adjust = |delta, reason| Command::Adjust(product::Adjust { delta, reason });
    let create = Command::Create(product::Create {
        name: "mug".into(),
        price: money(39_000),
        stock: 5,
    });
    vec![
        said("", full(reserve())),
        said("bare", bare(reserve())),
        said("", full(release(Some("CUSTOMER_CANCEL")))),
        said("bare", bare(release(None))),
        said("", bare(create)),
        said("", bare(edit)),
        said("bare", bare(Command::Edit(product::Edit::default()))),
        said("", bare(adjust(-2, product::AdjustReason::Manual))),
        said("counted", bare(adjust(300, product::AdjustReason::Adjust))),
        said("", bare(Command::Get)),
    ]
}

fn product_answers() -> Vec<Sample> {
    let done = |reply| -> product::Answer { Ok(reply) };
    let reserved = product::Reply::Reserved(product::Reserved {
        name: "mug".into(),
        unit_price: money(39_000),
        quantity: quantity(3),
        remaining: 2,
    });
    let released = product::Reply::Released(product::Released {
        quantity: 3,
        remaining: 5,
    });
    let adjusted = product::Reply::Adjusted(product::Adjusted { remaining: 5 });
    let view = product::Reply::Product(product::View {
        id: product_id(),
        name: "mug".into(),
        price: Money::MAX,
        stock: 70_000,
        status: product::Status::Active,
        created_at: at(),
        updated_at: at(),
    });
    let mut all = vec![
        said("", full(done(reserved.clone()))),
        said("bare", bare(done(reserved))),
        said("", full(done(released))),
        said("", bare(done(adjusted))),
        said("", bare(done(view))),
    ];
    for refusal in refusals() {
        let name = serde_json::to_value(&refusal).expect("JSON")["refusal"]
            .as_str()
            .expect("a refusal has its name")
            .to_lowercase();
        let answer: product::Answer = Err(refusal);
        all.push(said(&name, full(answer)));
    }
    all
}

fn order_commands() -> Vec<Sample> {
    use order::Command;
    let place = order::Place {
        buyer_id: "u-001".parse().expect("a name"),
        items: vec![order::Item {
            product_id: product_id(),
            quantity: quantity(1_000_000),
        }],
        points: Some(money(500)),
        coupon_id: Some(PRODUCT.parse().expect("a UUID")),
        payment: Some(order::PayBy::Card {
            token: "approve".parse().expect("a token"),
        }),
        deadline_ms: 5_000,
        payment_deadline_ms: 900_000,
        short: None,
    };
    let external = order::Place {
        points: None,
        coupon_id: None,
        payment: Some(order::PayBy::External),
        ..place.clone()
    };
    let simple = order::Place {
        payment: None,
        ..external.clone()
    };
    let short = order::Place {
        short: Some(order::Shortage {
            product_id: product_id(),
            available: 2,
        }),
        ..simple.clone()
    };
    let pay = Command::Pay(order::Pay {
        imp_uid: "imp_123456".into(),
        price: money(38_500),
        deadline_ms: 5_000,
    });
    vec![
        said("", full(Command::Place(place))),
        said("external", bare(Command::Place(external))),
        said("bare", bare(Command::Place(simple))),
        said("short", bare(Command::Place(short))),
        said("", bare(pay)),
        said("", bare(Command::Cancel)),
        said(
            "",
            bare(Command::Retry(order::Retry {
                deadline_ms: 5_000,
                payment_deadline_ms: 900_000,
            })),
        ),
        said("", bare(Command::Get)),
        said("", bare(Command::Expire)),
    ]
}

fn order_answers() -> Vec<Sample> {
    let answer = |reply| -> order::Answer { Ok(reply) };
    let failed = order::Reply {
        order: order::View {
            status: order::Status::Failed,
            fail_reason: Some("INSUFFICIENT_STOCK".into()),
            subtotal: None,
            amount_due: None,
            ..view()
        },
        refusal: Some(Refusal::stock(2, quantity(3))),
    };
    let confirmed = order::Reply {
        order: view(),
        refusal: None,
    };
    let refused: order::Answer = Err(Refusal::OrderNotFound);
    vec![
        said("", full(answer(confirmed))),
        said("failed", bare(answer(failed))),
        said("", bare(refused)),
    ]
}

fn events() -> Vec<Sample> {
    let moved = product::StockMoved {
        product_id: product_id(),
        order_id: ORDER.into(),
        request_id: format!("DEC-{ORDER}"),
        name: Some("mug".into()),
        unit_price: Money::new(39_000),
        quantity: 3,
        balance: 2,
    };
    let of_old = product::StockMoved {
        name: None,
        unit_price: None,
        ..moved.clone()
    };
    let failed = order::StepFailed {
        order_id: order_id(),
        buyer_id: buyer(),
        step: order::Step::Stock,
        entity: PRODUCT.into(),
        amount: 3,
        refusal: Refusal::stock(2, quantity(3)),
        order: Some(view()),
    };
    let failed_of_old = order::StepFailed {
        order: None,
        ..failed.clone()
    };
    let mut all = vec![
        told("product.reserved", Service::Product, moved.clone()),
        told("product.released", Service::Product, moved),
        Sample {
            name: "event.product.released.bare".into(),
            ..told("product.released", Service::Product, of_old)
        },
        told("product.reserve.failed", Service::Order, failed.clone()),
        Sample {
            name: "event.product.reserve.failed.bare".into(),
            ..told("product.reserve.failed", Service::Order, failed_of_old)
        },
    ];
    all.extend(other_steps(&failed));
    for kind in ["created.pending", "confirmed", "failed", "cancelled"] {
        all.push(told(&format!("order.{kind}"), Service::Order, view()));
    }
    all
}

/// What is told of a refused step, as of a line that was refused.
fn other_steps(failed: &order::StepFailed) -> Vec<Sample> {
    let steps = [
        (
            order::Step::Points,
            "point.use.failed",
            buyer().to_string(),
            300,
            Refusal::InsufficientPoints {
                available: 200,
                requested: 300,
            },
        ),
        (
            order::Step::Coupon,
            "coupon.use.failed",
            "c-1".into(),
            1,
            Refusal::CouponNotUsable {
                reason: "it was used".into(),
            },
        ),
        (
            order::Step::Payment,
            "payment.failed",
            order_id().to_string(),
            500,
            Refusal::PaymentDeclined {
                reason: "no cover".into(),
            },
        ),
    ];
    let samples = steps.map(|(step, kind, entity, amount, refusal)| {
        let failed = order::StepFailed {
            step,
            entity,
            amount,
            refusal,
            ..failed.clone()
        };
        told(kind, Service::Order, failed)
    });
    samples.into()
}

/// What travels on a stream: an array of envelopes.
fn payload() -> Sample {
    let envelopes = vec![full(reserve()), bare(product::Command::Get)];
    let encoded: Vec<Vec<u8>> = envelopes.iter().map(wire::encode).collect();
    Sample {
        name: "payload".into(),
        kind: String::new(),
        bytes: wire::join(encoded.iter().map(Vec::as_slice)),
        reads: Box::new(move |bytes| {
            let read: Vec<Envelope<product::Command>> = wire::split(bytes)
                .into_iter()
                .map(|piece| envelope::decode(piece.expect("whole")).expect("an envelope"))
                .collect();
            assert_eq!(read, envelopes);
        }),
    }
}

/// Events that travel together: an array of maps.
fn several_events() -> Sample {
    let several = events()
        .into_iter()
        .filter(|sample| sample.kind == "order.confirmed");
    let event = several.last().expect("one of that kind").bytes;
    let both = vec![event.clone(), event];
    Sample {
        name: "events".into(),
        kind: String::new(),
        bytes: event::join(both.clone()),
        reads: Box::new(move |bytes| {
            let read: Vec<&[u8]> = event::split(bytes)
                .into_iter()
                .map(|piece| piece.expect("whole"))
                .collect();
            assert_eq!(read, both);
        }),
    }
}

fn refusals() -> Vec<Refusal> {
    use Refusal as R;
    let all = vec![
        R::stock(2, quantity(3)),
        R::ProductDiscontinued,
        R::ProductNotFound,
        R::OrderNotFound,
        R::RequestMismatch,
        R::AlreadyReleased,
        R::InvalidState {
            reason: "the order is PENDING".into(),
        },
        R::DependencyFailed,
        R::AmountTooLarge,
        R::points(money(2), money(3)),
        R::CouponNotFound,
        R::CouponNotUsable {
            reason: "it has expired".into(),
        },
        R::CouponExhausted,
        R::CouponAlreadyIssued,
        R::PaymentDeclined {
            reason: "no cover".into(),
        },
        R::PaymentMismatch { due: 3, paid: 2 },
        R::PaymentNotFound,
        R::PaymentExpired,
    ];
    for refusal in &all {
        // Does not compile when a refusal is added, so that it is added above too.
        match refusal {
            R::InsufficientStock { .. }
            | R::ProductDiscontinued
            | R::ProductNotFound
            | R::OrderNotFound
            | R::RequestMismatch
            | R::AlreadyReleased
            | R::InvalidState { .. }
            | R::DependencyFailed
            | R::AmountTooLarge
            | R::InsufficientPoints { .. }
            | R::CouponNotFound
            | R::CouponNotUsable { .. }
            | R::CouponExhausted
            | R::CouponAlreadyIssued
            | R::PaymentDeclined { .. }
            | R::PaymentMismatch { .. }
            | R::PaymentNotFound
            | R::PaymentExpired => {}
        }
    }
    all
}

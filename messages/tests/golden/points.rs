//! One message of every kind that a wallet hears or says.

use messages::{Service, point};

use crate::parts::{ORDER, Sample, bare, full, money, said, told};

pub(crate) fn samples() -> Vec<Sample> {
    use point::Command;
    let done = |reply| -> point::Answer { Ok(reply) };
    let refused: point::Answer = Err(messages::Refusal::points(money(2), money(3)));
    let taken = Command::Use(point::Use {
        order_id: ORDER.into(),
        amount: money(500),
    });
    let back = Command::Refund(point::Refund {
        order_id: ORDER.into(),
        amount: money(500),
    });
    let charge = Command::Charge(point::Charge {
        amount: money(70_000),
    });
    let used = point::Reply::Used(point::Used {
        amount: money(500),
        balance: 69_500,
    });
    let refunded = point::Reply::Refunded(point::Refunded {
        amount: money(500),
        balance: 70_000,
    });
    let charged = point::Reply::Charged(point::Charged { balance: 70_000 });
    let view = point::Reply::Wallet(point::View {
        user_id: "u-001".into(),
        balance: 70_000,
    });
    let moved = point::PointsMoved {
        user_id: "u-001".into(),
        order_id: ORDER.into(),
        request_id: format!("DEC-{ORDER}"),
        amount: money(500),
        balance: 69_500,
    };
    vec![
        said("", full(taken)),
        said("", full(back)),
        said("", bare(charge)),
        said("", bare(Command::Get)),
        said("", full(done(used))),
        said("", full(done(refunded))),
        said("", bare(done(charged))),
        said("", bare(done(view))),
        said("", full(refused)),
        told("point.used", Service::Point, moved.clone()),
        told("point.refunded", Service::Point, moved),
    ]
}

//! Samples of what payments are asked, and what they say.

use messages::{Refusal, Service, payment};

use crate::parts::{ORDER, Sample, bare, buyer, full, money, order_id, said, told};

pub(crate) fn samples() -> Vec<Sample> {
    let mut all = commands();
    all.extend(outcomes());
    all.extend(answers());
    all.extend(events());
    all
}

fn commands() -> Vec<Sample> {
    use payment::{Authorise, Cancel, Command, Method, Reject};
    let authorise = |method| {
        Command::Authorise(Authorise {
            order_id: order_id(),
            user_id: buyer(),
            amount: money(117_000),
            method,
        })
    };
    let card = Method::Card {
        token: "approve".parse().expect("a token"),
    };
    let external = |price| Method::External {
        imp_uid: "imp_448280090638".into(),
        price,
    };
    let cancel = Command::Cancel(Cancel {
        order_id: order_id(),
        amount: money(117_000),
    });
    let reject = Command::Reject(Reject {
        order_id: order_id(),
        imp_uid: "imp_448280090638".into(),
    });
    vec![
        said("card", full(authorise(card))),
        said("external", full(authorise(external(Some(money(117_000)))))),
        said("external.bare", bare(authorise(external(None)))),
        said("", full(cancel)),
        said("", full(reject)),
        said("", bare(Command::Get)),
    ]
}

fn outcomes() -> Vec<Sample> {
    use payment::{Command, Outcome};
    let gateway_id = || "imp_448280090638".to_owned();
    let outcomes = [
        (
            "paid",
            Outcome::Paid {
                merchant_uid: ORDER.into(),
                gateway: "portone".into(),
                gateway_id: gateway_id(),
                amount: money(117_000),
            },
        ),
        (
            "declined",
            Outcome::Declined {
                merchant_uid: ORDER.into(),
                refusal: Refusal::PaymentMismatch { due: 3, paid: 2 },
                resent: true,
                unwanted: Some(gateway_id()),
            },
        ),
        (
            "missing",
            Outcome::Missing {
                merchant_uid: ORDER.into(),
            },
        ),
        (
            "not_ours",
            Outcome::NotOurs {
                gateway_id: gateway_id(),
            },
        ),
        (
            "refunded",
            Outcome::Refunded {
                gateway_id: gateway_id(),
            },
        ),
        (
            "refund_refused",
            Outcome::RefundRefused {
                gateway_id: gateway_id(),
                reason: "settled already".into(),
            },
        ),
    ];
    outcomes
        .into_iter()
        .map(|(name, outcome)| said(name, bare(Command::Outcome(outcome))))
        .collect()
}

fn answers() -> Vec<Sample> {
    use payment::{Answer, Authorised, Cancelled, Reply, Status, View};
    let done = |reply| -> Answer { Ok(reply) };
    let authorised = Reply::Authorised(Authorised {
        amount: money(117_000),
        gateway: "sandbox".into(),
        gateway_id: "imp_448280090638".into(),
    });
    let view = |status, gateway_id: Option<&str>| {
        Reply::Payment(View {
            order_id: order_id(),
            amount: money(117_000),
            status,
            gateway: gateway_id.map(|_| "portone".into()),
            gateway_id: gateway_id.map(Into::into),
        })
    };
    let refused: Answer = Err(Refusal::RequestMismatch);
    vec![
        said("", full(done(authorised))),
        said(
            "",
            full(done(Reply::Cancelled(Cancelled {
                amount: money(117_000),
            }))),
        ),
        said("", full(done(Reply::Rejected))),
        said("", bare(done(view(Status::Authorised, Some("imp_1"))))),
        said("pending", bare(done(view(Status::Pending, None)))),
        said("", full(refused)),
    ]
}

fn events() -> Vec<Sample> {
    let moved = payment::MoneyMoved {
        order_id: order_id(),
        user_id: buyer(),
        request_id: format!("DEC-{ORDER}"),
        amount: money(117_000),
        gateway: "sandbox".into(),
        gateway_id: "imp_448280090638".into(),
    };
    vec![
        told("payment.completed", Service::Payment, moved.clone()),
        told("payment.cancelled", Service::Payment, moved),
    ]
}

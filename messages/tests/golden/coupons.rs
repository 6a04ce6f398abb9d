//! Samples of what campaigns are asked, what they say, and what is told of them.

use messages::{CouponId, Refusal, Service, coupon};

use crate::parts::{ORDER, PRODUCT, Sample, at, bare, buyer, full, money, order_id, said, told};

pub(crate) fn samples() -> Vec<Sample> {
    let mut all = commands();
    all.extend(answers());
    all.extend(events());
    all
}

fn commands() -> Vec<Sample> {
    use coupon::{Command, Create, Issue, Restore, Use};
    let take = Command::Use(Use {
        order_id: order_id(),
        user_id: buyer(),
        subtotal: money(117_000),
    });
    let restore = Command::Restore(Restore {
        order_id: order_id(),
        user_id: buyer(),
    });
    let create = Create {
        name: "spring sale".into(),
        discount: percent(),
        minimum_amount: money(10_000),
        quantity: 30,
        valid_from: Some(at()),
        valid_until: Some(at().plus_millis(86_400_000)),
    };
    let plain = Create {
        discount: fixed(),
        valid_from: None,
        valid_until: None,
        ..create.clone()
    };
    let issue = |keyed| {
        Command::Issue(Issue {
            user_id: buyer(),
            keyed,
        })
    };
    vec![
        said("", full(take)),
        said("", full(restore)),
        said("", bare(Command::Create(create))),
        said("bare", bare(Command::Create(plain))),
        said("", bare(issue(false))),
        said("keyed", bare(issue(true))),
        said("", bare(Command::Get)),
    ]
}

fn answers() -> Vec<Sample> {
    use coupon::{Answer, Issued, Reply, Used, View};
    let done = |reply| -> Answer { Ok(reply) };
    let view = View {
        id: campaign(),
        name: "spring sale".into(),
        discount: percent(),
        minimum_amount: money(10_000),
        quantity: 30,
        issued: 7,
        valid_from: Some(at()),
        valid_until: Some(at().plus_millis(86_400_000)),
        created_at: at(),
    };
    let plain = View {
        discount: fixed(),
        valid_from: None,
        valid_until: None,
        ..view.clone()
    };
    let issued = Issued {
        coupon_id: campaign(),
        user_id: buyer(),
        number: 7,
    };
    let refused: Answer = Err(Refusal::CouponExhausted);
    vec![
        said(
            "",
            full(done(Reply::Used(Used {
                discount: money(5_000),
            }))),
        ),
        said("", full(done(Reply::Restored))),
        said("", bare(done(Reply::Issued(issued)))),
        said("", bare(done(Reply::Campaign(view)))),
        said("bare", bare(done(Reply::Campaign(plain)))),
        said("", full(refused)),
    ]
}

fn events() -> Vec<Sample> {
    let issued = coupon::CouponIssued {
        coupon_id: campaign(),
        name: "spring sale".into(),
        user_id: buyer(),
        number: 7,
        remaining: 23,
    };
    let moved = coupon::CouponMoved {
        coupon_id: campaign(),
        name: "spring sale".into(),
        user_id: buyer(),
        number: 7,
        order_id: order_id(),
        request_id: format!("DEC-{ORDER}"),
        subtotal: money(117_000),
        discount: money(5_000),
    };
    vec![
        told("coupon.issued", Service::Coupon, issued),
        told("coupon.used", Service::Coupon, moved.clone()),
        told("coupon.restored", Service::Coupon, moved),
    ]
}

fn campaign() -> CouponId {
    PRODUCT.parse().expect("a UUID")
}

fn percent() -> coupon::Discount {
    coupon::Discount {
        kind: coupon::DiscountKind::Percent,
        value: 10,
        maximum: Some(money(5_000)),
    }
}

fn fixed() -> coupon::Discount {
    coupon::Discount {
        kind: coupon::DiscountKind::Fixed,
        value: 3_000,
        maximum: None,
    }
}

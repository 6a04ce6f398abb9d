//! Whatever comes in whatever order: what was taken is kept or given back.

use messages::payment::Outcome;
use proptest::prelude::*;

use super::{
    super::*,
    desk::{Desk, ORDER},
    missing, refunded,
};

/// One thing that may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    Authorise(u32),
    Cancel(u32),
    Paid(u32),
    Declined(u32, bool),
    Missing(u32),
    Refunded(u32),
    RefundRefused(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let attempt = || 1_u32..4;
    prop_oneof![
        attempt().prop_map(Step::Authorise),
        attempt().prop_map(Step::Cancel),
        attempt().prop_map(Step::Paid),
        (attempt(), any::<bool>()).prop_map(|(n, resent)| Step::Declined(n, resent)),
        attempt().prop_map(Step::Missing),
        attempt().prop_map(Step::Refunded),
        attempt().prop_map(Step::RefundRefused),
    ]
}

proptest! {
    /// Whatever comes in whatever order: money that the gateway was heard to have is paid for an
    /// attempt that stands, or is being given back, or was.
    #[test]
    fn money_is_kept_or_given_back(steps in proptest::collection::vec(step(), 0..60)) {
        let mut desk = Desk::open();
        let mut given_back = std::collections::BTreeSet::new();
        let mut heard = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Authorise(n) => drop(desk.authorise(n)),
                Step::Cancel(n) => drop(desk.cancel(n)),
                // The gateway charges a merchant uid once, and only what it was asked for.
                Step::Paid(n) => {
                    let known = desk.payment.state.as_ref().is_some_and(|s| s.work.attempts.contains_key(&n));
                    if known && !given_back.contains(&n) {
                        heard.insert(n);
                        desk.paid(n, &format!("g-{n}"));
                    }
                }
                Step::Declined(n, resent) => if !heard.contains(&n) { desk.declined(n, resent) },
                Step::Missing(n) => if !heard.contains(&n) {
                    missing(&mut desk, &messages::payment::merchant_uid(ORDER, n));
                },
                Step::Refunded(n) => {
                    if desk.owes().contains(&format!("refund g-{n}")) {
                        given_back.insert(n);
                        refunded(&mut desk, &format!("g-{n}"));
                    }
                }
                Step::RefundRefused(n) => desk.hear(Outcome::RefundRefused {
                    gateway_id: format!("g-{n}"),
                    reason: "no".into(),
                }),
            }
            for n in heard.difference(&given_back) {
                let state = desk.payment.state.as_ref().expect("there is a payment");
                let stands = state.work.attempts.get(n).is_some_and(|a| a.stand == Stand::Authorised);
                let owed = desk.owes().contains(&format!("refund g-{n}"));
                prop_assert!(stands || owed, "attempt {n}: {:?}, {:?}", desk.owes(), state.work);
            }
        }
    }
}

//! Given, when, then: what a wallet decides.

mod purse;

use messages::RequestId;
use proptest::prelude::*;

use super::*;
use purse::{Purse, USER, charged, points, refunded, used};

#[test]
fn a_wallet_that_was_never_seen_reads_nothing_and_leaves_no_row() {
    let mut purse = Purse::empty();
    let view = View {
        user_id: EntityId::from(USER),
        balance: 0,
    };
    assert_eq!(purse.ask("x", &Command::Get), Ok(Reply::Wallet(view)));
    assert!(purse.ledger.is_empty());
    assert_eq!(purse.wallet.to_row(), Row::default());
}

#[test]
fn a_use_takes_points() {
    let mut purse = Purse::with(500);
    assert_eq!(purse.take("DEC-a", 300), Ok(used(300, 200)));
    assert_eq!(purse.take("DEC-b", 200), Ok(used(200, 0)));
}

#[test]
fn a_use_that_comes_twice_takes_once_and_is_answered_alike() {
    let mut purse = Purse::with(500);
    let first = purse.take("DEC-a", 300);
    purse.take("DEC-b", 200).expect("enough");
    assert_eq!(purse.take("DEC-a", 300), first, "nothing is left");
    assert_eq!(purse.take("DEC-a", 299), Err(Refusal::RequestMismatch));
    assert_eq!(purse.wallet.balance, 0);
}

#[test]
fn a_use_of_more_than_there_is_is_refused_and_not_remembered() {
    let refusal = |available| Refusal::InsufficientPoints {
        available,
        requested: 300,
    };
    let mut purse = Purse::empty();
    assert_eq!(purse.take("DEC-a", 300), Err(refusal(0)));
    purse.charge("key", 299).expect("within the limit");
    assert_eq!(purse.take("DEC-a", 300), Err(refusal(299)));
    purse.charge("more", 1).expect("within the limit");
    assert_eq!(purse.take("DEC-a", 300), Ok(used(300, 0)));
}

#[test]
fn a_refund_undoes_exactly_its_use() {
    let mut purse = Purse::with(900);
    purse.take("DEC-a", 300).expect("enough");
    purse.take("DEC-a-2", 400).expect("enough");
    assert_eq!(purse.refund("INC-a-2", 300), Err(Refusal::RequestMismatch));
    assert_eq!(purse.refund("INC-a", 400), Err(Refusal::RequestMismatch));
    assert_eq!(purse.refund("INC-a-2", 400), Ok(refunded(400, 600)));
    assert_eq!(purse.refund("INC-a", 300), Ok(refunded(300, 900)));
}

#[test]
fn a_refund_that_comes_twice_gives_back_once_and_is_answered_alike() {
    let mut purse = Purse::with(500);
    purse.take("DEC-a", 300).expect("enough");
    let first = purse.refund("INC-a", 300);
    purse.take("DEC-b", 100).expect("enough");
    assert_eq!(purse.refund("INC-a", 300), first);
    assert_eq!(purse.refund("INC-a", 200), Err(Refusal::RequestMismatch));
    assert_eq!(
        purse.take("DEC-a", 300),
        Ok(used(300, 200)),
        "the first answer again"
    );
    assert_eq!(purse.wallet.balance, 400);
}

#[test]
fn a_refund_before_its_use_leaves_a_tombstone() {
    let mut purse = Purse::empty();
    assert_eq!(purse.refund("INC-a", 300), Ok(refunded(0, 0)));
    purse.charge("key", 500).expect("within the limit");
    assert_eq!(purse.take("DEC-a", 300), Err(Refusal::AlreadyReleased));
    assert_eq!(purse.refund("INC-a", 300), Ok(refunded(0, 0)), "a repeat");
    assert_eq!(purse.refund("INC-a", 200), Err(Refusal::RequestMismatch));
    assert_eq!(purse.wallet.balance, 500);
    let ids: Vec<_> = purse.ledger.keys().map(RequestId::as_str).collect();
    assert_eq!(ids, ["DEC-a", "key"], "one row, under the use's id");
}

#[test]
fn a_refund_is_not_refused_by_the_limit_of_the_balance() {
    let mut purse = Purse::with(5);
    purse.take("DEC-a", 5).expect("enough");
    purse.charge("fill", BALANCE_MAX).expect("within the limit");
    assert_eq!(purse.refund("INC-a", 5), Ok(refunded(5, BALANCE_MAX + 5)));
    assert_eq!(purse.charge("more", 1), Err(Refusal::AmountTooLarge));
    assert_eq!(purse.take("DEC-b", 6), Ok(used(6, BALANCE_MAX - 1)));
    assert_eq!(purse.charge("more", 1), Ok(charged(BALANCE_MAX)));
}

#[test]
fn a_charge_beyond_the_limit_is_refused_and_not_remembered() {
    let mut purse = Purse::with(5);
    for amount in [BALANCE_MAX - 4, Money::MAX.get()] {
        assert_eq!(purse.charge("key", amount), Err(Refusal::AmountTooLarge));
    }
    let full = charged(BALANCE_MAX);
    assert_eq!(purse.charge("key", BALANCE_MAX - 5), Ok(full));
}

#[test]
fn a_charge_under_the_same_key_is_done_once() {
    let mut purse = Purse::empty();
    let first = purse.charge("key", 500);
    assert_eq!(first, Ok(charged(500)));
    purse.take("DEC-a", 200).expect("enough");
    assert_eq!(purse.charge("key", 500), first);
    assert_eq!(purse.charge("key", 501), Err(Refusal::RequestMismatch));
    assert_eq!(purse.wallet.balance, 300);
}

#[test]
fn a_use_under_the_key_of_a_charge_is_a_mismatch() {
    let mut purse = Purse::with(5);
    purse.charge("DEC-a", 3).expect("within the limit");
    assert_eq!(purse.take("DEC-a", 3), Err(Refusal::RequestMismatch));
    assert_eq!(purse.refund("INC-a", 3), Err(Refusal::RequestMismatch));
}

#[test]
fn only_what_orders_moved_is_told_to_everybody() {
    let mut purse = Purse::with(500);
    purse.take("DEC-a", 300).expect("enough");
    purse.refund("INC-a", 300).expect("used");
    purse.refund("INC-b", 1).expect("never refused");
    let moved = |kind, request: &str, balance| {
        let body = serde_json::json!({
            "userId": USER, "orderId": "an order", "requestId": request,
            "amount": points(300), "balance": balance,
        });
        (kind, body)
    };
    let expected = [
        moved("point.used", "DEC-a", 200),
        moved("point.refunded", "INC-a", 500),
    ];
    assert_eq!(purse.events(), expected);
}

proptest! {
    /// Whatever is asked, in whatever order: the ledger adds up to the balance, which is never
    /// negative, and an order holds what it took or nothing.
    #[test]
    fn the_ledger_always_adds_up(asked in proptest::collection::vec((0..4_u8, 1..5_u32, 1..4_i64), 0..40)) {
        let mut purse = Purse::with(6);
        for (what, order, amount) in asked {
            let _ = match what {
                0 | 1 => purse.take(&format!("DEC-{order}"), amount),
                2 => purse.refund(&format!("INC-{order}"), amount),
                _ => purse.charge(&format!("key {order}"), amount),
            };
        }
        let amount = |change: &Change| change.record().amount.unwrap_or(0);
        let sum: i64 = purse.ledger.values().map(|(_, change)| amount(change)).sum();
        prop_assert_eq!(sum, purse.wallet.balance);
        for order in 1..5_u32 {
            let of = |prefix: &str| {
                let row = purse.ledger.get(&RequestId::from(format!("{prefix}-{order}")));
                row.map_or(0, |(_, change)| amount(change))
            };
            let (taken, back) = (of("DEC"), of("INC"));
            prop_assert!(back == 0 || taken == -back, "{} taken, {} given back", taken, back);
        }
    }
}

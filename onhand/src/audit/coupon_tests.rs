//! Campaigns in agreement with their orders, and one thing wrong with them.

use super::books::{Books, HOST_TABLES, order};

const SALE: &str = "0190a1b2-c3d4-7e5f-8a9b-0000000000cc";

/// A campaign of five coupons, three of them issued. The first is used by a confirmed order, the
/// second was used by one that is cancelled, the third is in the hands of one that is pending.
async fn books() -> Books {
    let books = Books::keep().await;
    books.coupon(HOST_TABLES).await;
    books
        .coupon(include_str!(
            "../../../migrations/coupon/sqlite/0001_coupon.sql"
        ))
        .await;
    let rows = [
        (
            "client",
            "the creation".to_owned(),
            "created",
            None,
            Some((5, 5)),
        ),
        ("client", "issue 1".into(), "issued", None, Some((-1, 4))),
        ("client", "issue 2".into(), "issued", None, Some((-1, 3))),
        ("client", "a-key".into(), "issued", None, Some((-1, 2))),
        (
            "saga",
            format!("DEC-{}", order(1)),
            "used",
            Some(order(1)),
            None,
        ),
        (
            "saga",
            format!("DEC-{}", order(2)),
            "used",
            Some(order(2)),
            None,
        ),
        (
            "saga",
            format!("INC-{}", order(2)),
            "restored",
            Some(order(2)),
            None,
        ),
        (
            "saga",
            format!("DEC-{}", order(3)),
            "tombstoned",
            Some(order(3)),
            None,
        ),
        (
            "saga",
            format!("DEC-{}", order(5)),
            "used",
            Some(order(5)),
            None,
        ),
    ];
    for (number, (origin, request, kind, of, amount)) in (1..).zip(rows) {
        let of = of.map_or("NULL".to_owned(), |id| format!("'{id}'"));
        let (amount, balance) = amount.map_or(("NULL".to_owned(), "NULL".to_owned()), |(a, b)| {
            (a.to_string(), b.to_string())
        });
        books
            .coupon(&format!(
                "INSERT INTO ledger VALUES (0, {number}, '{SALE}', {number}, '{origin}', \
                 '{request}', NULL, '{kind}', {of}, {amount}, {balance}, '{{}}', '')"
            ))
            .await;
    }
    books
        .coupon(&format!(
            "INSERT INTO coupon VALUES ('{SALE}', 0, 9, 'sale', 'FIXED', 3000, NULL, 0, 5, 3, NULL, NULL, '')"
        ))
        .await;
    for (number, used) in [(1, Some(order(1))), (2, None), (3, Some(order(5)))] {
        let used = used.map_or("NULL, NULL".to_owned(), |id| format!("'{id}', ''"));
        books
            .coupon(&format!(
                "INSERT INTO coupon_issue VALUES ('{SALE}', {number}, 'u-{number}', '', {used})"
            ))
            .await;
    }
    for (n, hold) in [(1, "held"), (2, "released"), (5, "asked")] {
        books
            .order(&format!(
                "UPDATE orders SET parts = '[{{\"step\":\"coupon\",\"entity\":\"{SALE}\",\
                 \"attempt\":1,\"amount\":9,\"hold\":\"{hold}\"}}]' WHERE id = '{}'",
                order(n)
            ))
            .await;
    }
    books
}

#[tokio::test]
async fn campaigns_that_agree_are_clean() {
    let report = books().await.audit().await;
    assert!(report.is_clean(), "{report}");
    let checked = &report.checked;
    assert_eq!((checked.campaigns, checked.coupons), (1, 3));
    assert_eq!(checked.other_ledger_rows["coupon"], 9);
}

#[tokio::test]
async fn a_system_without_coupons_is_clean() {
    let report = Books::keep().await.audit().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.checked.campaigns, 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_campaign_is_found() {
    let issue = "UPDATE coupon_issue SET";
    let ledger = "UPDATE ledger SET";
    for (change, said) in [
        (
            "UPDATE coupon SET issued = 4".to_owned(),
            "coupons: expected 4",
        ),
        ("UPDATE coupon SET quantity = 6".into(), "left: expected 2"),
        (
            "UPDATE coupon SET version = 8".into(),
            "version: expected 9",
        ),
        (
            format!("{issue} number = 7 WHERE number = 3"),
            "last number: expected 3",
        ),
        (
            format!("{issue} number = 9 WHERE number = 1"),
            "first number: expected 1",
        ),
        (
            "DELETE FROM coupon_issue WHERE number = 2".into(),
            "coupons: expected 3",
        ),
        (
            format!("{ledger} kind = 'moved' WHERE request_id = 'issue 2'"),
            "issued: expected 2",
        ),
        (
            format!("{ledger} amount = -2 WHERE request_id = 'issue 2'"),
            "left: expected 1",
        ),
        (
            format!("{ledger} version = 99 WHERE version = 9"),
            "ledger rows: expected 99",
        ),
        (
            "DELETE FROM ledger WHERE number = 4".into(),
            "coupon ledger, partition 0",
        ),
        ("DELETE FROM coupon".into(), "a campaign of theirs"),
        // A coupon that is used by nobody's leave, and one whose use is not shown.
        (
            format!("{issue} order_id = '{}' WHERE number = 2", order(4)),
            "expected 0 by its ledger",
        ),
        (
            format!("{issue} order_id = NULL WHERE number = 1"),
            "expected 1 by its ledger",
        ),
    ] {
        let books = books().await;
        books.coupon(&change).await;
        found(&books, &change, SALE, said).await;
    }
}

#[tokio::test]
async fn what_is_wrong_between_a_campaign_and_an_order_is_found() {
    let coupons = |change: String| (Some(change), None);
    let orders = |change: String| (None, Some(change));
    let undo = |n| format!("DELETE FROM ledger WHERE request_id = 'INC-{}'", order(n));
    for ((coupons, orders), n, said) in [
        // Given back by a confirmed order, kept by a cancelled one.
        (
            coupons(format!(
                "INSERT INTO ledger VALUES (0, 10, '{SALE}', 10, 'saga', 'INC-{0}', NULL, \
                 'restored', '{0}', NULL, NULL, '{{}}', '')",
                order(1)
            )),
            1,
            "kept, as the order holds it",
        ),
        (coupons(undo(2)), 2, "taken, and not given back"),
        // Held and never taken, taken by nobody, undone by an attempt that took nothing.
        (
            coupons(format!(
                "DELETE FROM ledger WHERE request_id = 'DEC-{}'",
                order(1)
            )),
            1,
            "not taken",
        ),
        (
            coupons(format!(
                "UPDATE ledger SET request_id = 'DEC-{}' WHERE request_id = 'DEC-{}'",
                order(9),
                order(5)
            )),
            9,
            "an order that it belongs to",
        ),
        (
            coupons(format!(
                "UPDATE ledger SET request_id = 'INC-{0}-2' WHERE request_id = 'INC-{0}'",
                order(2)
            )),
            2,
            "given back alone",
        ),
        // A confirmed order that does not know what it took.
        (
            orders(format!(
                "UPDATE orders SET parts = NULL WHERE id = '{}'",
                order(1)
            )),
            1,
            "taken, and not given back",
        ),
    ] {
        let books = books().await;
        let change = format!("{coupons:?} {orders:?}");
        if let Some(change) = &coupons {
            books.coupon(change).await;
        }
        if let Some(change) = &orders {
            books.order(change).await;
        }
        found(&books, &change, &order(n), said).await;
    }
}

/// The orders say that they hold coupons, and the database that knows is gone.
#[tokio::test]
async fn coupons_that_are_held_and_in_no_database_are_found() {
    let books = books().await;
    std::fs::remove_file(books.file("coupon.db")).unwrap();
    found(&books, "no database", &order(1), "not taken").await;
}

async fn found(books: &Books, change: &str, named: &str, said: &str) {
    let report = books.audit().await;
    let said = report.findings.iter().any(|finding| {
        let finding = finding.to_string();
        finding.contains(said) && (finding.contains(named) || finding.contains("ledger, part"))
    });
    assert!(said, "{change}: {report}");
}

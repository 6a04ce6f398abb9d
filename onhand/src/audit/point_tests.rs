//! Wallets in agreement with their orders, and one thing wrong with them.

use super::books::{Books, HOST_TABLES, order};

const USER: &str = "u-001";

/// A wallet that was charged 900. A confirmed order used 300 of it, a cancelled one used 200 and
/// gave them back, the refund of a failed one came before its use, and a pending one has used 100.
async fn books() -> Books {
    let books = Books::keep().await;
    books.point(HOST_TABLES).await;
    books
        .point(include_str!(
            "../../../migrations/point/sqlite/0001_point.sql"
        ))
        .await;
    let rows = [
        ("client", "gift".to_owned(), "charged", None, 900),
        ("saga", format!("DEC-{}", order(1)), "used", Some(1), -300),
        ("saga", format!("DEC-{}", order(2)), "used", Some(2), -200),
        (
            "saga",
            format!("INC-{}", order(2)),
            "refunded",
            Some(2),
            200,
        ),
        (
            "saga",
            format!("DEC-{}", order(3)),
            "tombstoned",
            Some(3),
            0,
        ),
        ("saga", format!("DEC-{}", order(5)), "used", Some(5), -100),
    ];
    let mut balance = 0;
    for (number, (origin, request, kind, of, amount)) in (1..).zip(rows) {
        balance += amount;
        let of = of.map_or("NULL".to_owned(), |n| format!("'{}'", order(n)));
        books
            .point(&format!(
                "INSERT INTO ledger VALUES (0, {number}, '{USER}', {number}, '{origin}', \
                 '{request}', NULL, '{kind}', {of}, {amount}, {balance}, '{{}}', '')"
            ))
            .await;
    }
    books
        .point(&format!(
            "INSERT INTO wallet VALUES ('{USER}', 0, 6, {balance}, '', '')"
        ))
        .await;
    for (n, amount, hold) in [(1, 300, "held"), (2, 200, "released"), (5, 100, "held")] {
        books
            .order(&format!(
                "UPDATE orders SET points_used = {amount}, parts = '[{{\"step\":\"points\",\
                 \"entity\":\"{USER}\",\"attempt\":1,\"amount\":{amount},\"hold\":\"{hold}\"}}]' \
                 WHERE id = '{}'",
                order(n)
            ))
            .await;
    }
    books
}

#[tokio::test]
async fn wallets_that_agree_are_clean() {
    let report = books().await.audit().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.checked.wallets, 1);
    assert_eq!(report.checked.other_ledger_rows["point"], 6);
}

#[tokio::test]
async fn what_is_wrong_with_a_wallet_is_found() {
    for (change, said) in [
        (
            "UPDATE wallet SET balance = balance + 1",
            "balance: expected 500 by its ledger, found 501",
        ),
        ("UPDATE wallet SET version = 7", "version: expected 6"),
        (
            "PRAGMA ignore_check_constraints = 1; UPDATE wallet SET balance = -1",
            "balance: expected 0 or more, found -1",
        ),
        (
            "UPDATE ledger SET amount = -1000 WHERE number = 2",
            "expected 0 or more, found -100",
        ),
        (
            "UPDATE ledger SET balance = 1 WHERE number = 3",
            "in version 3: expected 400, found 1",
        ),
        (
            "UPDATE ledger SET version = 99 WHERE number = 6",
            "ledger versions: expected 6 next, found 99",
        ),
        (
            "DELETE FROM wallet",
            "wallet: expected one with this ledger",
        ),
        (
            "DELETE FROM ledger WHERE entity = 'u-001'",
            "ledger: expected its first change",
        ),
        ("DELETE FROM ledger WHERE number = 5", "without number 5"),
    ] {
        let books = books().await;
        books.point(change).await;
        let named = if said.starts_with("without") {
            "point ledger, partition 0"
        } else {
            "wallet u-001"
        };
        found(&books, change, named, said).await;
    }
}

#[tokio::test]
async fn what_is_wrong_between_a_wallet_and_an_order_is_found() {
    let of = |n: u32| format!("WHERE request_id = 'DEC-{}'", order(n));
    let undone = |n: u32| format!("WHERE request_id = 'INC-{}'", order(n));
    for (change, n, said) in [
        (
            format!("DELETE FROM ledger {}", undone(2)),
            2,
            "expected given back, found taken, and not given back",
        ),
        (
            format!("UPDATE ledger SET amount = 199 {}", undone(2)),
            2,
            "expected 200 given back, as was taken, found 199",
        ),
        (
            format!("DELETE FROM ledger {}", of(2)),
            2,
            "given back alone",
        ),
        (
            format!("DELETE FROM ledger {}", of(1)),
            1,
            "expected taken, as the order holds it, found not taken",
        ),
        (
            format!("UPDATE ledger SET amount = -301 {}", of(1)),
            1,
            "expected 300, as the order holds, found 301",
        ),
        (
            format!(
                "UPDATE ledger SET request_id = 'DEC-{}' {}",
                order(9),
                of(5)
            ),
            9,
            "an order that it belongs to",
        ),
        (
            format!(
                "UPDATE ledger SET request_id = 'INC-{0}' WHERE request_id = 'INC-{1}'",
                order(1),
                order(2)
            ),
            1,
            "expected kept, as the order holds it, found given back",
        ),
    ] {
        let books = books().await;
        books.point(&change).await;
        found(&books, &change, &order(n), said).await;
    }
    for (change, said) in [
        (
            "points_used = 299",
            "points_used: expected 300, as was taken",
        ),
        ("parts = NULL", "taken, and not given back"),
        ("status = 'FAILED'", "taken, and not given back"),
    ] {
        let books = books().await;
        books
            .order(&format!(
                "UPDATE orders SET {change} WHERE id = '{}'",
                order(1)
            ))
            .await;
        found(&books, change, &order(1), said).await;
    }
}

/// The orders say that they hold points, and the database that knows is gone.
#[tokio::test]
async fn points_that_are_held_and_in_no_database_are_found() {
    let books = books().await;
    std::fs::remove_file(books.file("point.db")).unwrap();
    found(&books, "no database", &order(1), "not taken").await;
}

async fn found(books: &Books, change: &str, named: &str, said: &str) {
    let report = books.audit().await;
    let told = report.findings.iter().map(ToString::to_string);
    let matching = told.filter(|line| line.contains(named) && line.contains(said));
    assert_ne!(
        matching.count(),
        0,
        "{change}: {said:?} of {named}:\n{report}"
    );
}

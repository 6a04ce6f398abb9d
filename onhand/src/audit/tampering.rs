//! One thing wrong with books that agree, and that it is found.

use super::books::{Books, CUP, MUG, order, set_lines};
use super::report::Report;

#[tokio::test]
async fn what_is_wrong_with_a_product_is_found() {
    let mug = format!("id = '{MUG}'");
    let first = order(1);
    for (change, named, said) in [
        (
            format!("UPDATE product SET stock = stock + 1 WHERE {mug}"),
            MUG,
            "stock: expected",
        ),
        (
            format!("UPDATE product SET version = version + 1 WHERE {mug}"),
            MUG,
            "version: expected",
        ),
        (
            format!("DELETE FROM product WHERE {mug}"),
            MUG,
            "one with this ledger",
        ),
        (
            format!("DELETE FROM ledger WHERE entity = '{MUG}'"),
            MUG,
            "opening stock",
        ),
        (
            format!("UPDATE ledger SET balance = balance + 1 WHERE request_id = 'DEC-{first}'"),
            &first,
            "balance after",
        ),
        (
            format!(
                "UPDATE ledger SET version = 99 WHERE entity = '{MUG}' AND request_id = 'edit'"
            ),
            MUG,
            "ledger versions",
        ),
        (
            format!(
                "UPDATE ledger SET partition = 5 WHERE entity = '{MUG}' AND request_id = 'edit'"
            ),
            MUG,
            "partition of edit",
        ),
        (
            "DELETE FROM ledger WHERE request_id = 'edit'".into(),
            "product ledger, partition 0",
            "without number 2",
        ),
        (
            "UPDATE ledger SET number = 0 WHERE number = 1".into(),
            "product ledger, partition 0",
            "numbers",
        ),
        (
            format!("UPDATE ledger SET kind = 'adjusted' WHERE entity = '{CUP}' AND version = 1"),
            CUP,
            "(created)",
        ),
        (
            "UPDATE ledger SET amount = 9 WHERE request_id = 'INC-shop-1'".into(),
            "INC-shop-1",
            "foreign",
        ),
        (
            "UPDATE ledger SET request_id = 'DEC-shop-9' WHERE request_id = 'DEC-shop-1'".into(),
            "INC-shop-1",
            "foreign",
        ),
    ] {
        let books = Books::keep().await;
        books.product(&change).await;
        found(&books.audit().await, &change, named, said);
    }
}

#[tokio::test]
async fn a_balance_below_nothing_is_found() {
    let books = Books::keep().await;
    for change in [
        format!(
            "UPDATE ledger SET amount = -1000, balance = -991 WHERE request_id = 'DEC-{}'",
            order(1)
        ),
        // SQLite's own check stands in the way of a stock below nothing.
        "PRAGMA ignore_check_constraints = 1; UPDATE product SET stock = -1".to_owned(),
    ] {
        books.product(&change).await;
    }
    let report = books.audit().await;
    found(&report, "a balance", MUG, "expected 0 or more, found -9");
    found(
        &report,
        "a stock",
        CUP,
        "stock: expected 0 or more, found -1",
    );
}

#[tokio::test]
async fn an_order_whose_effects_are_not_what_it_says_is_found() {
    let (confirmed, cancelled, failed) = (order(1), order(2), order(3));
    for (change, named, said) in [
        (
            format!("DELETE FROM ledger WHERE request_id = 'DEC-{confirmed}'"),
            &confirmed,
            "decrease of",
        ),
        (
            format!(
                "UPDATE ledger SET kind = 'tombstoned', amount = 0 WHERE request_id = 'DEC-{confirmed}' AND entity = '{MUG}'"
            ),
            &confirmed,
            "a tombstone",
        ),
        (
            format!(
                "UPDATE ledger SET origin = 'saga', request_id = 'INC-{confirmed}', kind = 'released', amount = 3 WHERE request_id = 'edit'"
            ),
            &confirmed,
            "none of a confirmed order",
        ),
        (
            format!(
                "UPDATE ledger SET amount = -1 WHERE request_id = 'DEC-{confirmed}' AND entity = '{MUG}'"
            ),
            &confirmed,
            "expected 3, found 1",
        ),
        (
            format!(
                "UPDATE ledger SET entity = '{CUP}', version = 99 WHERE request_id = 'DEC-{cancelled}'"
            ),
            &cancelled,
            "no line",
        ),
        (
            format!(
                "UPDATE ledger SET request_id = 'DEC-{confirmed}-2' WHERE request_id = 'DEC-{confirmed}'"
            ),
            &confirmed,
            "none after attempt 1",
        ),
        (
            format!("DELETE FROM ledger WHERE request_id = 'INC-{cancelled}'"),
            &cancelled,
            "1 given back",
        ),
        (
            format!("DELETE FROM ledger WHERE request_id = 'DEC-{cancelled}'"),
            &cancelled,
            "as was taken",
        ),
        (
            format!(
                "DELETE FROM ledger WHERE request_id IN ('DEC-{cancelled}', 'INC-{cancelled}')"
            ),
            &cancelled,
            "and given back",
        ),
        (
            format!("UPDATE ledger SET amount = 5 WHERE request_id = 'INC-{failed}'"),
            &failed,
            "as was taken",
        ),
        (
            format!("UPDATE ledger SET order_id = 'somebody' WHERE request_id = 'INC-{failed}'"),
            &failed,
            "somebody",
        ),
        (
            format!("UPDATE ledger SET kind = 'adjusted' WHERE request_id = 'INC-{failed}'"),
            &failed,
            "adjusted",
        ),
        (
            format!("DELETE FROM ledger WHERE request_id = 'INC-{}'", order(4)),
            &order(4),
            "in attempt 1",
        ),
    ] {
        let books = Books::keep().await;
        books.product(&change).await;
        found(&books.audit().await, &change, named, said);
    }
}

#[tokio::test]
async fn an_order_that_contradicts_itself_or_is_gone_is_found() {
    let (confirmed, cancelled, failed) = (order(1), order(2), order(3));
    for (change, named, said) in [
        (
            format!("DELETE FROM orders WHERE id = '{confirmed}'"),
            &confirmed,
            "an order that it belongs to",
        ),
        (
            format!("UPDATE orders SET status = 'FAILED' WHERE id = '{confirmed}'"),
            &confirmed,
            "3 given back",
        ),
        (
            format!("UPDATE orders SET status = 'CONFIRMED' WHERE id = '{failed}'"),
            &failed,
            "none of a confirmed order",
        ),
        (
            format!("UPDATE orders SET status = 'LOST' WHERE id = '{failed}'"),
            &failed,
            "found LOST",
        ),
        (
            format!("UPDATE orders SET version = 7 WHERE id = '{failed}'"),
            &failed,
            "ledger versions",
        ),
        (
            set_lines("hold", "'asked'", &confirmed),
            &confirmed,
            "found asked",
        ),
        (
            set_lines("hold", "'held'", &cancelled),
            &cancelled,
            "found held",
        ),
        (
            set_lines("hold", "'held'", &failed),
            &failed,
            "refused or released",
        ),
        (
            set_lines("quantity", "4", &confirmed),
            &confirmed,
            "expected 4",
        ),
        (
            format!("UPDATE orders SET lines = '[]' WHERE id = '{failed}'"),
            &failed,
            "at least one",
        ),
        (
            "UPDATE ledger SET number = 50 WHERE number = 2".into(),
            &"order ledger".into(),
            "without number 2",
        ),
    ] {
        let books = Books::keep().await;
        books.order(&change).await;
        let report = books.audit().await;
        found(&report, &change, named, said);
    }
}

fn found(report: &Report, change: &str, named: &str, said: &str) {
    assert!(!report.is_clean(), "{change}: not found");
    let finding = report.findings.iter().map(ToString::to_string);
    let matching = finding.filter(|line| line.contains(named) && line.contains(said));
    assert_ne!(
        matching.count(),
        0,
        "{change}: {said:?} of {named}:\n{report}"
    );
}

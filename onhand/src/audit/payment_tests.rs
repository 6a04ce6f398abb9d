//! Payments in agreement with their orders and with the sandbox, and one thing wrong with them.

use super::books::{Books, HOST_TABLES, order};
use super::report::Report;

/// A confirmed order that was paid 500, a cancelled one that was paid 700 and has it back, and a
/// failed one whose payment was closed before the card was charged.
async fn books() -> Books {
    let books = Books::keep().await;
    books.payment(HOST_TABLES).await;
    books
        .payment(include_str!(
            "../../../migrations/payment/sqlite/0001_payment.sql"
        ))
        .await;
    let rows = [
        (1, 1, "asked 1".to_owned(), "asked", "NULL"),
        (1, 2, format!("DEC-{}", order(1)), "authorised", "-500"),
        (2, 1, "asked 1".to_owned(), "asked", "NULL"),
        (2, 2, format!("DEC-{}", order(2)), "authorised", "-700"),
        (2, 3, "cancel_asked 3".to_owned(), "cancel_asked", "NULL"),
        (2, 4, format!("INC-{}", order(2)), "cancelled", "700"),
        (3, 1, format!("DEC-{}", order(3)), "closed", "0"),
    ];
    for (number, (n, version, request, kind, amount)) in (1..).zip(rows) {
        let id = order(n);
        books
            .payment(&format!(
                "INSERT INTO ledger VALUES (0, {number}, '{id}', {version}, 'saga', '{request}', \
                 NULL, '{kind}', '{id}', {amount}, NULL, '{{}}', '')"
            ))
            .await;
    }
    for (n, version, amount, status) in [
        (1, 2, 500, "AUTHORISED"),
        (2, 4, 700, "CANCELLED"),
        (3, 1, 900, "CANCELLED"),
    ] {
        let id = order(n);
        books
            .payment(&format!(
                "INSERT INTO payment VALUES ('{id}', 0, {version}, 0, 'u-001', {amount}, \
                 '{status}', 'sandbox', 'sbx_{id}', '{{}}', '', '')"
            ))
            .await;
    }
    for (n, amount, status) in [(1, 500, "PAID"), (2, 700, "CANCELLED")] {
        let id = order(n);
        books
            .payment(&format!(
                "INSERT INTO sandbox_charge VALUES \
                 ('sbx_{id}', '{id}', 1, {amount}, '{status}', '', '')"
            ))
            .await;
    }
    for (n, amount, hold) in [(1, 500, "held"), (2, 700, "released"), (3, 900, "released")] {
        let id = order(n);
        books
            .order(&format!(
                "UPDATE orders SET payment = '{{}}', amount_due = {amount}, \
                 parts = '[{{\"step\":\"payment\",\"entity\":\"{id}\",\"attempt\":1,\
                 \"amount\":{amount},\"hold\":\"{hold}\"}}]' WHERE id = '{id}'"
            ))
            .await;
    }
    books
}

fn told(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn payments_that_agree_are_clean() {
    let report = books().await.audit().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.checked.other_ledger_rows["payment"], 7);
}

#[tokio::test]
async fn what_the_gateway_has_and_the_payments_do_not_say_is_found() {
    for (change, said) in [
        (
            "UPDATE sandbox_charge SET status = 'PAID'",
            "expected given back, found 700",
        ),
        (
            "UPDATE sandbox_charge SET amount = 501 WHERE status = 'PAID'",
            "expected given back, found 501",
        ),
        (
            "DELETE FROM sandbox_charge",
            "expected 500, found none, or given back",
        ),
        (
            "UPDATE sandbox_charge SET status = 'CANCELLED'",
            "expected 500, found none, or given back",
        ),
        (
            "DELETE FROM ledger WHERE kind = 'cancelled'",
            "expected given back, found taken, and not given back",
        ),
        (
            "UPDATE ledger SET amount = -499 WHERE amount = -500",
            "expected 500, as the order holds, found 499",
        ),
    ] {
        let books = books().await;
        books.payment(change).await;
        let report = books.audit().await;
        let told = told(&report);
        assert!(
            told.iter().any(|line| line.contains(said)),
            "{change}: {told:?}"
        );
    }
}

#[tokio::test]
async fn an_order_that_tells_another_amount_than_was_paid_is_found() {
    let books = books().await;
    books
        .order("UPDATE orders SET amount_due = 400 WHERE amount_due = 500")
        .await;
    let report = books.audit().await;
    let told = told(&report);
    assert!(
        told.iter().any(|line| line.contains("500, as was taken")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_payment_that_the_gateway_would_not_give_back_is_held_as_before() {
    let books = books().await;
    books
        .order("UPDATE orders SET parts = replace(parts, '\"held\"', '\"kept\"')")
        .await;
    let report = books.audit().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn what_a_customer_paid_for_an_order_that_was_given_up_is_found() {
    let books = books().await;
    let id = order(2);
    books
        .payment(&format!(
            "INSERT INTO sandbox_charge VALUES ('sbx_own', '{id}', 0, 700, 'PAID', '1', '1')"
        ))
        .await;
    let report = books.audit().await;
    assert!(
        report.is_clean(),
        "it was paid when nobody looked any more: {report}"
    );

    books.payment("UPDATE payment SET updated_at = '2'").await;
    let report = books.audit().await;
    let told = told(&report);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("sbx_own"), "{told:?}");
}

#[tokio::test]
async fn a_payment_that_still_asks_the_gateway_is_in_flight() {
    let books = books().await;
    books
        .payment("UPDATE sandbox_charge SET status = 'PAID'")
        .await;
    books
        .payment("UPDATE payment SET owing = 1 WHERE status = 'CANCELLED'")
        .await;
    let report = books.audit().await;
    assert!(report.is_clean(), "{report}");
}

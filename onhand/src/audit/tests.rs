//! What an audit says of books that agree, move, are missing or are far off.

use super::books::{Books, order, set_lines};
use super::report::Report;
use super::{Progress, audit};

#[tokio::test]
async fn books_that_agree_are_clean() {
    let report = Books::keep().await.audit().await;
    assert!(report.is_clean(), "{report}");
    let checked = &report.checked;
    assert_eq!((checked.products, checked.ledger_rows), (2, 15));
    assert_eq!((checked.orders, checked.order_ledger_rows), (5, 5));
    assert_eq!(checked.orders_by_status["CONFIRMED"], 2);
    assert_eq!((checked.in_flight, checked.still_owed), (1, 1));
    assert_eq!(checked.effects_by_origin["rest"], 3);
    assert_eq!(checked.looked_at_again, 0);
}

#[tokio::test]
async fn what_is_in_flight_is_counted_and_not_reported() {
    let books = Books::keep().await;
    // Each would be reported of an order at rest.
    for change in [
        format!(
            "UPDATE orders SET cancelling = 1, owing = 1 WHERE id = '{}'",
            order(1)
        ),
        format!(
            "UPDATE orders SET owing = 1, parts = '[{0}, {0}]' WHERE id = '{1}'",
            r#"{"step":"stock","hold":"releasing"}"#,
            order(3)
        ),
        set_lines("hold", "'releasing'", &order(1)),
        set_lines("hold", "'releasing'", &order(3)),
    ] {
        books.order(&change).await;
    }
    let report = books.audit().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.checked.in_flight, 3);
    // The pending order's line, two lines each that are being released, and two of earlier attempts.
    assert_eq!(report.checked.still_owed, 1 + 2 + 2 + 2);
}

#[tokio::test]
async fn what_lands_between_two_looks_is_not_reported() {
    let books = Books::keep().await;
    let hidden = "UPDATE ledger SET origin = 'hidden' WHERE";
    books
        .product(&format!("{hidden} request_id = 'DEC-{}'", order(1)))
        .await;
    let databases = books.databases();
    let progress = Progress::hidden();
    let (mut products, mut orders) = databases.snapshots().await.unwrap();
    let mut report = Report::default();
    let suspects = super::merge::check(&mut products, &mut orders, &mut report, &progress)
        .await
        .unwrap();
    assert_eq!(suspects.len(), 1);
    products.close().await;
    orders.close().await;

    books
        .product("UPDATE ledger SET origin = 'saga' WHERE origin = 'hidden'")
        .await;

    super::again::check(&databases, suspects, &mut report, &progress)
        .await
        .unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.checked.looked_at_again, 1);
}

#[tokio::test]
async fn a_writer_beside_the_audit_is_not_in_its_way() {
    let books = Books::keep().await;
    let mut writer = books.connect("product.db").await;
    let begin = "BEGIN IMMEDIATE; UPDATE product SET stock = 1000";
    sqlx::raw_sql(begin).execute(&mut writer).await.unwrap();
    let report = books.audit().await;
    assert!(report.is_clean(), "{report}");
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    assert!(!books.audit().await.is_clean());
}

#[tokio::test]
async fn a_database_that_is_missing_or_another_is_said_in_one_line() {
    let books = Books::keep().await;
    let file = books.file("order.db");
    std::fs::remove_file(&file).unwrap();
    let fault = audit(&books.databases(), &Progress::hidden())
        .await
        .unwrap_err();
    assert!(
        fault.to_string().contains("order.db does not exist"),
        "{fault}"
    );
    assert!(!file.exists(), "an audit makes nothing");

    std::fs::copy(books.file("product.db"), &file).unwrap();
    let fault = audit(&books.databases(), &Progress::hidden())
        .await
        .unwrap_err();
    assert!(format!("{fault:#}").contains("not the tables"), "{fault:#}");

    std::fs::write(&file, "no database".repeat(1000)).unwrap();
    assert!(
        audit(&books.databases(), &Progress::hidden())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn more_findings_than_are_listed_are_counted() {
    let books = Books::keep().await;
    books
        .order(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500) \
             INSERT INTO orders SELECT 'x' || i, 0, 1, 1, 'x' || i, 'u', 'PENDING', NULL, NULL, 0, 1, \
             NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', '', '', \
             '[{\"productId\":\"p\",\"quantity\":1,\"hold\":\"asked\"}]' FROM n",
        )
        .await;
    let report = books.audit().await;
    assert_eq!(report.findings_total, 10_500);
    assert!(report.to_string().contains("and 500 more"));
    assert_eq!(report.checked.in_flight, 10_501);
}

//! An audit that finds nothing proves nothing unless it finds what is there to be found.

use std::path::Path;

use onhand_tests::{System, check, shop};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_what_was_tampered_with() {
    let mut system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 9).open().await;
    let order = shop.confirmed("mug", 3).await;
    let cancelled = shop.confirmed("mug", 1).await;
    client.cancel(&cancelled).await.expect(200);
    shop.order("mug", 7)
        .await
        .expect_error(400, "INSUFFICIENT_STOCK");
    system.stop().await;
    check::audit_is_clean(&system).await;
    let data = system.node("onhand").data().to_owned();
    // Everything into the files themselves, which are copied back after each wrong.
    for file in ["order.db", "product.db"] {
        change(&data.join(file), "pragma wal_checkpoint(truncate)").await;
    }
    let mug = shop.id("mug");

    let wrongs = [
        (
            "a stock that its ledger does not explain",
            format!("update product set stock = stock + 1 where id = '{mug}'"),
            "product.db",
            mug,
        ),
        (
            "a confirmed order without its decrease",
            format!("delete from ledger where request_id = 'DEC-{order}'"),
            "product.db",
            order.as_str(),
        ),
        (
            "a cancelled order that kept what it took",
            format!("delete from ledger where request_id = 'INC-{cancelled}'"),
            "product.db",
            cancelled.as_str(),
        ),
        (
            "a decrease of no order",
            format!("delete from orders where id = '{order}'"),
            "order.db",
            order.as_str(),
        ),
    ];
    for (what, tampering, file, named) in wrongs {
        let file = data.join(file);
        let copy = file.with_extension("untouched");
        std::fs::copy(&file, &copy).unwrap();
        assert_eq!(change(&file, &tampering).await, 1, "{tampering}");

        let output = system.tool(&["audit"]).await;

        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}:\n{said}");
        assert!(said.contains(named), "{what} is not named:\n{said}");
        std::fs::rename(&copy, &file).unwrap();
    }
    check::audit_is_clean(&system).await;
}

async fn change(file: &Path, statement: &str) -> u64 {
    let url = format!("sqlite://{}", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    // The last connection that closes writes everything into the file.
    connection.close().await.unwrap();
    done.rows_affected()
}

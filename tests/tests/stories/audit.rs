//! An audit that finds nothing proves nothing unless it finds what is there to be found.

use std::path::Path;

use onhand_tests::{Database, System, check, eventually, load, shop};
use serde_json::{Value, json};
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

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_clean_while_orders_are_placed() {
    is_clean_under_load(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_clean_while_orders_are_placed_on_postgres() {
    is_clean_under_load(System::separate(Database::Postgres).await).await;
}

/// What is in flight is no finding, and what comes to its end meanwhile is none either.
async fn is_clean_under_load(system: System) {
    let load = load(&system.client(), 20, 60).await.orders(1_000);
    let load = load.of_everything().await;
    let running = load.start();
    running.reached(200).await;
    check::audit_is_clean(&system).await;
    running.reached_more(200).await;
    check::audit_is_clean(&system).await;
    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

/// A double disaster: the orders' database goes back to an older copy, and the broker has lost what
/// would have told of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_orders_took_that_are_gone_is_released_where_a_person_says_so() {
    let mut system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 9).open().await;
    let buyer = "u-001";
    client.charge(buyer, "gift", 500).await.expect(200);
    let campaign = onhand_tests::sale::campaign(5);
    let coupon = client.post("/coupons", &campaign).await.expect(201);
    let coupon = coupon.text("id");
    let issue = format!("/coupons/{coupon}/issue");
    client
        .post(&issue, &json!({"userId": buyer}))
        .await
        .expect(201);
    let kept = shop.confirmed("mug", 1).await;
    system.stop().await;
    let orders = system.node("onhand").data().join("order.db");
    let older = orders.with_extension("older");
    change(&orders, "pragma wal_checkpoint(truncate)").await;
    std::fs::copy(&orders, &older).unwrap();
    system.start_again().await;
    let gone = json!({"buyerId": buyer, "points": 200, "couponId": coupon,
        "items": [{"productId": shop.id("mug"), "quantity": 3}],
        "payment": {"method": "card", "token": "approve"}});
    let gone = client.post("/orders", &gone).await.expect(201).text("id");
    system.stop().await;
    change(&orders, "pragma wal_checkpoint(truncate)").await;
    std::fs::rename(&older, &orders).unwrap();

    let found = system.tool(&["audit", "--json"]).await;

    assert_eq!(found.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&found.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let releases: Vec<&Value> = findings.iter().map(|f| &f["release"]).collect();
    let of = |service: &str| {
        let mut named = releases
            .iter()
            .filter(|release| release["service"] == *service);
        let release = named
            .next()
            .unwrap_or_else(|| panic!("{service}: {findings:?}"));
        assert_eq!(release["requestId"], format!("INC-{gone}"), "{findings:?}");
        assert!(named.next().is_none(), "{findings:?}");
        release["amount"].as_i64().unwrap()
    };
    assert_eq!((of("product"), of("point")), (3, 200));
    // 3 × 39,000 − 200 points − 3,000 of the coupon.
    assert_eq!((of("coupon"), of("payment")), (1, 113_800));
    assert_eq!(releases.len(), 4, "{findings:?}");

    // Whoever only looks has changed nothing, and nobody is asked where nobody is.
    let unasked = system.tool(&["audit", "--release"]).await;
    let said = String::from_utf8_lossy(&unasked.stderr);
    assert!(
        !unasked.status.success() && said.contains("--yes"),
        "{said}"
    );
    system.start_again().await;
    assert_eq!(shop.stock("mug").await, 5);

    let sent = system.tool(&["audit", "--release", "--yes"]).await;

    let said = String::from_utf8_lossy(&sent.stderr);
    assert!(sent.status.success(), "{said}");
    assert!(said.contains("4 releases sent"), "{said}");
    eventually("everything to be back", async || {
        let user = client.get(&format!("/users/{buyer}/coupons")).await;
        let back = (
            shop.stock("mug").await,
            client.points(buyer).await,
            user.body["items"][0]["status"] == "ISSUED",
            client.get(&format!("/payments/{gone}")).await.body["status"] == "CANCELLED",
        );
        (back == (8, 500, true, true))
            .then_some(())
            .ok_or(format!("{back:?}"))
    })
    .await;
    check::audit_is_clean(&system).await;
    // Once more is no harm, and there is nothing to send.
    let again = system.tool(&["audit", "--release", "--yes"]).await;
    assert!(
        again.status.success() && again.stderr.is_empty(),
        "{again:?}"
    );
    assert_eq!(client.order(&kept).await["status"], "CONFIRMED");
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

//! Coupons that orders use: what they take off, and when they come back.

use onhand_tests::client::order_of;
use onhand_tests::sale::{Sale, campaign};
use onhand_tests::{Database, System, check, eventually, shop};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_takes_its_part_off_an_order_and_comes_back_with_a_cancel() {
    orders(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_takes_its_part_off_an_order_in_separate_processes_on_postgres() {
    orders(System::separate(Database::Postgres).await).await;
}

/// Used by one order, refused to the next, given back by a cancel, and used again.
async fn orders(system: System) {
    let client = system.client();
    let shop = shop(&client).product("mug", 10).open().await;
    let mut body = campaign(3);
    body["discount"] = json!({"kind": "PERCENT", "value": 10, "maximum": 5_000});
    body["minimumAmount"] = json!(50_000);
    let sale = Sale::of(&client, &body).await;
    let order = async |buyer: &str, coupon: &str, quantity: i64| {
        let mut body = order_of(&[(shop.id("mug"), quantity)]);
        body["buyerId"] = json!(buyer);
        body["couponId"] = json!(coupon);
        client.post("/orders", &body).await
    };

    let without = order("u-001", &sale.id, 2).await;
    without.expect_error(400, "COUPON_NOT_USABLE");
    let unknown = order("u-001", "01890000-0000-7000-8000-000000000001", 2).await;
    unknown.expect_error(404, "COUPON_NOT_FOUND");
    sale.wish("u-001").await.expect(201);
    let cheap = order("u-001", &sale.id, 1).await;
    cheap.expect_error(400, "COUPON_NOT_USABLE");

    let first = order("u-001", &sale.id, 2).await.expect(201).body;
    let costs = ["subtotal", "discount", "pointsUsed", "amountDue"].map(|name| &first[name]);
    assert_eq!(
        costs,
        [&json!(78_000), &json!(5_000), &json!(0), &json!(73_000)]
    );
    let coupon = sale.coupon("u-001").await;
    assert_eq!(
        (&coupon["status"], &coupon["orderId"]),
        (&json!("USED"), &first["id"])
    );
    let second = order("u-001", &sale.id, 2).await;
    second.expect_error(400, "COUPON_NOT_USABLE");

    client
        .cancel(first["id"].as_str().unwrap())
        .await
        .expect(200);
    assert_eq!(sale.coupon("u-001").await["status"], "ISSUED");
    let again = order("u-001", &sale.id, 2).await.expect(201).body;
    assert_eq!(sale.coupon("u-001").await["orderId"], again["id"]);

    let failed = second.order().expect("the order that failed")["id"].to_string();
    let retried = client.retry(failed.trim_matches('"')).await;
    retried.expect_error(400, "COUPON_NOT_USABLE");
    eventually(
        "only the last order to hold anything",
        async || match shop.stock("mug").await {
            8 => Ok(()),
            stock => Err(format!("{stock} mugs")),
        },
    )
    .await;
    check::audit_is_clean(&system).await;
}

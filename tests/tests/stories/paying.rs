//! What a customer does who pays for one piece of a product.

use onhand_tests::{Answer, Client, System};
use serde_json::{Value, json};

/// What it costs.
pub(crate) const PRICE: i64 = onhand_tests::shop::PRICE;

/// Shorter times than a person is given.
pub(crate) fn hurry(system: &mut System) {
    system.tell("ONHAND_ORDER_DEADLINE_MS", "4000");
    system.tell("ONHAND_PAYMENT_GATEWAY_WAIT_MS", "700");
    system.tell("ONHAND_PAYMENT_GRACE_MS", "20000");
    system.tell("ONHAND_RESEND_MAX_MS", "1000");
}

pub(crate) fn order(product: &str, token: &str) -> Value {
    json!({
        "buyerId": "u-001",
        "items": [{"productId": product, "quantity": 1}],
        "payment": {"method": "card", "token": token},
    })
}

pub(crate) async fn pay(client: &Client, product: &str, token: &str) -> Answer {
    client.post("/orders", &order(product, token)).await
}

/// An order that waits to be paid outside.
pub(crate) async fn external(client: &Client, product: &str) -> String {
    let body = json!({
        "buyerId": "u-001",
        "items": [{"productId": product, "quantity": 1}],
        "payment": {"method": "external"},
    });
    let order = client.post("/orders", &body).await.expect(202);
    assert_eq!(order.body["amountDue"], PRICE, "{}", order.body);
    order.text("id")
}

/// Names a payment that was made outside.
pub(crate) async fn name(client: &Client, order: &str, imp_uid: &str, price: i64) -> Answer {
    let path = format!("/orders/{order}/payment");
    let body = json!({"impUid": imp_uid, "price": price});
    client.post(&path, &body).await
}

/// The order that a refusal tells of.
pub(crate) fn failed(answer: &Answer) -> &Value {
    answer.order().unwrap_or_else(|| panic!("{}", answer.body))
}

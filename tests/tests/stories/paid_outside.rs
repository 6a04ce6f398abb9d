//! Orders that are paid outside, at the sandbox: in time, with another amount, too late, never, twice,
//! and for no order at all.

use onhand_tests::{Client, Shop, System, check, client::Answer, eventually, shop};
use serde_json::{Value, json};

use crate::paying;

const DUE: i64 = 78_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_in_time_and_a_second_payment_is_given_back() {
    let till = Till::open("60000").await;
    let order = till.waiting().await;
    let first = till.pays(&order, DUE).await;
    let second = till.pays(&order, DUE).await;

    let paid = till.says(&order, &first, DUE).await.expect(200);

    assert_eq!(paid.body["status"], "CONFIRMED");
    assert_eq!(till.shop.stock("mug").await, 8);
    let again = till.says(&order, &first, DUE).await.expect(200);
    assert_eq!(again.body["status"], "CONFIRMED", "the same payment is one");
    let other = till.says(&order, &second, DUE).await;
    other.expect_error(400, "INVALID_STATE");
    till.is_at_the_gateway(&order, &second, "cancelled").await;
    till.is_at_the_gateway(&order, &first, "paid").await;
    check::audit_is_clean(&till.system).await;

    till.client.cancel(&order).await.expect(200);
    till.is_at_the_gateway(&order, &first, "cancelled").await;
    assert_eq!(till.shop.stock("mug").await, 10);
    check::audit_is_clean(&till.system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_fails_the_order_and_is_given_back() {
    let till = Till::open("60000").await;
    for (paid, said) in [(DUE - 1, DUE - 1), (DUE + 1, DUE), (DUE, DUE - 1)] {
        let order = till.waiting().await;
        let payment = till.pays(&order, paid).await;

        let refused = till.says(&order, &payment, said).await;

        refused.expect_error(402, "PAYMENT_MISMATCH");
        assert_eq!(refused.body["details"]["order"]["status"], "FAILED");
        till.is_at_the_gateway(&order, &payment, "cancelled").await;
        till.has_all_mugs().await;
    }
    check::audit_is_clean(&till.system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_in_time_gives_everything_back_and_takes_no_payment_any_more() {
    let till = Till::open("1500").await;
    let order = till.waiting().await;
    assert_eq!(till.shop.stock("mug").await, 8);

    till.has_all_mugs().await;

    let failed = till.client.order(&order).await;
    assert_eq!(
        (&failed["status"], &failed["failReason"]),
        (&json!("FAILED"), &json!("PAYMENT_EXPIRED"))
    );
    let late = till.pays(&order, DUE).await;
    till.says(&order, &late, DUE)
        .await
        .expect_error(400, "INVALID_STATE");
    till.is_at_the_gateway(&order, &late, "cancelled").await;
    check::audit_is_clean(&till.system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_for_another_attempt_that_nobody_names_is_given_back() {
    let till = Till::open("1500").await;
    let order = till.waiting().await;
    till.has_all_mugs().await;
    // The order may know of what it gave back later than the product does.
    let again = eventually("the retry", async || {
        let answer = till.client.retry(&order).await;
        match answer.status {
            202 => Ok(answer.body),
            _ => Err(answer.body),
        }
    })
    .await;
    assert_eq!(again["status"], "PENDING");
    let attempt = format!("{order}-2");
    let unnamed = till.pays(&attempt, DUE).await;

    till.has_all_mugs().await;

    till.is_at_the_gateway(&attempt, &unnamed, "cancelled")
        .await;
    check::audit_is_clean(&till.system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_does_not_know_leaves_the_order_waiting() {
    let till = Till::open("60000").await;
    let order = till.waiting().await;
    let elsewhere = till.waiting().await;
    let of_another = till.pays(&elsewhere, DUE).await;

    for payment in ["imp_nobody", &of_another] {
        let unknown = till.says(&order, payment, DUE).await;
        unknown.expect_error(402, "PAYMENT_NOT_FOUND");
        let now = &unknown.body["details"]["order"];
        assert_eq!(
            (&now["status"], &now["amountDue"]),
            (&json!("PENDING"), &json!(DUE))
        );
    }

    let payment = till.pays(&order, DUE).await;
    till.says(&order, &payment, DUE).await.expect(200);
    till.says(&elsewhere, &of_another, DUE).await.expect(200);
    check::audit_is_clean(&till.system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_for_no_order_is_given_back() {
    let till = Till::open("60000").await;
    let nobody = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let payment = till.pays(nobody, DUE).await;

    till.says(nobody, &payment, DUE)
        .await
        .expect_error(404, "ORDER_NOT_FOUND");

    till.is_at_the_gateway(nobody, &payment, "cancelled").await;
    let settled_outside = till.orders(&Value::Null).await.expect(201).text("id");
    let payment = till.pays(&settled_outside, DUE).await;
    let refused = till.says(&settled_outside, &payment, DUE).await;
    refused.expect_error(400, "INVALID_STATE");
    till.is_at_the_gateway(&settled_outside, &payment, "cancelled")
        .await;
    check::audit_is_clean(&till.system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_waits_for_its_payment_over_a_crash() {
    let mut till = Till::open("60000").await;
    let order = till.waiting().await;
    let node = till.system.node("onhand");
    node.kill9();
    node.start_again().await;

    let payment = till.pays(&order, DUE).await;
    let paid = till.says(&order, &payment, DUE).await.expect(200);

    assert_eq!(paid.body["status"], "CONFIRMED");
    check::audit_is_clean(&till.system).await;
}

/// A shop with ten mugs, whose customers pay at the sandbox.
struct Till {
    system: System,
    client: Client,
    shop: Shop,
}

impl Till {
    async fn open(deadline_ms: &str) -> Self {
        let mut system = System::embedded().await;
        let node = system.node("onhand");
        node.stop().await;
        node.set("ONHAND_PAYMENT_DEADLINE_MS", deadline_ms);
        node.start_again().await;
        let client = system.client();
        let shop = shop(&client).product("mug", 10).open().await;
        Self {
            system,
            client,
            shop,
        }
    }

    async fn orders(&self, payment: &Value) -> Answer {
        let body = json!({"buyerId": "u-001", "payment": payment,
            "items": [{"productId": self.shop.id("mug"), "quantity": 2}]});
        self.client.post("/orders", &body).await
    }

    /// An order of two mugs that waits for its payment.
    async fn waiting(&self) -> String {
        let placed = self
            .orders(&json!({"method": "external"}))
            .await
            .expect(202);
        assert_eq!(
            (&placed.body["status"], &placed.body["amountDue"]),
            (&json!("PENDING"), &json!(DUE))
        );
        placed.text("id")
    }

    /// A customer pays at the gateway, and is given the gateway's id of it.
    async fn pays(&self, order: &str, amount: i64) -> String {
        let payment = json!({"merchantUid": order, "amount": amount});
        let paid = self.client.post("/sandbox/payments", &payment).await;
        paid.expect(201).text("impUid")
    }

    /// A customer says by which payment an order is paid.
    async fn says(&self, order: &str, payment: &str, price: i64) -> Answer {
        paying::name(&self.client, order, payment, price).await
    }

    async fn is_at_the_gateway(&self, order: &str, payment: &str, status: &str) {
        eventually("the gateway to know", async || {
            let path = format!("/sandbox/payments?merchantUid={order}");
            let known = self.client.get(&path).await.expect(200).body;
            let mut items = known["items"].as_array().expect("a list").iter();
            let found = items.find(|item| item["impUid"] == payment);
            let is = found.is_some_and(|item| item["status"] == status);
            is.then_some(()).ok_or(known.to_string())
        })
        .await;
    }

    async fn has_all_mugs(&self) {
        eventually("every mug to be back", async || {
            match self.shop.stock("mug").await {
                10 => Ok(()),
                left => Err(left),
            }
        })
        .await;
    }
}

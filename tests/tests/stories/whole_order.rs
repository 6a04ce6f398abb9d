//! The whole order on real servers: what it costs, what each refusal gives back, and what a cancel
//! does.

use onhand_tests::{Client, Database, Shop, System, check, client::Answer, eventually, shop};
use serde_json::{Value, json};

const BUYER: &str = "u-001";
const POINTS: i64 = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_uses_everything_is_confirmed_and_a_cancel_gives_everything_back() {
    story(&System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_separate_processes_on_postgres() {
    story(&System::separate(Database::Postgres).await).await;
}

async fn story(system: &System) {
    let buyer = Buyer::of(system, 10).await;

    let confirmed = buyer.orders(&json!({"points": 500})).await.expect(201);

    // 2 × 39,000 − 500 points − 10 % of 78,000.
    let order = &confirmed.body;
    let amounts = ["subtotal", "pointsUsed", "discount", "amountDue"].map(|name| &order[name]);
    assert_eq!(json!(amounts), json!([78_000, 500, 7_800, 69_700]));
    let id = confirmed.text("id");
    assert_eq!(buyer.holds().await, [8, POINTS - 500, 0]);
    let payment = buyer
        .client
        .get(&format!("/payments/{id}"))
        .await
        .expect(200);
    assert_eq!(payment.body["status"], "AUTHORISED");
    assert_eq!(payment.body["amount"], 69_700);
    check::audit_is_clean(system).await;

    let cancelled = buyer.client.cancel(&id).await.expect(200);

    assert_eq!(cancelled.body["status"], "CANCELLED");
    assert_eq!(buyer.holds().await, [10, POINTS, 1]);
    let payment = buyer
        .client
        .get(&format!("/payments/{id}"))
        .await
        .expect(200);
    assert_eq!(payment.body["status"], "CANCELLED");
    check::audit_is_clean(system).await;
    // What came back can be used again.
    buyer.orders(&json!({})).await.expect(201);
    assert_eq!(buyer.holds().await, [8, POINTS - 500, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_gives_back_what_was_taken_before_it() {
    let system = System::embedded().await;
    let buyer = Buyer::of(&system, 10).await;
    let unknown = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let other = buyer.campaign().await;
    for (change, status, error) in [
        (
            json!({"items": [{"productId": buyer.shop.id("mug"), "quantity": 11}]}),
            400,
            "INSUFFICIENT_STOCK",
        ),
        (json!({"points": POINTS + 1}), 400, "INSUFFICIENT_POINTS"),
        (json!({"couponId": unknown}), 404, "COUPON_NOT_FOUND"),
        (json!({"couponId": other}), 400, "COUPON_NOT_USABLE"),
        (
            json!({"payment": {"method": "card", "token": "decline"}}),
            402,
            "PAYMENT_DECLINED",
        ),
        (
            json!({"payment": {"method": "card", "token": "anything"}}),
            402,
            "PAYMENT_DECLINED",
        ),
    ] {
        let refused = buyer.orders(&change).await;

        refused.expect_error(status, error);
        let failed = refused.order().expect("a refusal shows its order");
        assert_eq!(
            (&failed["status"], &failed["failReason"]),
            (&json!("FAILED"), &json!(error))
        );
        buyer.has_everything_back().await;
        let history = buyer.history(failed).await;
        assert!(history.contains("\"REFUSED\""), "{history}");
    }
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_never_answers_fails_the_order_with_nothing_charged() {
    let system = System::embedded().await;
    let buyer = Buyer::of(&system, 10).await;
    let never = json!({"payment": {"method": "card", "token": "timeout"}});

    let given_up = buyer.orders(&never).await;

    given_up.expect_error(424, "DEPENDENCY_FAILED");
    buyer.has_everything_back().await;
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_order_is_tried_again_with_everything() {
    let system = System::embedded().await;
    let buyer = Buyer::of(&system, 1).await;
    let refused = buyer.orders(&json!({})).await;
    refused.expect_error(400, "INSUFFICIENT_STOCK");
    let order = refused.order().expect("the order")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/products/{}/stock", buyer.shop.id("mug"));
    let more = json!({"delta": 9, "reason": "MANUAL"});
    buyer
        .client
        .patch(&path, "delivery", &more)
        .await
        .expect(200);

    let confirmed = buyer.client.retry(&order).await.expect(200);

    assert_eq!(confirmed.body["amountDue"], 69_700);
    assert_eq!(buyer.holds().await, [8, POINTS - 500, 0]);
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_and_a_coupon_may_pay_for_all_of_it() {
    let system = System::embedded().await;
    let buyer = Buyer::of(&system, 10).await;
    let charged = buyer.client.charge(BUYER, "rich", 1_000_000).await;
    charged.expect(200);

    let confirmed = buyer
        .orders(&json!({"points": 1_000_000, "couponId": null}))
        .await
        .expect(201);

    assert_eq!(confirmed.body["pointsUsed"], 78_000);
    assert_eq!(confirmed.body["amountDue"], 0);
    let payment = format!("/payments/{}", confirmed.text("id"));
    assert_eq!(
        buyer.client.get(&payment).await.status,
        404,
        "nothing was to be paid"
    );
    let outside = buyer
        .orders(&json!({"points": 0, "couponId": null, "payment": null}))
        .await;
    assert_eq!(outside.expect(201).body["amountDue"], 78_000);
    check::audit_is_clean(&system).await;
}

/// Somebody with points and a coupon, in a shop with mugs.
struct Buyer {
    client: Client,
    shop: Shop,
    coupon: String,
}

impl Buyer {
    async fn of(system: &System, mugs: i64) -> Self {
        let client = system.client();
        let shop = shop(&client).product("mug", mugs).open().await;
        client.charge(BUYER, "first", POINTS).await.expect(200);
        let mut buyer = Self {
            client,
            shop,
            coupon: String::new(),
        };
        buyer.coupon = buyer.campaign().await;
        let path = format!("/coupons/{}/issue", buyer.coupon);
        let issued = buyer.client.post(&path, &json!({"userId": BUYER})).await;
        issued.expect(201);
        buyer
    }

    /// A campaign that takes off ten percent.
    async fn campaign(&self) -> String {
        let campaign = json!({"name": "ten off", "quantity": 3,
            "discount": {"kind": "PERCENT", "value": 10}});
        self.client
            .post("/coupons", &campaign)
            .await
            .expect(201)
            .text("id")
    }

    /// Orders two mugs with 500 points, the coupon and a card, but for what is changed.
    async fn orders(&self, change: &Value) -> Answer {
        let mut body = json!({"buyerId": BUYER, "points": 500, "couponId": self.coupon,
            "items": [{"productId": self.shop.id("mug"), "quantity": 2}],
            "payment": {"method": "card", "token": "approve"}});
        for (name, value) in change.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.client.post("/orders", &body).await
    }

    /// Mugs left, points left, coupons that can be used.
    async fn holds(&self) -> [i64; 3] {
        let path = format!("/users/{BUYER}/coupons");
        let coupons = self.client.get(&path).await.expect(200).body;
        let usable = coupons["items"].as_array().expect("a list").iter();
        let usable = usable.filter(|coupon| coupon["status"] == "ISSUED").count();
        let usable = i64::try_from(usable).expect("few");
        [
            self.shop.stock("mug").await,
            self.client.points(BUYER).await,
            usable,
        ]
    }

    /// What a failed order took may still be on its way back.
    async fn has_everything_back(&self) {
        eventually("everything to be back", async || {
            let holds = self.holds().await;
            (holds == [10, POINTS, 1])
                .then_some(())
                .ok_or(format!("{holds:?}"))
        })
        .await;
    }

    async fn history(&self, order: &Value) -> String {
        let path = format!("/orders/{}/history", order["id"].as_str().expect("an id"));
        self.client.get(&path).await.expect(200).body.to_string()
    }
}

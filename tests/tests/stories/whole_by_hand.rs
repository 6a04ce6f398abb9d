//! The whole order on the real broker, with a hand that plays every participant: what is asked of
//! whom, in which words and in which order, and what is given back.

use onhand_tests::hand::{self, Ear, Hand};
use onhand_tests::{Client, Database, Node, System, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const MUG: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const CUP: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c";
const COUPON: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5d";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_asks_row_by_row_and_a_cancel_gives_the_payment_back_first() {
    let mut stage = Stage::set(&[]).await;
    let mut events = stage.hand.listen("event.order.*").await;
    let order = stage.place(&card()).await;

    let mug = json!({"kind": "product.reserve", "entity": MUG});
    let reserve = stage.hears(&mug).await;
    assert_eq!(reserve["requestId"], format!("DEC-{order}"));
    assert_eq!(reserve["body"], json!({"orderId": order, "quantity": 3}));
    stage
        .answers(&reserve, "product.reserved", &priced(3))
        .await;
    let points = stage.hears(&json!({"kind": "point.use"})).await;
    assert_eq!(points["entity"], "u-001");
    assert_eq!(points["requestId"], format!("DEC-{order}"));
    assert_eq!(points["body"], json!({"orderId": order, "amount": 500}));
    let used = json!({"amount": 500, "balance": 0});
    stage.answers(&points, "point.used", &used).await;
    let coupon = stage.hears(&json!({"kind": "coupon.use"})).await;
    assert_eq!(coupon["entity"], COUPON);
    let expected = json!({"orderId": order, "userId": "u-001", "subtotal": 3000});
    assert_eq!(coupon["body"], expected);
    let discount = json!({"discount": 300});
    stage.answers(&coupon, "coupon.used", &discount).await;
    let payment = stage.hears(&json!({"kind": "payment.authorise"})).await;
    assert_eq!(payment["entity"], order.as_str());
    let expected = json!({"orderId": order, "userId": "u-001", "amount": 2200,
        "method": "card", "token": "approve"});
    assert_eq!(payment["body"], expected);
    stage.answers(&payment, "payment.authorised", &paid()).await;

    let confirmed = stage.becomes(&order, "CONFIRMED").await;
    let amounts = ["subtotal", "pointsUsed", "discount", "amountDue"].map(|name| &confirmed[name]);
    assert_eq!(json!(amounts), json!([3000, 500, 300, 2200]));
    let told = events
        .message("the event", |m| m.subject.ends_with("confirmed"))
        .await;
    let event = hand::unpack(&told.payload).expect("an event is MessagePack");
    assert_eq!(event["body"]["amountDue"], 2200);

    let path = format!("/orders/{order}/cancel");
    let cancel = stage.client.request(&Method::POST, &path);
    cancel
        .header("prefer", "respond-async")
        .answer()
        .await
        .expect(202);
    // Nothing else is given back before it.
    let first = stage.hears(&json!({"origin": "saga"})).await;
    assert_eq!(
        (&first["kind"], &first["requestId"]),
        (&json!("payment.cancel"), &json!(format!("INC-{order}")))
    );
    assert_eq!(first["body"], json!({"orderId": order, "amount": 2200}));
    stage
        .answers(&first, "payment.cancelled", &json!({"amount": 2200}))
        .await;
    stage
        .gives_back(
            &order,
            &["product.release", "point.refund", "coupon.restore"],
        )
        .await;
    stage.becomes(&order, "CANCELLED").await;
    stage
        .history_shows(&order, &["stock", "points", "coupon", "payment"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_that_is_refused_gives_back_those_before_it() {
    let mut stage = Stage::set(&[]).await;
    let rows: [(&str, Value, &[&str]); 4] = [
        (
            "product",
            json!({"refusal": "INSUFFICIENT_STOCK", "available": 1, "requested": 3}),
            &[],
        ),
        (
            "point",
            json!({"refusal": "INSUFFICIENT_POINTS", "available": 1, "requested": 500}),
            &["product.release"],
        ),
        (
            "coupon",
            json!({"refusal": "COUPON_NOT_USABLE", "reason": "used"}),
            &["product.release", "point.refund"],
        ),
        (
            "payment",
            json!({"refusal": "PAYMENT_DECLINED", "reason": "no"}),
            &["product.release", "point.refund", "coupon.restore"],
        ),
    ];
    for (refuses, why, undone) in rows {
        let mut told = stage.hand.listen("event.*.*.failed").await;
        let mut paid_not = stage.hand.listen("event.payment.failed").await;
        let order = stage.place(&card()).await;
        stage.goes_on_until(refuses, &why).await;

        stage.gives_back(&order, undone).await;
        let failed = stage.becomes(&order, "FAILED").await;
        assert_eq!(failed["failReason"], why["refusal"]);
        let ear = if refuses == "payment" {
            &mut paid_not
        } else {
            &mut told
        };
        let event = ear
            .message("the refusal", |m| {
                m.subject.starts_with(&format!("event.{refuses}."))
            })
            .await;
        let event = hand::unpack(&event.payload).expect("an event is MessagePack");
        assert_eq!(event["body"]["orderId"], order.as_str());
        assert_eq!(event["body"]["refusal"], why);
        assert_eq!(event["body"]["order"]["id"], order.as_str());
        // A copy that was sent before the answer was heard may still come.
        stage.ear.count(&json!({"source": order})).await;
        let silence = stage.ear.count(&json!({"source": order})).await;
        assert_eq!(silence, 0, "what is given back is not asked for again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_payment_is_not_given_back_the_order_stays_confirmed() {
    let mut stage = Stage::set(&[]).await;
    let order = stage.place(&card()).await;
    stage.goes_on_until("nobody", &Value::Null).await;
    stage.becomes(&order, "CONFIRMED").await;

    let client = stage.client.clone();
    let path = order.clone();
    let cancel = tokio::spawn(async move { client.cancel(&path).await });
    let asked = stage.hears(&json!({"kind": "payment.cancel"})).await;
    let why = json!({"refusal": "PAYMENT_DECLINED", "reason": "settled"});
    stage.answers(&asked, "payment.refused", &why).await;

    let answer = cancel.await.expect("an answer");
    answer.expect_error(402, "PAYMENT_DECLINED");
    let order = &answer.body["details"]["order"];
    assert_eq!(
        (&order["status"], &order["cancelling"]),
        (&json!("CONFIRMED"), &json!(false))
    );
    assert_eq!(order["failReason"], "PAYMENT_DECLINED");
    assert_eq!(stage.ear.count(&json!({"origin": "saga"})).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_outside_is_waited_for_with_everything_held() {
    let mut stage = Stage::set(&[]).await;
    let client = stage.client.clone();
    let body = whole(&json!({"method": "external"}));
    let placed = tokio::spawn(async move { client.post("/orders", &body).await });
    stage.goes_on_until("payment", &Value::Null).await;

    let placed = placed.await.expect("an answer").expect(202);
    assert_eq!(
        (&placed.body["status"], &placed.body["amountDue"]),
        (&json!("PENDING"), &json!(2200))
    );
    let order = placed.text("id");
    let path = format!("/orders/{order}/payment");
    // One that the gateway does not know, and the one that was made.
    let unknown = json!({"refusal": "PAYMENT_NOT_FOUND"});
    for (imp_uid, reply, body, id) in [
        ("imp_0", "payment.refused", &unknown, format!("DEC-{order}")),
        (
            "imp_1",
            "payment.authorised",
            &paid(),
            format!("DEC-{order}"),
        ),
    ] {
        let client = stage.client.clone();
        let (path, named) = (path.clone(), json!({"impUid": imp_uid, "price": 2200}));
        let answer = tokio::spawn(async move { client.post(&path, &named).await });
        let asked = stage.hears(&json!({"kind": "payment.authorise"})).await;
        assert_eq!(asked["requestId"], id);
        let expected = json!({"orderId": order, "userId": "u-001", "amount": 2200,
            "method": "external", "impUid": imp_uid, "price": 2200});
        assert_eq!(asked["body"], expected);
        stage.answers(&asked, reply, body).await;
        let answer = answer.await.expect("an answer");
        if reply == "payment.refused" {
            answer.expect_error(402, "PAYMENT_NOT_FOUND");
            assert_eq!(answer.body["details"]["order"]["status"], "PENDING");
        } else {
            assert_eq!(answer.expect(200).body["status"], "CONFIRMED");
        }
    }
    let again = stage
        .client
        .post(&path, &json!({"impUid": "imp_1", "price": 2200}))
        .await;
    assert_eq!(again.expect(200).body["status"], "CONFIRMED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_outside_that_never_comes_gives_everything_back() {
    let mut stage = Stage::set(&[("ONHAND_PAYMENT_DEADLINE_MS", "1500")]).await;
    let order = stage.place(&json!({"method": "external"})).await;
    stage.goes_on_until("payment", &Value::Null).await;
    let all = [
        "product.release",
        "point.refund",
        "coupon.restore",
        "payment.cancel",
    ];
    stage.gives_back(&order, &all).await;
    let failed = stage.becomes(&order, "FAILED").await;
    assert_eq!(failed["failReason"], "PAYMENT_EXPIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_needs_less_asks_for_less() {
    let mut stage = Stage::set(&[]).await;
    let body = json!({"buyerId": "u-001", "couponId": COUPON,
        "items": [{"productId": CUP, "quantity": 3}]});
    let order = stage.place_body(&body).await;
    let reserve = stage.hears(&json!({"source": order})).await;
    stage
        .answers(&reserve, "product.reserved", &priced(3))
        .await;
    let coupon = stage.hears(&json!({"source": order})).await;
    assert_eq!(coupon["kind"], "coupon.use", "no points are asked for");
    stage
        .answers(&coupon, "coupon.used", &json!({"discount": 300}))
        .await;
    let confirmed = stage.becomes(&order, "CONFIRMED").await;
    assert_eq!(confirmed["amountDue"], 2700);
    assert_eq!(stage.ear.count(&json!({"origin": "saga"})).await, 0);
}

/// An order-node alone, and whoever plays the others.
struct Stage {
    _system: System,
    client: Client,
    hand: Hand,
    ear: Ear,
}

impl Stage {
    async fn set(settings: &[(&str, &str)]) -> Self {
        let mut system = System::ground(Database::Sqlite).await;
        // Whatever is slow here, nothing is asked twice, and nothing given up.
        for name in [
            "ONHAND_RESEND_MS",
            "ONHAND_RESEND_MAX_MS",
            "ONHAND_ORDER_DEADLINE_MS",
        ] {
            system.tell(name, "600000");
        }
        system.tell("ONHAND_ORDER_WAIT_MS", "25000");
        for (name, value) in settings {
            system.tell(name, value);
        }
        system.add(Node::order(&system.world)).await;
        let hand = Hand::new(system.nats().connect().await);
        let ear = hand.listen("cmd.*.*").await;
        Self {
            client: system.client(),
            _system: system,
            hand,
            ear,
        }
    }

    async fn place(&self, payment: &Value) -> String {
        self.place_body(&whole(payment)).await
    }

    async fn place_body(&self, body: &Value) -> String {
        let place = self.client.request(&Method::POST, "/orders");
        let place = place.header("prefer", "respond-async").json(body);
        place.answer().await.expect(202).text("id")
    }

    async fn hears(&mut self, like: &Value) -> Value {
        self.ear.envelope(like).await
    }

    async fn answers(&self, command: &Value, kind: &str, body: &Value) {
        let order = command["source"].as_str().expect("an order asks");
        let subject = hand::subject("reply.order", order);
        self.hand
            .say(&subject, &[hand::reply(kind, command, body)])
            .await;
    }

    /// Every participant takes what it is asked for, up to the one that refuses; to the end, or
    /// to the payment, where none does.
    async fn goes_on_until(&mut self, refuses: &str, why: &Value) {
        for (service, kind, body) in [
            ("product", "product.reserved", priced(3)),
            ("point", "point.used", json!({"amount": 500, "balance": 0})),
            ("coupon", "coupon.used", json!({"discount": 300})),
            ("payment", "payment.authorised", paid()),
        ] {
            if service == refuses && why.is_null() {
                return;
            }
            let taken = ["reserve", "use", "authorise"].map(|verb| format!("{service}.{verb}"));
            let asked = self.hears(&json!({"origin": "saga"})).await;
            let heard = asked["kind"].as_str().expect("a kind").to_owned();
            assert!(taken.contains(&heard), "{heard} where {service} is next");
            if service == refuses {
                self.answers(&asked, &format!("{service}.refused"), why)
                    .await;
                return;
            }
            self.answers(&asked, kind, &body).await;
        }
    }

    /// Hears that all this is to be given back, and gives it back.
    async fn gives_back(&mut self, order: &str, kinds: &[&str]) {
        let mut missing: Vec<&str> = kinds.to_vec();
        while !missing.is_empty() {
            let id = format!("INC-{order}");
            let asked = self.hears(&json!({"requestId": id})).await;
            let kind = asked["kind"].as_str().expect("a kind");
            let (answer, body) = match kind {
                "product.release" => ("product.released", json!({"quantity": 3, "remaining": 3})),
                "point.refund" => ("point.refunded", json!({"amount": 500, "balance": 500})),
                "coupon.restore" => ("coupon.restored", json!({})),
                "payment.cancel" => ("payment.cancelled", json!({"amount": 0})),
                other => panic!("nobody asked for {other}"),
            };
            assert!(kinds.contains(&kind), "{kind} was never taken");
            missing.retain(|missing| *missing != kind);
            self.answers(&asked, answer, &body).await;
        }
    }

    async fn becomes(&self, order: &str, status: &str) -> Value {
        eventually("the order to get on", async || {
            let now = self.client.order(order).await;
            if now["status"] == status {
                Ok(now)
            } else {
                Err(now)
            }
        })
        .await
    }

    async fn history_shows(&self, order: &str, steps: &[&str]) {
        let path = format!("/orders/{order}/history");
        let history = self.client.get(&path).await.expect(200).body;
        let entries = history["items"].as_array().expect("a list");
        for step in steps {
            for what in ["reserve", "release"] {
                let shown = entries.iter().any(|entry| {
                    entry["takes"] == *step && entry["step"] == what && entry["outcome"] == "DONE"
                });
                assert!(shown, "{what} of {step} in {history}");
            }
        }
    }
}

fn whole(payment: &Value) -> Value {
    json!({"buyerId": "u-001", "items": [{"productId": MUG, "quantity": 3}],
        "points": 500, "couponId": COUPON, "payment": payment})
}

fn card() -> Value {
    json!({"method": "card", "token": "approve"})
}

fn priced(quantity: i64) -> Value {
    json!({"name": "mug", "unitPrice": 1000, "quantity": quantity, "remaining": 7})
}

fn paid() -> Value {
    json!({"amount": 2200, "gateway": "sandbox", "gatewayId": "g-1"})
}

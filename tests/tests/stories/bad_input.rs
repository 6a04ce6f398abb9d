//! What no client should send gets the documented error, and the program goes on.

use onhand_tests::client::{Request, order_of};
use onhand_tests::{Client, System, check, shop};
use reqwest::Method;
use serde_json::{Value, json};

const NOBODY: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const TEN_MEGABYTES: usize = 10 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_make_no_sense_are_refused() {
    let system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;
    let mug = shop.id("mug");
    let line = |quantity: &Value| json!({"buyerId": "u-001", "items": [{"productId": mug, "quantity": quantity}]});
    let with = |field: &str, value: Value| {
        let mut order = order_of(&[(mug, 1)]);
        order[field] = value;
        order
    };
    let without = |field: &str| {
        let mut order = order_of(&[(mug, 1)]);
        order.as_object_mut().unwrap().remove(field);
        order
    };
    let many: Vec<String> = (0..101).map(numbered).collect();
    let many: Vec<_> = many.iter().map(|id| (id.as_str(), 1)).collect();

    for body in [
        line(&json!(0)),
        line(&json!(-1)),
        line(&json!(1_000_001)),
        line(&json!(1.5)),
        line(&json!("3")),
        line(&json!(null)),
        line(&json!(u64::MAX)),
        line(&json!(1e30)),
        with("items", json!([])),
        with("items", json!("mug")),
        with("items", json!([{"productId": mug, "quantitiy": 1}])),
        with(
            "items",
            json!([{"productId": mug, "quantity": 1, "gift": true}]),
        ),
        with("items", json!([{"productId": "mug", "quantity": 1}])),
        order_of(&many),
        order_of(&[(mug, 1), (mug, 2)]),
        without("buyerId"),
        without("items"),
        with("buyerId", json!("")),
        with("buyerId", json!("u".repeat(65))),
        with("buyerId", json!("u 1")),
        with("buyerId", json!(7)),
        with("quantitiy", json!(1)),
        with("points", json!(-1)),
        with("points", json!("500")),
        with("points", json!(1e30)),
        with("couponId", json!("ten off")),
        with("payment", json!("card")),
        with("payment", json!({"token": "t"})),
        with("payment", json!({"method": "cash"})),
        with("payment", json!({"method": "card"})),
        with("payment", json!({"method": "card", "token": ""})),
        with("payment", json!({"method": "card", "token": "two words"})),
        with("payment", json!({"method": "card", "token": "t", "tip": 1})),
        with("payment", json!({"method": "external", "token": "t"})),
        json!([]),
        json!(null),
        json!("order"),
    ] {
        let answer = client.post("/orders", &body).await;
        assert_eq!(answer.status, 400, "{body} was answered {}", answer.body);
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    let unknown = client.place(NOBODY, 1).await;
    unknown.expect_error(404, "PRODUCT_NOT_FOUND");
    still_works(&system, &client).await;
    assert_eq!(shop.stock("mug").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_make_no_sense_are_refused() {
    let system = System::embedded().await;
    let client = system.client();
    let path = format!("/orders/{NOBODY}/payment");
    for body in [
        json!({"impUid": "imp_1"}),
        json!({"price": 1}),
        json!({"impUid": "", "price": 1}),
        json!({"impUid": "two words", "price": 1}),
        json!({"impUid": "x".repeat(65), "price": 1}),
        json!({"impUid": "..", "price": 1}),
        json!({"impUid": 7, "price": 1}),
        json!({"impUid": "imp_1", "price": -1}),
        json!({"impUid": "imp_1", "price": 1.5}),
        json!({"impUid": "imp_1", "price": "1"}),
        json!({"impUid": "imp_1", "price": 1, "tip": 1}),
        json!([]),
        json!(null),
    ] {
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.status, 400, "{body} was answered {}", answer.body);
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    let no_order = client
        .post(
            "/orders/mug/payment",
            &json!({"impUid": "imp_1", "price": 1}),
        )
        .await;
    no_order.expect_error(400, "VALIDATION_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn products_that_make_no_sense_are_refused() {
    let system = System::embedded().await;
    let client = system.client();
    let mug = client.create_product("mug", 1, 5).await;
    let product = |field: &str, value: Value| {
        let mut product = json!({"name": "cup", "price": 1, "stock": 1});
        product[field] = value;
        product
    };
    for body in [
        product("price", json!(-1)),
        product("price", json!("1")),
        product("price", json!(1.5)),
        product("price", json!(u64::MAX)),
        product("stock", json!(-1)),
        product("stock", json!(1e30)),
        product("name", json!("")),
        product("name", json!(7)),
        product("name", json!("x".repeat(201))),
        product("colour", json!("red")),
        json!({"name": "cup", "price": 1}),
        json!([]),
    ] {
        let answer = client.post("/products", &body).await;
        assert_eq!(answer.status, 400, "{body} was answered {}", answer.body);
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    let path = format!("/products/{mug}");
    for body in [
        json!({"price": -1}),
        json!({"stock": 7}),
        json!({"status": "GONE"}),
        json!({"name": ""}),
    ] {
        let request = client.request(&Method::PATCH, &path).json(&body);
        request.answer().await.expect_error(400, "VALIDATION_ERROR");
    }
    let path = format!("/products/{mug}/stock");
    for body in [
        json!({"delta": "1", "reason": "MANUAL"}),
        json!({"delta": 1e30, "reason": "MANUAL"}),
        json!({"delta": 1, "reason": "THEFT"}),
        json!({"delta": 1}),
    ] {
        let answer = client.patch(&path, "bad", &body).await;
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    let too_much = json!({"delta": i64::MAX, "reason": "MANUAL"});
    let answer = client.patch(&path, "huge", &too_much).await;
    answer.expect_error(400, "VALIDATION_ERROR");
    let path = format!("/products/{mug}/stock/decrease-by-order");
    for (order, quantity) in [
        ("", 1),
        ("a b", 1),
        (&*"x".repeat(65), 1),
        ("o-1", 0),
        ("o-1", -1),
    ] {
        let body = json!({"orderId": order, "quantity": quantity});
        let answer = client.patch(&path, &format!("DEC-{order}"), &body).await;
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    still_works(&system, &client).await;
    assert_eq!(client.stock(&mug).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_paths_and_methods_that_make_no_sense_are_refused() {
    let system = System::embedded().await;
    let client = system.client();
    let (get, post) = (Method::GET, Method::POST);
    let json = "application/json";
    for (path, kind, body, status, error) in [
        ("/orders", json, &b"{\"buyer"[..], 400, "VALIDATION_ERROR"),
        ("/orders", json, &[0xff, 0x00], 400, "VALIDATION_ERROR"),
        ("/orders", json, b"", 400, "VALIDATION_ERROR"),
        ("/products", json, b"nonsense", 400, "VALIDATION_ERROR"),
        (
            "/orders",
            "text/plain",
            b"{}",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
    ] {
        let request = client.request(&post, path).bytes(kind, body.to_vec());
        refused(path, request, status, error).await;
    }
    for (method, path, status, error) in [
        (&get, "/no/such/path", 404, "NOT_FOUND"),
        (&get, "/products/x/y/z", 404, "NOT_FOUND"),
        (&Method::PUT, "/orders", 405, "METHOD_NOT_ALLOWED"),
        (&Method::DELETE, "/products", 405, "METHOD_NOT_ALLOWED"),
        (&get, "/orders/not-a-uuid", 400, "VALIDATION_ERROR"),
        (&get, "/products/not-a-uuid", 400, "VALIDATION_ERROR"),
        (&post, "/orders/not-a-uuid/cancel", 400, "VALIDATION_ERROR"),
        (&get, "/orders/{id}", 404, "ORDER_NOT_FOUND"),
        (&get, "/orders/{id}/history", 404, "ORDER_NOT_FOUND"),
        (&post, "/orders/{id}/cancel", 404, "ORDER_NOT_FOUND"),
        (&post, "/orders/{id}/retry", 404, "ORDER_NOT_FOUND"),
        (&get, "/products/{id}", 404, "PRODUCT_NOT_FOUND"),
        (&Method::DELETE, "/products/{id}", 404, "PRODUCT_NOT_FOUND"),
        (&get, "/orders?page=-1", 400, "VALIDATION_ERROR"),
        (&get, "/products?size=many", 400, "VALIDATION_ERROR"),
        (&get, "/orders?status=LOST", 400, "VALIDATION_ERROR"),
    ] {
        let request = client.request(method, &path.replace("{id}", NOBODY));
        refused(path, request, status, error).await;
    }
    still_works(&system, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_that_make_no_sense_are_refused() {
    let system = System::embedded().await;
    let client = system.client();
    let mug = client.create_product("mug", 1, 5).await;
    let change = json!({"delta": 1, "reason": "MANUAL"});
    let stock = |id: &str| {
        let path = format!("/products/{id}/stock");
        client.request(&Method::PATCH, &path).json(&change)
    };
    let order = || {
        client
            .request(&Method::POST, "/orders")
            .json(&order_of(&[(&mug, 1)]))
    };
    let (long, longest) = ("k".repeat(129), "k".repeat(128));

    refused("no key", stock(&mug), 400, "VALIDATION_ERROR").await;
    for key in ["", "schlüssel", "two words", &long] {
        refused(key, stock(&mug).key(key), 400, "VALIDATION_ERROR").await;
        refused(key, order().key(key), 400, "VALIDATION_ERROR").await;
    }
    refused("nobody", stock(NOBODY).key("k"), 404, "PRODUCT_NOT_FOUND").await;

    assert_eq!(stock(&mug).key(&longest).answer().await.status, 200);
    assert_eq!(client.stock(&mug).await, 6);
    still_works(&system, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_ten_megabytes_is_too_large() {
    let system = System::embedded().await;
    let client = system.client();
    for path in ["/orders", "/products"] {
        let mut body = br#"{"name": ""#.to_vec();
        body.resize(TEN_MEGABYTES, b'x');
        let request = client.request(&Method::POST, path);
        let answer = request.bytes("application/json", body).answer().await;
        answer.expect_error(413, "PAYLOAD_TOO_LARGE");
    }
    still_works(&system, &client).await;
}

async fn refused(what: &str, request: Request, status: u16, error: &str) {
    let answer = request.answer().await;
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    answer.expect_error(status, error);
}

async fn still_works(system: &System, client: &Client) {
    let shop = shop(client).product("pot", 1).open().await;
    shop.confirmed("pot", 1).await;
    check::audit_is_clean(system).await;
}

fn numbered(number: u32) -> String {
    format!("0190a1b2-c3d4-7e5f-8a9b-{number:012}")
}

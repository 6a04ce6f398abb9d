//! Bodies that are damaged in any way, to every call that takes one: each is answered in a
//! documented form, never by a 500, and the program goes on.
//!
//! Inputs that ever failed are kept in `proptest-regressions/`.

use onhand_tests::{Client, System, check, shop};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

/// Of every call together.
const CASES: u32 = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_body_is_answered_in_the_documented_form() {
    let mut system = System::bare();
    let listen = format!("127.0.0.1:{}", onhand_tests::place::free_port());
    system.tell("ONHAND_NATS_LISTEN", &listen);
    let server = onhand_tests::place::nats_server();
    system.tell("ONHAND_NATS_SERVER", &server.to_string_lossy());
    // An order that asks for what does not exist, or is to be paid outside, is not waited for.
    system.tell("ONHAND_ORDER_DEADLINE_MS", "500");
    system.tell("ONHAND_ORDER_WAIT_MS", "700");
    system.add(onhand_tests::Node::onhand(&system.world)).await;
    let client = system.client();
    let calls = calls(&client).await;
    let asks = (
        any::<Index>(),
        prop::collection::vec(damage(), 1..4),
        prop::option::weighted(0.8, "[!-~]{1,12}"),
    );
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel(
            "proptest-regressions",
        ))),
        source_file: Some(file!()),
        ..ProptestConfig::default()
    });
    let handle = tokio::runtime::Handle::current();
    let asking = client.clone();

    let outcome = tokio::task::spawn_blocking(move || {
        runner.run(&asks, |(which, damages, key)| {
            let call = which.get(&calls);
            let mut body = call.body.to_string().into_bytes();
            for damage in &damages {
                damage.to(&mut body);
            }
            handle.block_on(ask(&asking, call, body, key.as_deref()));
            Ok(())
        })
    })
    .await
    .unwrap();

    outcome.unwrap_or_else(|failed| panic!("{failed}"));
    check::audit_is_clean(&system).await;
}

struct Call {
    method: Method,
    path: String,
    body: Value,
}

/// Every call that takes a body, on things that are there.
async fn calls(client: &Client) -> Vec<Call> {
    let shop = shop(client).product("mug", 1_000_000).open().await;
    let mug = shop.id("mug").to_owned();
    let order = shop.confirmed("mug", 1).await;
    let sale = onhand_tests::sale::Sale::open(client, 1_000).await;
    let whole = json!({"buyerId": "u-001", "items": [{"productId": mug, "quantity": 2}],
        "points": 5, "couponId": sale.id, "payment": {"method": "card", "token": "approve"}});
    let short = json!({"productId": mug, "quantity": 3, "buyerId": "u-001"});
    let outside = json!({"productId": mug, "quantity": 3, "buyerId": "u-001",
        "payment": {"method": "external"}});
    let by_order = json!({"orderId": "shop-1", "quantity": 2});
    let post = |path: &str, body: Value| (Method::POST, path.to_owned(), body);
    let patch = |path: String, body: Value| (Method::PATCH, path, body);
    let product = format!("/products/{mug}");
    [
        post("/orders", whole),
        post("/orders", short),
        post("/orders", outside),
        post(
            &format!("/orders/{order}/payment"),
            json!({"impUid": "imp_1", "price": 39_000}),
        ),
        post(&format!("/orders/{order}/retry"), json!({})),
        post("/products", json!({"name": "cup", "price": 5, "stock": 5})),
        patch(
            product.clone(),
            json!({"name": "mug", "price": 5, "status": "ACTIVE"}),
        ),
        patch(
            format!("{product}/stock"),
            json!({"delta": 1, "reason": "MANUAL"}),
        ),
        patch(
            format!("{product}/stock/decrease-by-order"),
            by_order.clone(),
        ),
        patch(format!("{product}/stock/increase-by-order"), by_order),
        post("/users/u-001/points/charge", json!({"amount": 100})),
        post("/coupons", onhand_tests::sale::campaign(5)),
        post(
            &format!("/coupons/{}/issue", sale.id),
            json!({"userId": "u-001"}),
        ),
        post(
            "/sandbox/payments",
            json!({"merchantUid": "a", "amount": 5}),
        ),
    ]
    .map(|(method, path, body)| Call { method, path, body })
    .into()
}

async fn ask(client: &Client, call: &Call, body: Vec<u8>, key: Option<&str>) {
    let said = String::from_utf8_lossy(&body).into_owned();
    let request = client.request(&call.method, &call.path);
    let request = key.map_or_else(
        || client.request(&call.method, &call.path),
        |key| request.key(key),
    );
    let answer = request.bytes("application/json", body).answer().await;
    let place = format!("{} {} {said}: {answer:?}", call.method, call.path);
    assert!(answer.status < 500, "{place}");
    assert!(answer.headers.contains_key("x-request-id"), "{place}");
    if answer.status >= 400 {
        assert!(!answer.error().is_empty(), "{place}");
        assert!(answer.body["message"].is_string(), "{place}");
        assert!(answer.body.get("details").is_some(), "{place}");
    }
}

/// What befalls a body.
#[derive(Clone, Debug)]
enum Damage {
    /// A piece of it is something else.
    Put(Index, &'static str),
    /// A byte of it is another.
    Byte(Index, u8),
    /// So much of it is missing.
    Cut(Index, usize),
    /// Nothing.
    None,
}

fn damage() -> impl Strategy<Value = Damage> {
    let pieces = prop::sample::select(vec![
        "null",
        "0",
        "-1",
        "9223372036854775807",
        "1e400",
        "\"\"",
        "\u{0}",
        "\\u0000",
        "\\ud800",
        "[]",
        "{}",
        ",",
        "\"",
        "true",
        "\u{1F600}",
        "\"x\":1,",
        "0.5",
        "[[[[[[[[",
        "\"buyerId\":\"a\",",
    ]);
    prop_oneof![
        3 => (any::<Index>(), pieces).prop_map(|(at, piece)| Damage::Put(at, piece)),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => (any::<Index>(), 1..12_usize).prop_map(|(at, many)| Damage::Cut(at, many)),
        1 => Just(Damage::None),
    ]
}

impl Damage {
    fn to(&self, body: &mut Vec<u8>) {
        let length = body.len().max(1);
        match self {
            Self::Put(at, piece) => {
                let at = at.index(length).min(body.len());
                body.splice(at..at, piece.bytes());
            }
            Self::Byte(at, byte) => {
                if let Some(place) = body.get_mut(at.index(length)) {
                    *place = *byte;
                }
            }
            Self::Cut(at, many) => {
                let at = at.index(length).min(body.len());
                body.drain(at..(at + many).min(body.len()));
            }
            Self::None => {}
        }
    }
}

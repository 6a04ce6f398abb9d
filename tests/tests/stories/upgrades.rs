//! Databases that an earlier version left, with orders in every state and some under way, are gone
//! on with. What its messages were is kept in `messages/tests/golden/`.
//!
//! `tests/fixtures/` has them as statements, one folder a version and database. A version that
//! changes tables or what stands in them adds a folder: `ONHAND_FIXTURES_BLESS=2027-01 cargo test -p
//! onhand-tests --test stories upgrades` writes one. None is ever changed.

use std::path::{Path, PathBuf};

use onhand_tests::{Client, Database, Node, System, check, dump, eventually, place, shop};
use reqwest::Method;
use serde_json::{Value, json};

const BUYER: &str = "u-001";
const KEY: &str = "kept-key";
/// No database is older than this: their orders under way were to be given up after a year.
const YEAR_MS: &str = "31536000000";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_each_earlier_version_is_gone_on_with() {
    for fixture in fixtures("sqlite").await {
        let mut system = System::ground(Database::Sqlite).await;
        let data = system.world.folder("data");
        for (service, text) in dumps(&fixture) {
            dump::into_sqlite(&data.join(format!("{service}.db")), &text).await;
        }
        system.add(Node::onhand(&system.world)).await;
        go_on(&system, &fixture).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_each_earlier_version_is_gone_on_with_on_postgres() {
    for fixture in fixtures("postgres").await {
        let mut system = System::ground(Database::Postgres).await;
        for (service, text) in dumps(&fixture) {
            let url = system.postgres().url(&service);
            dump::into_postgres(&url, &text).await;
        }
        system.start_separate().await;
        go_on(&system, &fixture).await;
    }
}

/// What is over stays as it was, what was under way comes to its end, and new orders are taken.
async fn go_on(system: &System, fixture: &Path) {
    let client = system.client();
    let told = std::fs::read_to_string(fixture.join("told.json")).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    for order in told["over"].as_array().unwrap() {
        let now = client.order(order["id"].as_str().unwrap()).await;
        for (name, value) in order.as_object().unwrap() {
            assert_eq!(now[name], *value, "{name} of {now}");
        }
    }
    let repeated = client.request(&Method::POST, "/orders").key(KEY);
    let repeated = repeated.json(&told["keyed"]["body"]).answer().await;
    assert_eq!(repeated.expect(201).body["id"], told["keyed"]["id"]);
    for order in told["underWay"].as_array().unwrap() {
        let id = order.as_str().unwrap();
        eventually("an order of an earlier version to end", async || {
            let order = client.order(id).await;
            let over = order["status"] != "PENDING" && order["cancelling"] == false;
            over.then_some(()).ok_or(order)
        })
        .await;
    }
    let mug = told["product"].as_str().unwrap();
    let new = client.place(mug, 1).await.expect(201);
    assert_eq!(new.body["status"], "CONFIRMED");
    check::every_order_is_final(&client).await;
    check::audit_is_clean(system).await;
}

/// The folders of all versions; the one that is asked for is made first.
async fn fixtures(database: &str) -> Vec<PathBuf> {
    let root = place::project().join("tests/fixtures");
    if let Ok(version) = std::env::var("ONHAND_FIXTURES_BLESS") {
        let folder = root.join(version).join(database);
        assert!(!folder.exists(), "a fixture is never changed");
        std::fs::create_dir_all(&folder).unwrap();
        leave(&folder, database).await;
    }
    let versions = std::fs::read_dir(root).unwrap();
    let mut folders: Vec<PathBuf> = versions
        .map(|version| version.unwrap().path().join(database))
        .collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

fn dumps(fixture: &Path) -> Vec<(String, String)> {
    ["order", "product", "point", "coupon", "payment"]
        .map(|service| {
            let file = fixture.join(format!("{service}.sql"));
            (service.to_owned(), std::fs::read_to_string(file).unwrap())
        })
        .into()
}

/// Leaves orders in every state, as this version does, and writes its databases down.
async fn leave(folder: &Path, database: &str) {
    let kind = match database {
        "sqlite" => Database::Sqlite,
        _ => Database::Postgres,
    };
    let mut system = System::ground(kind).await;
    system.tell("ONHAND_ORDER_DEADLINE_MS", YEAR_MS);
    system.tell("ONHAND_ORDER_WAIT_MS", "700");
    // So that whoever reads it need not wait: it is long over then.
    system.tell("ONHAND_PAYMENT_DEADLINE_MS", "20000");
    system.start_separate().await;
    let client = system.client();
    let shop = shop(&client)
        .product("mug", 100)
        .product("rare", 2)
        .open()
        .await;
    let mug = shop.id("mug").to_owned();
    client.charge(BUYER, "gift", 10_000).await.expect(200);
    let coupon =
        json!({"name": "ten off", "quantity": 5, "discount": {"kind": "PERCENT", "value": 10}});
    let coupon = client
        .post("/coupons", &coupon)
        .await
        .expect(201)
        .text("id");
    let issue = json!({"userId": BUYER});
    client
        .post(&format!("/coupons/{coupon}/issue"), &issue)
        .await
        .expect(201);
    let whole = |quantity: i64, points: i64, token: &str| {
        json!({"buyerId": BUYER, "points": points, "payment": {"method": "card", "token": token},
            "items": [{"productId": mug, "quantity": quantity}]})
    };

    let keyed = whole(1, 5, "approve");
    let request = client.request(&Method::POST, "/orders").key(KEY);
    let kept = request.json(&keyed).answer().await.expect(201).text("id");
    let cancelled = client
        .post("/orders", &whole(2, 10, "approve"))
        .await
        .expect(201)
        .text("id");
    client.cancel(&cancelled).await.expect(200);
    let declined = failed(&client.post("/orders", &whole(3, 15, "decline")).await.body);
    let sold_out = failed(&shop.order("rare", 3).await.body);
    let again = failed(&shop.order_lines(&[("rare", 3), ("mug", 1)]).await.body);
    let more = json!({"delta": 5, "reason": "MANUAL"});
    let stock = format!("/products/{}/stock", shop.id("rare"));
    client.patch(&stock, "delivery", &more).await.expect(200);
    client.retry(&again).await.expect(200);
    let theirs = json!({"orderId": "shop-1", "quantity": 2});
    let decrease = format!("/products/{mug}/stock/decrease-by-order");
    client
        .patch(&decrease, "DEC-shop-1", &theirs)
        .await
        .expect(200);
    let mut with_coupon = whole(2, 20, "approve");
    with_coupon["couponId"] = json!(coupon);
    let undone = client
        .post("/orders", &with_coupon)
        .await
        .expect(201)
        .text("id");
    let outside = json!({"buyerId": BUYER, "productId": mug, "quantity": 1,
        "payment": {"method": "external"}});
    let outside = client
        .post("/orders", &outside)
        .await
        .expect(202)
        .text("id");
    check::audit_is_clean(&system).await;

    // One participant after another is away, so that orders stop at each step.
    system.node("payment-node").kill9();
    client.cancel(&undone).await.expect(202);
    let unpaid = pending(&client, &whole(1, 25, "approve")).await;
    system.node("point-node").kill9();
    let unused = pending(&client, &whole(1, 30, "approve")).await;
    system.node("product-node").kill9();
    let unreserved = pending(&client, &whole(1, 35, "approve")).await;
    let mut over = Vec::new();
    for id in [&kept, &cancelled, &declined, &sold_out, &again] {
        over.push(client.order(id).await);
    }
    for program in ["order-node", "coupon-node"] {
        system.node(program).kill9();
    }

    let told = json!({
        "over": over, "underWay": [undone, outside, unpaid, unused, unreserved],
        "keyed": {"id": kept, "body": keyed}, "product": mug,
    });
    let told = serde_json::to_string_pretty(&told).unwrap();
    std::fs::write(folder.join("told.json"), told + "\n").unwrap();
    write(folder, &system).await;
}

/// Writes the databases of a system that is down.
async fn write(folder: &Path, system: &System) {
    for service in ["order", "product", "point", "coupon", "payment"] {
        let text = if let Some(postgres) = &system.postgres {
            dump::of_postgres(&postgres.url(service))
        } else {
            let file = system.world.folder("data").join(format!("{service}.db"));
            dump::of_sqlite(&file).await
        };
        std::fs::write(folder.join(format!("{service}.sql")), text).unwrap();
    }
}

fn failed(answer: &Value) -> String {
    let order = &answer["details"]["order"];
    assert_eq!(order["status"], "FAILED", "{answer}");
    order["id"].as_str().unwrap().to_owned()
}

async fn pending(client: &Client, body: &Value) -> String {
    let answer = client.post("/orders", body).await.expect(202);
    assert_eq!(answer.body["status"], "PENDING");
    answer.text("id")
}

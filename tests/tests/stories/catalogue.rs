//! Products as a shopkeeper knows them: made, found, changed, taken off the shelf.

use onhand_tests::{Client, Database, System, check, shop};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_made_found_changed_and_taken_off_the_shelf() {
    story(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgres() {
    story(System::separate(Database::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page() {
    let system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(shop.confirmed("mug", 1).await);
    }
    placed.reverse();

    let mut seen = Vec::new();
    for page in 0..3 {
        let list = client.get(&format!("/orders?page={page}&size=2")).await;
        let list = list.expect(200).body;
        assert_eq!((&list["page"], &list["size"]), (&json!(page), &json!(2)));
        assert_eq!(list["total"], 5);
        seen.extend(texts(&list["items"], "id"));
    }
    assert_eq!(seen, placed, "newest first");

    let of_nobody = client.get("/orders?buyerId=nobody").await.expect(200);
    assert_eq!(of_nobody.body["total"], 0);
    let of_buyer = client.get("/orders?buyerId=u-001&status=CONFIRMED").await;
    assert_eq!(of_buyer.expect(200).body["total"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_tells_its_steps_and_its_end() {
    let system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;
    let order = shop.confirmed("mug", 2).await;

    let history = client.get(&format!("/orders/{order}/history")).await;
    let history = history.expect(200).body.to_string();
    assert!(history.contains(&format!("DEC-{order}")), "{history}");
    // The stream ends by itself, since the order is final.
    let events = client.get(&format!("/orders/{order}/events")).await;
    let events = events.expect(200);
    let kind = events.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    assert!(events.body.to_string().contains("CONFIRMED"), "{events:?}");
}

async fn story(system: System) {
    let client = system.client();
    let made = json!({"name": "Blue Mug", "price": 900, "stock": 3});
    let made = client.post("/products", &made).await.expect(201);
    let mug = made.text("id");
    let path = format!("/products/{mug}");
    let location = made.headers["location"].to_str().unwrap();
    assert!(location.ends_with(&path), "{location}");
    client.create_product("cup_100%", 1, 1).await;

    assert_eq!(found(&client, "query=blue").await, ["Blue Mug"]);
    assert_eq!(
        found(&client, "query=MUG&status=ACTIVE").await,
        ["Blue Mug"]
    );
    // What is a pattern to a database is a letter to a person.
    assert_eq!(found(&client, "query=%25").await, ["cup_100%"]);
    assert_eq!(found(&client, "query=_").await, ["cup_100%"]);
    assert_eq!(found(&client, "query=%27").await, [""; 0]);

    let change = json!({"name": "Red Mug", "price": 1000});
    let changed = client.request(&Method::PATCH, &path).json(&change);
    let changed = changed.answer().await.expect(200).body;
    assert_eq!(
        (&changed["name"], &changed["stock"]),
        (&json!("Red Mug"), &json!(3))
    );
    let order = client.place(&mug, 2).await.expect(201).body;
    assert_eq!(order["items"][0]["unitPrice"], 1000);
    assert_eq!(order["items"][0]["name"], "Red Mug");

    let gone = client.request(&Method::DELETE, &path).answer().await;
    assert_eq!((gone.status, gone.body), (204, Value::Null));
    let product = client.get(&path).await.expect(200).body;
    assert_eq!(product["status"], "DISCONTINUED");
    let refused = client.place(&mug, 1).await;
    refused.expect_error(400, "PRODUCT_DISCONTINUED");
    assert_eq!(found(&client, "status=DISCONTINUED").await, ["Red Mug"]);
    assert!(!client.ledger(&mug).await.is_empty());

    let again = json!({"status": "ACTIVE"});
    let again = client.request(&Method::PATCH, &path).json(&again);
    assert_eq!(again.answer().await.expect(200).body["status"], "ACTIVE");
    client.place(&mug, 1).await.expect(201);
    assert_eq!(client.stock(&mug).await, 0);
    check::audit_is_clean(&system).await;
}

async fn found(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/products?{query}")).await.expect(200);
    texts(&list.body["items"], "name")
}

fn texts(items: &Value, field: &str) -> Vec<String> {
    let items = items.as_array().unwrap();
    let text = |item: &Value| item[field].as_str().unwrap().to_owned();
    items.iter().map(text).collect()
}

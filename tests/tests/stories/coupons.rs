//! Coupons over HTTP: first come, first served, and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use messages::Timestamp;
use onhand_tests::hand::{self, Ear, Hand};
use onhand_tests::sale::{Sale, campaign};
use onhand_tests::{Database, System, check, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const USERS: usize = 500;
const CAMPAIGNS: usize = 5;
const COUPONS: u32 = 30;
/// How often every user asks every campaign.
const ROUNDS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_users_get_the_thirty_coupons_that_each_campaign_has() {
    rush(System::all_in_one(Database::Sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_users_get_the_thirty_coupons_on_postgres() {
    rush(System::separate(Database::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_and_a_coupon_are_made_once_a_key() {
    keys(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_and_a_coupon_are_made_once_a_key_on_postgres() {
    keys(System::all_in_one(Database::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_coupons_that_make_no_sense_are_refused() {
    let system = System::embedded().await;
    let client = system.client();
    let sale = Sale::open(&client, 1).await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("a\nb")),
        ("name", json!(null)),
        ("quantity", json!(0)),
        ("quantity", json!(-1)),
        ("quantity", json!(1.5)),
        ("quantity", json!(1_000_001)),
        ("quantity", json!("30")),
        ("discount", json!(null)),
        ("discount", json!({"kind": "HALF", "value": 1})),
        ("discount", json!({"kind": "FIXED"})),
        ("discount", json!({"kind": "FIXED", "value": 0})),
        ("discount", json!({"kind": "PERCENT", "value": 101})),
        (
            "discount",
            json!({"kind": "PERCENT", "value": 5, "maximum": -1}),
        ),
        ("discount", json!({"kind": "PERCENT", "value": 5, "cap": 9})),
        ("minimumAmount", json!(-1)),
        ("validUntil", json!("tomorrow")),
        ("quantitiy", json!(1)),
    ] {
        let mut body = campaign(3);
        body[field] = value;
        let answer = client.post("/coupons", &body).await;
        assert_eq!(answer.status, 400, "{body} was answered {}", answer.body);
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    let mut backwards = campaign(3);
    backwards["validFrom"] = json!("2026-03-02T00:00:00Z");
    backwards["validUntil"] = json!("2026-03-01T00:00:00Z");
    let answer = client.post("/coupons", &backwards).await;
    answer.expect_error(400, "VALIDATION_ERROR");
    let named = &answer.body["details"]["fields"];
    assert!(named["validUntil"].is_string(), "{named}");

    for body in [
        json!({}),
        json!({"userId": ""}),
        json!({"userId": "a b"}),
        json!({"userId": 7}),
        json!({"userId": "u".repeat(65)}),
        json!({"user": "u-001"}),
        json!([]),
    ] {
        let answer = sale.wish_of(&body).await;
        assert_eq!(answer.status, 400, "{body} was answered {}", answer.body);
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    let keyed = sale.wish_keyed("two words", "u-001").await;
    keyed.expect_error(400, "VALIDATION_ERROR");
    let wish = json!({"userId": "u-001"});
    let unknown = "/coupons/01890000-0000-7000-8000-000000000001";
    let read = client.get(unknown).await;
    read.expect_error(404, "COUPON_NOT_FOUND");
    let issued = client.post(&format!("{unknown}/issue"), &wish).await;
    issued.expect_error(404, "COUPON_NOT_FOUND");
    for path in ["/coupons/7", "/coupons?size=201", "/coupons?status=NEW"] {
        client.get(path).await.expect_error(400, "VALIDATION_ERROR");
    }
    for user in ["u%201", "%C3%A4", &"u".repeat(65)] {
        let read = client.get(&format!("/users/{user}/coupons")).await;
        read.expect_error(400, "VALIDATION_ERROR");
    }
    let deleted = client.request(&Method::DELETE, &format!("/coupons/{}", sale.id));
    deleted
        .answer()
        .await
        .expect_error(405, "METHOD_NOT_ALLOWED");
    sale.wish("u-001").await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_expires_with_its_campaign() {
    let system = System::embedded().await;
    let client = system.client();
    let mut past = campaign(3);
    past["validUntil"] = json!("2020-01-01T00:00:00Z");
    let late = Sale::of(&client, &past).await.wish("u-001").await;
    late.expect_error(400, "COUPON_NOT_USABLE");

    let made = Sale::open(&client, 1).await.now().await;
    let now: Timestamp = made["createdAt"].as_str().unwrap().parse().unwrap();
    let mut soon = campaign(3);
    soon["validUntil"] = json!(now.plus_millis(2_000));
    let sale = Sale::of(&client, &soon).await;
    let issued = sale.wish("u-001").await;
    if issued.status != 201 {
        // The machine was too slow for it; what is told of one that came in time is told below.
        issued.expect_error(400, "COUPON_NOT_USABLE");
        return;
    }
    eventually("the coupon to expire", async || {
        let coupon = sale.coupon("u-001").await;
        (coupon["status"] == "EXPIRED").then_some(()).ok_or(coupon)
    })
    .await;
    assert_eq!(sale.now().await["remaining"], 2);
}

/// Everybody asks every campaign, at once and again.
async fn rush(mut system: System) {
    let client = system.client();
    let hand = Hand::new(system.nats().connect().await);
    let mut events = hand.listen("event.coupon.issued").await;
    let sales = join_all((0..CAMPAIGNS).map(|_| Sale::open(&client, COUPONS))).await;

    let answers = join_all((0..USERS).map(async |user| {
        let name = format!("u-{user}");
        let mut told = Vec::new();
        for turn in 0..CAMPAIGNS * ROUNDS {
            let campaign = (user + turn) % CAMPAIGNS;
            told.push((campaign, name.clone(), sales[campaign].wish(&name).await));
        }
        told
    }))
    .await;

    let mut issued: BTreeMap<usize, BTreeMap<u64, String>> = BTreeMap::new();
    let mut happy = BTreeSet::new();
    for (campaign, user, answer) in answers.into_iter().flatten() {
        if answer.status == 201 {
            assert_eq!(answer.body["couponId"], *sales[campaign].id);
            assert_eq!(answer.body["userId"], *user);
            let number = answer.body["number"].as_u64().expect("a number");
            assert!(happy.insert((campaign, user.clone())), "{user} has two");
            let taken = issued.entry(campaign).or_default().insert(number, user);
            assert_eq!(taken, None, "number {number} was issued twice");
        } else {
            let why = if happy.contains(&(campaign, user)) {
                "COUPON_ALREADY_ISSUED"
            } else {
                "COUPON_EXHAUSTED"
            };
            answer.expect_error(409, why);
        }
    }
    let all: Vec<u64> = (1..=u64::from(COUPONS)).collect();
    for (campaign, sale) in sales.iter().enumerate() {
        let numbers: Vec<u64> = issued[&campaign].keys().copied().collect();
        assert_eq!(numbers, all);
        let now = sale.now().await;
        assert_eq!((&now["issued"], &now["remaining"]), (&json!(30), &json!(0)));
        let (number, user) = issued[&campaign].first_key_value().unwrap();
        let coupon = sale.coupon(user).await;
        assert_eq!(
            (&coupon["number"], &coupon["status"]),
            (&json!(number), &json!("ISSUED"))
        );
    }
    // The ledger tells them in the order in which they were decided.
    let told = told(&mut events, CAMPAIGNS * all.len()).await;
    for sale in &sales {
        assert_eq!(told[&sale.id], all);
    }
    check::audit_is_clean(&system).await;
}

/// The numbers that were told, by campaign, in the order in which they were heard.
async fn told(events: &mut Ear, count: usize) -> BTreeMap<String, Vec<u64>> {
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut heard = 0;
    while heard < count {
        let message = events.message("a coupon that was issued", |_| true).await;
        for event in hand::events(&message) {
            let campaign = event["entity"].as_str().expect("a name").to_owned();
            let number = event["body"]["number"].as_u64().expect("a number");
            numbers.entry(campaign).or_default().push(number);
            heard += 1;
        }
    }
    numbers
}

/// Made under a key, asked for under a key, and shown in lists.
async fn keys(mut system: System) {
    let client = system.client();
    let make = async |key: &str, body: &Value| {
        let request = client.request(&Method::POST, "/coupons");
        request.key(key).json(body).answer().await
    };
    let mut body = campaign(2);
    body["discount"] = json!({"kind": "PERCENT", "value": 10, "maximum": 5_000});
    body["minimumAmount"] = json!(10_000);
    body["validFrom"] = json!("2026-01-01T09:00:00+09:00");
    let spring = make("spring", &body).await.expect(201);
    Sale::open(&client, 1).await;
    let sale = Sale::known(&client, spring.text("id"));
    let location = spring.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("/coupons/{}", sale.id));

    let at_once = join_all((0..5).map(|_| sale.wish_keyed("wish-1", "u-001"))).await;
    sale.wish("u-002").await.expect(201);
    sale.wish("u-003")
        .await
        .expect_error(409, "COUPON_EXHAUSTED");
    sale.wish("u-001")
        .await
        .expect_error(409, "COUPON_ALREADY_ISSUED");
    system.stop().await;
    system.start_again().await;
    let later = sale.wish_keyed("wish-1", "u-001").await;

    for answer in at_once.into_iter().chain([later]) {
        let first = json!({"couponId": sale.id, "userId": "u-001", "number": 1});
        assert_eq!(answer.expect(201).body, first);
    }
    let other = sale.wish_keyed("wish-1", "u-004").await;
    other.expect_error(422, "REQUEST_MISMATCH");
    assert_eq!(make("spring", &body).await.expect(201).body, spring.body);
    let other = make("spring", &campaign(3)).await;
    other.expect_error(422, "REQUEST_MISMATCH");

    let now = sale.now().await;
    let mut expected = spring.body.clone();
    expected["issued"] = json!(2);
    expected["remaining"] = json!(0);
    assert_eq!(now, expected);
    assert_eq!(now["validFrom"], "2026-01-01T00:00:00.000Z");
    assert_eq!(now["validUntil"], json!(null));
    let list = client.get("/coupons?size=1&page=1").await.expect(200).body;
    assert_eq!((&list["total"], &list["items"]), (&json!(2), &json!([now])));

    let of_user = client.get("/users/u-002/coupons").await.expect(200).body;
    let coupon = &of_user["items"][0];
    assert_eq!(of_user["total"], 1);
    let issued_at = coupon["issuedAt"].as_str().expect("a time");
    assert!(issued_at.ends_with('Z'), "{issued_at}");
    let expected = json!({
        "couponId": sale.id, "name": "spring sale", "number": 2, "discount": body["discount"],
        "status": "ISSUED", "orderId": null, "issuedAt": issued_at,
    });
    assert_eq!(*coupon, expected);
    let nobody = client.get("/users/u-009/coupons").await.expect(200).body;
    assert_eq!(
        (&nobody["total"], &nobody["items"]),
        (&json!(0), &json!([]))
    );
    check::audit_is_clean(&system).await;
}

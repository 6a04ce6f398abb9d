//! Coupons on the real broker, used and restored: commands that come twice, late, or in the wrong
//! order, on both databases. A hand plays the order's part with a coupon-node.

use std::collections::BTreeSet;

use futures::future::join_all;
use onhand_tests::hand::{self, Ear, Hand};
use onhand_tests::sale::{Sale, campaign};
use onhand_tests::{Client, Database, Node, System, eventually};
use serde_json::{Value, json};

const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const OTHER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c";
const USER: &str = "u-001";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_uses_a_coupon_and_gives_it_back() {
    commands(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_uses_a_coupon_and_gives_it_back_on_postgres() {
    commands(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_node_that_is_killed_lends_nothing_twice() {
    let (mut system, client, hand, mut replies) = coupons_alone(Database::Sqlite).await;
    let sale = Sale::open(&client, 40).await;
    let users: Vec<String> = (0..40).map(|n| format!("u-{n}")).collect();
    for answer in join_all(users.iter().map(|user| sale.wish(user))).await {
        answer.expect(201);
    }
    // Two orders of every user want his one coupon.
    let order = |n: usize, user: usize| format!("{}{n}{user:03}", &ORDER[..32]);
    let everything = async || {
        for n in 1..=2 {
            let take = |(place, user): (usize, &String)| take(&sale.id, &order(n, place), user);
            let commands: Vec<Value> = users.iter().enumerate().map(take).collect();
            say(&hand, &sale, &commands).await;
        }
    };

    everything().await;
    replies.envelope(&json!({"kind": "coupon.used"})).await;
    system.node("coupon-node").kill9();
    everything().await;
    system.node("coupon-node").start_again().await;

    for (place, user) in users.iter().enumerate() {
        eventually("the first order to have it", async || {
            let coupon = sale.coupon(user).await;
            let first = coupon["orderId"] == order(1, place);
            first.then_some(()).ok_or(coupon)
        })
        .await;
    }
    assert_eq!(sale.now().await["issued"], 40);
}

async fn commands(database: Database) {
    let (mut system, client, hand, mut replies) = coupons_alone(database).await;
    let mut events = hand.listen("event.coupon.*").await;
    let mut heard = async |kind: &str| replies.envelope(&json!({"kind": kind})).await;
    let mut body = campaign(3);
    body["discount"] = json!({"kind": "PERCENT", "value": 10, "maximum": 5_000});
    body["minimumAmount"] = json!(10_000);
    let sale = Sale::of(&client, &body).await;
    let use_it = |order: &str| take(&sale.id, order, USER);
    let restore = |order: &str| give_back(&sale.id, order, USER);
    let refusal = |answer: &Value| answer["body"]["refusal"].as_str().unwrap().to_owned();

    // What was not issued is not used, and of no campaign there is nothing.
    say(&hand, &sale, &[use_it(ORDER)]).await;
    let refused = heard("coupon.refused").await;
    let reason =
        json!({"refusal": "COUPON_NOT_USABLE", "reason": "it was not issued to this user"});
    assert_eq!(refused["body"], reason);
    assert_eq!(refused["requestId"], format!("DEC-{ORDER}"));
    assert_eq!(refused["source"], *sale.id);
    let nowhere = take(OTHER, ORDER, USER);
    hand.say(&hand::subject("cmd.coupon", OTHER), &[nowhere])
        .await;
    assert_eq!(refusal(&heard("coupon.refused").await), "COUPON_NOT_FOUND");

    // A use that comes again takes once, and another order does not get what is used.
    sale.wish(USER).await.expect(201);
    let cheap = command(
        "coupon.use",
        "DEC",
        &sale.id,
        ORDER,
        &json!({"subtotal": 9_999}),
    );
    say(&hand, &sale, &[cheap]).await;
    assert_eq!(refusal(&heard("coupon.refused").await), "COUPON_NOT_USABLE");
    say(&hand, &sale, &[use_it(ORDER), use_it(ORDER)]).await;
    let used = heard("coupon.used").await;
    assert_eq!(used["body"], json!({"discount": 3_900}));
    say(&hand, &sale, &[use_it(ORDER)]).await;
    assert_eq!(heard("coupon.used").await["body"], used["body"]);
    let dearer = command(
        "coupon.use",
        "DEC",
        &sale.id,
        ORDER,
        &json!({"subtotal": 39_001}),
    );
    say(&hand, &sale, &[dearer]).await;
    assert_eq!(refusal(&heard("coupon.refused").await), "REQUEST_MISMATCH");
    say(&hand, &sale, &[use_it(OTHER)]).await;
    assert_eq!(refusal(&heard("coupon.refused").await), "COUPON_NOT_USABLE");
    let coupon = sale.coupon(USER).await;
    assert_eq!(
        (&coupon["status"], &coupon["orderId"]),
        (&json!("USED"), &json!(ORDER))
    );

    // It is restored once, also after a restart; then another order may have it.
    say(&hand, &sale, &[restore(ORDER)]).await;
    assert_eq!(heard("coupon.restored").await["body"], json!({}));
    system.stop().await;
    system.start_again().await;
    say(&hand, &sale, &[restore(ORDER)]).await;
    heard("coupon.restored").await;
    say(&hand, &sale, &[use_it(ORDER)]).await;
    let again = heard("coupon.used").await;
    assert_eq!(again["body"], used["body"], "the first answer");
    assert_eq!(sale.coupon(USER).await["status"], "ISSUED");
    say(&hand, &sale, &[use_it(OTHER)]).await;
    heard("coupon.used").await;
    // Once more, now that another order has it.
    say(&hand, &sale, &[restore(ORDER)]).await;
    heard("coupon.restored").await;
    assert_eq!(sale.coupon(USER).await["orderId"], OTHER);

    // A restore that comes first keeps the use away.
    let third = format!("{}d", &ORDER[..35]);
    sale.wish("u-002").await.expect(201);
    say(&hand, &sale, &[give_back(&sale.id, &third, "u-002")]).await;
    heard("coupon.restored").await;
    say(&hand, &sale, &[take(&sale.id, &third, "u-002")]).await;
    assert_eq!(refusal(&heard("coupon.refused").await), "ALREADY_RELEASED");
    assert_eq!(sale.coupon("u-002").await["status"], "ISSUED");

    all_of_it_is_told(&sale, &mut events).await;
}

/// What `commands` did, as events tell it.
async fn all_of_it_is_told(sale: &Sale, events: &mut Ear) {
    // One that is told again has the id that it had.
    let (mut told, mut ids) = (Vec::new(), BTreeSet::new());
    while told.len() < 5 {
        let message = events.message("an event", |_| true).await;
        let event = hand::unpack(&message.payload).expect("an event is MessagePack");
        if ids.insert(event["id"].to_string()) {
            told.push((message.subject.to_string(), event["body"].clone()));
        }
    }
    let issued = |user: &str, number: u32| {
        let body = json!({
            "couponId": sale.id, "name": "spring sale", "userId": user, "number": number,
            "remaining": 3 - number,
        });
        ("event.coupon.issued".to_owned(), body)
    };
    let moved = |what: &str, prefix: &str, order: &str| {
        let body = json!({
            "couponId": sale.id, "name": "spring sale", "userId": USER, "number": 1,
            "orderId": order, "requestId": format!("{prefix}-{order}"),
            "subtotal": 39_000, "discount": 3_900,
        });
        (format!("event.coupon.{what}"), body)
    };
    let expected = [
        issued(USER, 1),
        moved("used", "DEC", ORDER),
        moved("restored", "INC", ORDER),
        moved("used", "DEC", OTHER),
        issued("u-002", 2),
    ];
    assert_eq!(told, expected);
}

/// A coupon-node, and who hears what it answers to orders.
async fn coupons_alone(database: Database) -> (System, Client, Hand, Ear) {
    let mut system = System::ground(database).await;
    system.add(Node::coupon(&system.world)).await;
    let hand = Hand::new(system.nats().connect().await);
    let replies = hand.listen("reply.order.*").await;
    let client = system.client();
    (system, client, hand, replies)
}

async fn say(hand: &Hand, sale: &Sale, commands: &[Value]) {
    hand.say(&hand::subject("cmd.coupon", &sale.id), commands)
        .await;
}

fn take(campaign: &str, order: &str, user: &str) -> Value {
    let body = json!({"userId": user, "subtotal": 39_000});
    command("coupon.use", "DEC", campaign, order, &body)
}

fn give_back(campaign: &str, order: &str, user: &str) -> Value {
    command(
        "coupon.restore",
        "INC",
        campaign,
        order,
        &json!({"userId": user}),
    )
}

fn command(kind: &str, prefix: &str, campaign: &str, order: &str, body: &Value) -> Value {
    let mut command = hand::command(kind, campaign, &format!("{prefix}-{order}"), order, 0);
    command["body"] = json!({"orderId": order, "userId": USER});
    for (name, value) in body.as_object().expect("a body is an object") {
        command["body"][name] = value.clone();
    }
    command
}

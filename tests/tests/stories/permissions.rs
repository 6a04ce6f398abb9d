//! The configuration that is shipped for the broker is one that everything works with.

use std::time::Duration;

use async_nats::{ConnectOptions, Event};
use onhand_tests::client::order_of;
use onhand_tests::hand::Hand;
use onhand_tests::ranking::Ranking;
use onhand_tests::{Nats, Node, System, World, check, eventually, place, shop};
use tokio::sync::mpsc;

use crate::first_order;

const USERS: [&str; 8] = [
    "product-node",
    "point-node",
    "coupon-node",
    "payment-node",
    "order-node",
    "ranking-node",
    "onhand",
    "operator",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_node_does_its_part_as_its_own_user() {
    let mut system = secured().await;
    let product = Node::product(&system.world);
    system.add(as_user(product, "product-node")).await;
    let order = Node::order(&system.world);
    system.add(as_user(order, "order-node")).await;
    let ranking = Node::ranking(&system.world);
    system.add(as_user(ranking, "ranking-node")).await;

    first_order::story(&mut system).await;

    let ranking = Ranking::in_system(&system);
    ranking.says(&[("mug", 5)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_in_one_works_as_a_user_too() {
    let mut system = secured().await;
    let onhand = Node::onhand(&system.world);
    system.add(as_user(onhand, "onhand")).await;

    first_order::story(&mut system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_node_orders_nothing() {
    let mut system = secured().await;
    let url = system.nats().url();
    let (operator, _) = connected(&url, "operator").await;
    let mut ear = Hand::new(operator).listen("cmd.product.*").await;
    let (thief, mut refusals) = connected(&url, "product-node").await;
    let (order_node, _) = connected(&url, "order-node").await;

    thief
        .publish("cmd.product.1", "stolen".into())
        .await
        .unwrap();
    let refusal = refusals.recv().await.expect("the client lives");
    order_node
        .publish("cmd.product.1", "allowed".into())
        .await
        .unwrap();

    assert!(refusal.contains("permissions violation"), "{refusal}");
    assert!(refusal.contains("cmd.product.1"), "{refusal}");
    let first = ear.message("a command", |_| true).await;
    assert_eq!(first.payload, "allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_from_the_shipped_files_take_an_order() {
    let mut system = System::bare();
    let servers = cluster(&system.world).await;
    system.tell("ONHAND_NATS_URL", &servers[0].url());
    let onhand = Node::onhand(&system.world);
    system.add(as_user(onhand, "onhand")).await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;

    shop.confirmed("mug", 3).await;
    let body = order_of(&[(shop.id("mug"), 3)]);
    let refused = client.post("/orders", &body).await;

    refused.expect_error(400, "INSUFFICIENT_STOCK");
    let (operator, _) = connected(&servers[2].url(), "operator").await;
    let jetstream = async_nats::jetstream::new(operator);
    let mut stream = jetstream.get_stream("CMD_PRODUCT").await.unwrap();
    assert!(stream.info().await.unwrap().state.messages >= 2);
    check::audit_is_clean(&system).await;
}

/// The one-server configuration, and nothing on it yet.
async fn secured() -> System {
    let mut system = System::bare();
    let file = place::project().join("nats/onhand.conf");
    let server = Nats::configured(&system.world, "nats-server", &file);
    let (port, watched) = (server.port().to_string(), place::free_port().to_string());
    let mut server = with_passwords(server)
        .arg("-p")
        .arg(port)
        .arg("-m")
        .arg(watched);
    server.start_again().await;
    system.tell("ONHAND_NATS_URL", &server.url());
    system.nats = Some(server);
    system
}

async fn cluster(world: &World) -> Vec<Nats> {
    let file = place::project().join("nats/cluster.conf");
    let loopback = |port: u16| format!("127.0.0.1:{port}");
    let between: Vec<String> = (0..3).map(|_| loopback(place::free_port())).collect();
    let routes: Vec<String> = between
        .iter()
        .map(|address| format!("nats://route:secret@{address}"))
        .collect();
    let routes = format!("[{}]", routes.join(", "));
    let mut servers: Vec<Nats> = between
        .iter()
        .enumerate()
        .map(|(number, address)| {
            let name = format!("nats-{number}");
            let server = Nats::configured(world, &name, &file);
            let listen = loopback(server.port());
            let store = server.store().to_string_lossy().into_owned();
            with_passwords(server)
                .env("NATS_SERVER_NAME", &name)
                .env("NATS_LISTEN", &listen)
                .env("NATS_HTTP", &loopback(place::free_port()))
                .env("NATS_CLUSTER", address)
                .env("NATS_CLUSTER_PASSWORD", "secret")
                .env("NATS_ROUTES", &routes)
                .env("NATS_STORE", &store)
        })
        .collect();
    for server in &mut servers {
        server.start_again().await;
    }
    let (client, _) = connected(&servers[0].url(), "operator").await;
    let mut jetstream = async_nats::jetstream::new(client);
    // What is asked while there is no leader yet is never answered.
    jetstream.set_timeout(Duration::from_secs(1));
    eventually("the three to agree on a leader", async || {
        jetstream.query_account().await
    })
    .await;
    servers
}

fn with_passwords(server: Nats) -> Nats {
    USERS.iter().fold(server, |server, user| {
        let name = format!("NATS_PASSWORD_{}", user.replace('-', "_").to_uppercase());
        server.env(&name, &password(user))
    })
}

fn as_user(node: Node, user: &str) -> Node {
    node.env("ONHAND_NATS_USER", user)
        .env("ONHAND_NATS_PASSWORD", &password(user))
}

fn password(user: &str) -> String {
    format!("password-of-{user}")
}

/// A client as a user, and what the server holds against him.
async fn connected(url: &str, user: &str) -> (async_nats::Client, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let client = ConnectOptions::with_user_and_password(user.to_owned(), password(user))
        .custom_inbox_prefix(format!("_INBOX_{user}"))
        .event_callback(move |event| {
            let tell = tell.clone();
            async move {
                if let Event::ServerError(error) = event {
                    // Nobody may be listening any more.
                    let _ = tell.send(error.to_string().to_lowercase());
                }
            }
        })
        .connect(url)
        .await
        .expect("a user of the shipped configuration may connect");
    (client, told)
}

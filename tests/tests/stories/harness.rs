//! The harness itself: what hurts a server must hurt it, and leave it able to come back.

use std::net::TcpStream;

use messages::{Body, envelope, product, wire};
use onhand_tests::hand::{self, Hand};
use onhand_tests::{Nats, Postgres, World, eventually, place};
use serde_json::{Value, json};

#[tokio::test]
async fn a_killed_broker_comes_back_where_it_was() {
    let world = World::new();
    let mut nats = Nats::start(&world).await;
    let url = nats.url();
    let jetstream = async_nats::jetstream::new(nats.connect().await);
    jetstream.create_stream(stream()).await.unwrap();
    let hand = Hand::new(nats.connect().await);
    hand.say("cmd.test.1", &[json!({"a": 1})]).await;

    nats.kill9();
    nats.start_again().await;

    assert_eq!(nats.url(), url);
    let jetstream = async_nats::jetstream::new(nats.connect().await);
    let mut stream = jetstream.get_stream("TEST").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);

    nats.kill9();
    nats.delete_store();
    nats.start_again().await;

    let jetstream = async_nats::jetstream::new(nats.connect().await);
    assert!(jetstream.get_stream("TEST").await.is_err());
}

#[tokio::test]
async fn a_killed_postgres_comes_back_with_what_was_committed() {
    let world = World::new();
    let mut postgres = Postgres::start(&world).await;
    postgres.run("create table kept(n int)").await;
    assert_eq!(postgres.run("insert into kept values (1), (2)").await, 2);

    postgres.kill9();
    postgres.start_again().await;

    assert_eq!(postgres.run("delete from kept").await, 2);
}

#[tokio::test]
async fn nothing_of_a_test_is_left_when_it_is_over() {
    let world = World::new();
    let folder = world.path().to_owned();
    let port = place::free_port();
    // As a node that was killed leaves its nats-server: nobody has a handle to it.
    let mut left = std::process::Command::new(place::nats_server())
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-l"])
        .arg(folder.join("log"))
        .spawn()
        .unwrap();
    let talks = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    eventually("a server", async || talks().then_some(()).ok_or("silence")).await;

    drop(world);

    assert!(!folder.exists());
    assert!(!left.wait().unwrap().success());
    assert!(!talks());
}

#[tokio::test]
async fn what_is_said_by_hand_is_heard() {
    let world = World::new();
    let nats = Nats::start(&world).await;
    let jetstream = async_nats::jetstream::new(nats.connect().await);
    jetstream.create_stream(stream()).await.unwrap();
    let hand = Hand::new(nats.connect().await);
    let mut ear = hand.listen("cmd.test.*").await;

    let said = hand::command("product.reserve", "p-1", "DEC-o-1", "o-1", 3);
    hand.say("cmd.test.1", &[json!({"kind": "other"}), said.clone()])
        .await;

    let heard = ear.envelope(&json!({"kind": "product.reserve"})).await;
    assert_eq!(heard, said);
}

#[test]
fn partitions_are_those_of_the_published_hash() {
    assert_eq!(hand::partition(""), 5);
    assert_eq!(hand::partition("a"), 4);
}

/// The hand spells the contract out by itself; here the two spellings meet.
#[test]
fn what_is_written_by_hand_is_what_the_services_read() {
    let order = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let request = format!("DEC-{order}");
    let reserve = hand::command("product.reserve", "p-1", &request, order, 3);
    let release = hand::command("product.release", "p-1", &request, order, 3);
    let yes = json!({"name": "mug", "unitPrice": 10, "quantity": 3, "remaining": 7});
    let back = json!({"quantity": 0, "remaining": 10});
    let no = json!({"refusal": "INSUFFICIENT_STOCK", "available": 0, "requested": 3});

    for command in [&reserve, &release] {
        let read = envelope::decode::<product::Command>(&hand::pack(command)).unwrap();
        assert_eq!(read.body.kind(), command["kind"]);
        assert_eq!(read.source.unwrap().as_str(), order);
        assert_eq!(
            read.reply_to.unwrap().to_string(),
            hand::subject("reply.order", order)
        );
    }
    for (kind, body) in [
        ("product.reserved", yes),
        ("product.released", back),
        ("product.refused", no),
    ] {
        let reply = hand::reply(kind, &reserve, &body);
        let read = envelope::decode::<product::Answer>(&hand::pack(&reply)).unwrap();
        assert_eq!(read.body.kind(), kind);
        assert_eq!(read.entity.as_str(), order);
        let written: Value = hand::unpack(&wire::encode(&read)).unwrap();
        assert_eq!(written, reply);
    }
}

fn stream() -> async_nats::jetstream::stream::Config {
    async_nats::jetstream::stream::Config {
        name: "TEST".to_owned(),
        subjects: vec!["cmd.test.>".to_owned()],
        ..Default::default()
    }
}

//! A follower of the stream of events: what it gives at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use messages::subject;
use node::{
    bus::{Bus, Delivery, Outbound, publish},
    events::{Follower, Place},
};
use sim::{Broker, VirtualClock};
use tokio::time::Instant;

const KIND: &str = "order.confirmed";
const SHORT: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn what_comes_up_to_a_time_is_given_together() {
    let (_, bus, mut follower) = scene().await;
    let later = Arc::clone(&bus);
    let telling = tokio::spawn(async move {
        for number in 1..=9 {
            tell(&*later, number).await;
            tokio::time::sleep(SHORT).await;
        }
    });
    let until = Instant::now() + 4 * SHORT + SHORT / 2;
    let first = follower.gather(until).await;
    assert!(Instant::now() >= until);
    telling.await.unwrap();
    // A time that is over is not waited for, nor what did not come yet.
    let rest = follower.gather(until).await;
    assert_eq!([sequences(&first), sequences(&rest)].concat(), numbers(9));
    assert!(first.len() > 3 && !rest.is_empty(), "{}", first.len());
}

#[tokio::test(start_paused = true)]
async fn messages_of_two_streams_are_never_given_together() {
    let (broker, bus, mut follower) = scene().await;
    for number in 1..=2 {
        tell(&*bus, number).await;
    }
    let hurt = broker.clone();
    let later = Arc::clone(&bus);
    let telling = tokio::spawn(async move {
        tokio::time::sleep(SHORT).await;
        hurt.disconnect();
        hurt.lose_everything();
        hurt.reconnect();
        tokio::time::sleep(SHORT).await;
        later.ensure_streams().await.unwrap();
        tell(&*later, 3).await;
    });
    let long = Instant::now() + 1000 * SHORT;
    let before = follower.gather(long).await;
    let stream = follower.stream().to_owned();
    assert_eq!(sequences(&before), numbers(2));
    telling.await.unwrap();
    let after = follower.gather(long).await;
    assert_eq!(sequences(&after), numbers(1));
    assert_ne!(follower.stream(), stream);
}

/// A broker in memory, and a follower of its events.
async fn scene() -> (Broker, Arc<dyn Bus>, Follower) {
    let broker = Broker::new(Arc::new(VirtualClock::default()));
    let bus: Arc<dyn Bus> = broker.client(&Arc::default());
    bus.ensure_streams().await.unwrap();
    let subjects = vec![subject::event(KIND)];
    let follower = Follower::new(Arc::clone(&bus), subjects, Place::First, 1000);
    (broker, bus, follower)
}

async fn tell(bus: &dyn Bus, number: u32) {
    let message = Outbound {
        subject: subject::event(KIND),
        id: format!("order-0-{number}"),
        headers: Vec::new(),
        payload: Bytes::new(),
    };
    publish(bus, message).await.unwrap();
}

fn sequences(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|message| message.sequence).collect()
}

fn numbers(up_to: u64) -> Vec<u64> {
    (1..=up_to).collect()
}

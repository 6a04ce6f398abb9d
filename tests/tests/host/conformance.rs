//! The broker in memory is the broker: one script, played on it and on a real nats-server, and the
//! same is seen on both. So what the simulations rest on cannot drift from the truth.

mod stage;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use messages::{Partition, Service, Subject, Timestamp};
use node::bus::{Acknowledgement, Bus, Delivery, Outbound, Start, publish};
use onhand_tests::{World, eventually};

use self::stage::{Real, Simulated, Stage};

const STREAM: &str = "CMD_PRODUCT";
/// For how long ids are remembered here.
const WINDOW: Duration = Duration::from_secs(1);
/// How long a message may take to come.
const ARRIVAL: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_same_script_shows_the_same_on_the_broker_in_memory_and_on_a_real_one() {
    let world = World::new();
    let real = play(Real::start(&world).await).await;
    let simulated = play(Simulated::start().await).await;
    assert!(real.len() > 25);
    let both = real.iter().zip(&simulated);
    let differ: Vec<_> = both.filter(|(real, simulated)| real != simulated).collect();
    assert_eq!(differ, [], "real and simulated");
    assert_eq!(real.len(), simulated.len());
}

/// What is seen, step by step.
struct Seen {
    bus: Arc<dyn Bus>,
    lines: Vec<String>,
}

impl Seen {
    fn note(&mut self, what: &str, seen: impl std::fmt::Debug) {
        self.lines.push(format!("{what}: {seen:?}"));
    }

    async fn publish(&mut self, id: &str, partition: u16) {
        let sequence = publish(&*self.bus, message(id, partition)).await;
        self.note(&format!("publish {id}"), sequence.ok());
    }

    async fn publish_in_a_row(&mut self, ids: &[&str]) {
        let messages = ids.iter().map(|id| message(id, 0)).collect();
        let last = match self.bus.send_in_a_row(messages).await {
            Ok(acknowledgement) => acknowledgement.await.ok(),
            Err(_) => None,
        };
        self.note(&format!("in a row {ids:?}"), last);
    }

    async fn hand_over(&self, id: &str) -> Acknowledgement {
        self.bus.send(message(id, 0)).await.unwrap()
    }

    async fn state(&mut self, when: &str) {
        let state = self.bus.stream(STREAM).await.unwrap();
        // A stream that never had a message says 0 or 1, as it likes.
        self.note(when, (state.first.max(1), state.last));
    }

    async fn read(&mut self, what: &str, start: Start, count: usize) {
        let subjects = vec![subject(0), subject(1)];
        let mut reader = self.bus.read(STREAM, subjects, start).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < count {
            let chunk = tokio::time::timeout(ARRIVAL, reader.next()).await.unwrap();
            seen.extend(chunk.unwrap());
        }
        assert_eq!(seen.last().map(|message| message.pending), Some(0));
        let shown: Vec<String> = seen.iter().map(shown).collect();
        self.note(what, shown);
    }

    async fn look(&mut self, sequence: u64) {
        let message = self.bus.message(STREAM, sequence).await.unwrap();
        self.note(&format!("message {sequence}"), message.as_ref().map(shown));
    }

    async fn time_of(&self, sequence: u64) -> Timestamp {
        let message = self.bus.message(STREAM, sequence).await.unwrap();
        message.unwrap().at
    }

    /// Goes on when it is known that the broker is away.
    async fn disconnected(&mut self) {
        let mut link = self.bus.link();
        let away = link.wait_for(|link| !link.connected);
        drop(tokio::time::timeout(ARRIVAL, away).await.unwrap().unwrap());
    }

    /// Goes on when the broker is there again.
    async fn connected(&mut self) {
        let bus = Arc::clone(&self.bus);
        eventually("the broker is there", async || {
            match bus.ensure_streams().await {
                Ok(()) => bus.stream(STREAM).await.map(drop),
                Err(fault) => Err(fault),
            }
        })
        .await;
    }
}

async fn play(mut stage: impl Stage) -> Vec<String> {
    let mut seen = Seen {
        bus: stage.bus(),
        lines: Vec::new(),
    };
    seen.connected().await;
    seen.state("at first").await;

    // Acknowledged with their sequences; a repeat within the window gets the first one's.
    seen.publish("a", 0).await;
    seen.publish("b", 1).await;
    seen.publish("a", 0).await;
    seen.publish("c", 2).await;
    seen.publish("d", 0).await;
    seen.state("four messages").await;

    // In order, from a position, by subject.
    seen.read("from the first", Start::Sequence(1), 3).await;
    seen.read("from the second", Start::Sequence(2), 2).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    seen.publish("e", 1).await;
    let time = seen.time_of(5).await;
    seen.read("from the last one's time", Start::Time(time), 1)
        .await;
    seen.look(1).await;
    seen.look(99).await;

    // Beyond the window the same id is another message.
    let before = seen.bus.stream(STREAM).await.unwrap().last;
    eventually("its id is forgotten", async || {
        let sequence = publish(&*seen.bus, message("a", 0)).await.unwrap();
        if sequence > before {
            Ok(())
        } else {
            Err("it is remembered")
        }
    })
    .await;
    seen.state("the id was forgotten").await;

    // What is deleted or too old is gone; its sequence stays used.
    seen.bus.delete(STREAM, 3).await.unwrap();
    seen.look(3).await;
    seen.state("one deleted").await;
    stage.expire(2).await;
    seen.state("the oldest are gone").await;
    seen.look(1).await;
    seen.read("from before the first", Start::Sequence(1), 3)
        .await;

    // A restart forgets nothing that is stored, ids included.
    let connections = seen.bus.link().borrow().connections;
    seen.publish("f", 0).await;
    stage.end().await;
    stage.start_again().await;
    seen.connected().await;
    seen.publish("f", 0).await;
    seen.state("after a restart").await;
    let again = seen.bus.link().borrow().connections > connections;
    seen.note("a restart is a new connection", again);

    // A lost tail: sequences are given out again, and the ids of what was lost are unknown.
    let identity = seen.bus.stream(STREAM).await.unwrap().identity;
    stage.mark().await;
    seen.connected().await;
    seen.publish("g", 0).await;
    seen.publish("h", 0).await;
    stage.fall_back().await;
    seen.connected().await;
    let same = seen.bus.stream(STREAM).await.unwrap().identity == identity;
    seen.note("a stream that lost its tail is the same", same);
    seen.state("the tail is lost").await;
    seen.publish("h", 1).await;
    seen.publish("g", 0).await;
    seen.publish("i", 0).await;
    seen.read("from behind the lost tail", Start::Sequence(9), 2)
        .await;

    // All is lost: the stream is another, and begins at 1.
    stage.lose_everything().await;
    seen.connected().await;
    let same = seen.bus.stream(STREAM).await.unwrap().identity == identity;
    seen.note("a stream made anew is the same", same);
    seen.state("all is lost").await;
    seen.publish("a", 0).await;

    // In a row: the last one's sequence speaks for all, and one that was there before breaks it
    // where it is not the newest.
    seen.publish_in_a_row(&["p", "q", "r"]).await;
    seen.state("three in a row").await;
    seen.publish_in_a_row(&["s", "q", "t"]).await;
    seen.state("the row broke behind its first").await;
    seen.publish_in_a_row(&["s", "t"]).await;
    seen.publish_in_a_row(&["t"]).await;
    seen.publish_in_a_row(&["u", "t"]).await;
    seen.read("what the rows left", Start::Sequence(2), 6).await;

    // What is handed over while the broker is away is sent when it is back, before anything else.
    stage.end().await;
    seen.disconnected().await;
    let waiting = [seen.hand_over("v").await, seen.hand_over("w").await];
    stage.start_again().await;
    seen.connected().await;
    drop(waiting);
    seen.publish("x", 0).await;
    seen.read("what was sent while it was away", Start::Sequence(8), 3)
        .await;

    requests(&mut seen).await;
    seen.lines
}

/// Requests are answered by who serves their subject, and by nobody else.
async fn requests(seen: &mut Seen) {
    let ask = Subject::Ask(Service::Product, Partition(0)).to_string();
    let question = || Bytes::from_static(b"well?");
    let wait = Duration::from_secs(5);
    let nobody = seen.bus.request(ask.clone(), question(), wait).await;
    seen.note("nobody serves", nobody.is_err());
    let mut served = seen.bus.serve(vec![ask.clone()]).await.unwrap();
    let answering = tokio::spawn(async move {
        let request = served.recv().await.unwrap();
        assert_eq!(&request.payload[..], b"well?");
        request.answer.send(Bytes::from_static(b"yes")).unwrap();
        served
    });
    let bus = Arc::clone(&seen.bus);
    let answer = eventually("it is served", async || {
        bus.request(ask.clone(), question(), wait).await
    });
    let answer = answer.await;
    seen.note("somebody serves", answer);
    drop(answering.await.unwrap());
}

fn subject(partition: u16) -> String {
    Subject::Command(Service::Product, Partition(partition)).to_string()
}

fn message(id: &str, partition: u16) -> Outbound {
    Outbound {
        subject: subject(partition),
        id: id.to_owned(),
        headers: Vec::new(),
        payload: Bytes::from(format!("payload of {id}")),
    }
}

fn shown(message: &Delivery) -> String {
    let ids = message
        .headers
        .iter()
        .filter(|(name, _)| name == "Nats-Msg-Id");
    let ids: Vec<&str> = ids.map(|(_, id)| id.as_str()).collect();
    let payload = String::from_utf8_lossy(&message.payload).into_owned();
    format!("{} {} {ids:?} {payload}", message.sequence, message.subject)
}

//! What is done with dead letters, on a stream in memory.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use clap::Parser as _;
use messages::{Timestamp, wire};
use node::bus::{
    Acknowledgement, Bus, BusFault, Delivery, Link, Outbound, Reader, Request, Start, StreamState,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::{Args, work};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    dead: Args,
}

#[test]
fn the_broker_is_named_before_the_action_or_behind_it() {
    let broker = [
        "--nats-url",
        "nats://b",
        "--nats-user",
        "u",
        "--nats-password",
        "p",
    ];
    let before = ["dead"].iter().chain(&broker).chain(&["list"]);
    let behind = ["dead", "list"].iter().chain(&broker);
    for arguments in [before.collect::<Vec<_>>(), behind.collect()] {
        let broker = Cli::try_parse_from(arguments).unwrap().dead.broker;
        assert_eq!(broker.nats_url.as_deref(), Some("nats://b"));
        assert_eq!(broker.nats_user.as_deref(), Some("u"));
        assert_eq!(broker.nats_password.as_deref(), Some("p"));
    }
}

#[tokio::test]
async fn an_empty_stream_and_none_at_all_hold_no_dead_letters() {
    let broker = Broker::with(vec![]);
    assert!(said(work::list(&broker, false, &mut vec![]).await).is_empty());
    for missing in [false, true] {
        let broker = Broker {
            missing,
            ..Broker::with(vec![])
        };
        let mut output = Vec::new();
        work::list(&broker, false, &mut output).await.unwrap();
        assert!(
            text(&output).contains("no dead letters"),
            "{}",
            text(&output)
        );
        assert!(work::numbers(&broker).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_letter_is_one_line_with_its_reason_and_what_it_asked_for() {
    let broker = Broker::with(vec![letter(3, &command()), letter(7, b"\xc1\x1b[2J")]);
    let mut output = Vec::new();
    work::list(&broker, false, &mut output).await.unwrap();
    let output = text(&output);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 3, "{output}");
    for word in [
        "3",
        "2026-01-31T12:00:00.000Z",
        "cmd.product.3",
        "product.reserve",
        "DEC-o-1",
        "no such kind",
    ] {
        assert!(lines[1].contains(word), "{word}: {}", lines[1]);
    }
    assert!(lines[2].contains(" 7 "), "{}", lines[2]);

    let mut output = Vec::new();
    work::list(&broker, true, &mut output).await.unwrap();
    let first: serde_json::Value =
        serde_json::from_str(text(&output).lines().next().unwrap()).unwrap();
    assert_eq!(first["requestId"], "DEC-o-1");
    assert_eq!(first["reason"], "no such kind");
}

#[tokio::test]
async fn a_letter_is_shown_as_json_or_as_bytes() {
    let broker = Broker::with(vec![
        letter(1, &command()),
        letter(2, b"\xc1plain"),
        letter(4, b""),
    ]);
    for (number, words) in [
        (
            1,
            &["Onhand-Reason: no such kind", "\"requestId\": \"DEC-o-1\""][..],
        ),
        (2, &["no MessagePack", "c1 70 6c", "|.plain|"]),
        (4, &["no payload"]),
    ] {
        let mut output = Vec::new();
        work::show(&broker, number, &mut output).await.unwrap();
        for word in words {
            assert!(text(&output).contains(word), "{word}: {}", text(&output));
        }
    }
    let fault = said(work::show(&broker, 3, &mut vec![]).await);
    assert!(fault.contains("no dead letter 3"), "{fault}");
}

#[tokio::test]
async fn a_replayed_letter_is_sent_where_it_came_from_and_is_gone() {
    let broker = Broker::with(vec![letter(1, &command()), letter(2, &command())]);
    let numbers = work::numbers(&broker).await.unwrap();
    assert_eq!(numbers, [1, 2]);
    work::replay(&broker, &numbers, at(), &mut vec![])
        .await
        .unwrap();
    let sent = broker.sent.lock().unwrap();
    let subjects: Vec<&str> = sent.iter().map(|m| m.subject.as_str()).collect();
    assert_eq!(subjects, ["cmd.product.3", "cmd.product.3"]);
    assert_eq!(sent[0].id, "replay/1/2026-01-31T12:00:00.000Z");
    assert_eq!(sent[0].payload, command());
    assert!(broker.letters.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_letter_that_the_broker_does_not_take_stays() {
    let broker = Broker {
        refuses: true,
        ..Broker::with(vec![letter(1, &command())])
    };
    let fault = said(work::replay(&broker, &[1], at(), &mut vec![]).await);
    assert!(fault.contains("not sent again"), "{fault}");
    assert_eq!(broker.letters.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_letter_that_names_no_stream_of_ours_is_not_sent() {
    for subject in [
        "$JS.API.STREAM.DELETE.EVENTS",
        "event.order.confirmed",
        "dead.product.3",
        "",
    ] {
        let mut forged = letter(1, &command());
        forged.headers[1].1 = subject.into();
        let broker = Broker::with(vec![forged]);
        let fault = said(work::replay(&broker, &[1], at(), &mut vec![]).await);
        assert!(fault.contains("cannot be sent again"), "{fault}");
        assert!(broker.sent.lock().unwrap().is_empty());
        assert_eq!(broker.letters.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_dropped_letter_is_gone_and_the_others_stay() {
    let broker = Broker::with(vec![letter(1, &command()), letter(2, &command())]);
    work::drop_letters(&broker, &[1], &mut vec![])
        .await
        .unwrap();
    assert_eq!(work::numbers(&broker).await.unwrap(), [2]);
    let fault = said(work::drop_letters(&broker, &[1], &mut vec![]).await);
    assert!(fault.contains("no dead letter 1"), "{fault}");
}

fn command() -> Bytes {
    wire::to_vec(
        &json!([{"v": 1, "kind": "product.reserve", "requestId": "DEC-o-1", "entity": "p-1"}]),
    )
    .into()
}

fn letter(sequence: u64, payload: &[u8]) -> Delivery {
    let headers = [
        ("Onhand-Reason", "no such kind"),
        ("Onhand-Subject", "cmd.product.3"),
    ];
    Delivery {
        subject: "dead.product.3".into(),
        sequence,
        at: at(),
        pending: 0,
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        payload: Bytes::copy_from_slice(payload),
    }
}

fn at() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

fn said(result: anyhow::Result<()>) -> String {
    result
        .err()
        .map(|fault| format!("{fault:#}"))
        .unwrap_or_default()
}

struct Broker {
    letters: Mutex<Vec<Delivery>>,
    sent: Mutex<Vec<Outbound>>,
    missing: bool,
    refuses: bool,
}

impl Broker {
    fn with(letters: Vec<Delivery>) -> Self {
        Self {
            letters: Mutex::new(letters),
            sent: Mutex::default(),
            missing: false,
            refuses: false,
        }
    }
}

#[async_trait]
impl Bus for Broker {
    async fn ensure_streams(&self) -> Result<(), BusFault> {
        Ok(())
    }

    async fn send(&self, message: Outbound) -> Result<Acknowledgement, BusFault> {
        if self.refuses {
            return Err(BusFault("no".into()));
        }
        self.sent.lock().unwrap().push(message);
        Ok(Box::pin(async { Ok(1) }))
    }

    async fn send_in_a_row(&self, _: Vec<Outbound>) -> Result<Acknowledgement, BusFault> {
        Err(BusFault("dead letters travel alone".into()))
    }

    async fn stream(&self, _: &str) -> Result<StreamState, BusFault> {
        if self.missing {
            return Err(BusFault("stream not found".into()));
        }
        let letters = self.letters.lock().unwrap();
        let last = letters.last().map_or(8, |letter| letter.sequence);
        Ok(StreamState {
            identity: "x".into(),
            first: letters.first().map_or(last + 1, |letter| letter.sequence),
            last,
        })
    }

    async fn message(&self, _: &str, sequence: u64) -> Result<Option<Delivery>, BusFault> {
        let letters = self.letters.lock().unwrap();
        Ok(letters
            .iter()
            .find(|letter| letter.sequence == sequence)
            .cloned())
    }

    async fn read(&self, _: &str, _: Vec<String>, _: Start) -> Result<Box<dyn Reader>, BusFault> {
        let mut letters = self.letters.lock().unwrap().clone();
        let count = letters.len() as u64;
        for (n, letter) in (1..).zip(&mut letters) {
            letter.pending = count - n;
        }
        Ok(Box::new(Pages(letters)))
    }

    async fn delete(&self, _: &str, sequence: u64) -> Result<(), BusFault> {
        let mut letters = self.letters.lock().unwrap();
        letters.retain(|letter| letter.sequence != sequence);
        Ok(())
    }

    async fn request(&self, _: String, _: Bytes, _: Duration) -> Result<Bytes, BusFault> {
        Err(BusFault("nobody answers".into()))
    }

    async fn serve(&self, _: Vec<String>) -> Result<mpsc::Receiver<Request>, BusFault> {
        Err(BusFault("nobody asks".into()))
    }

    fn link(&self) -> watch::Receiver<Link> {
        watch::channel(Link::default()).1
    }

    fn connection(&self) -> u64 {
        1
    }
}

/// One letter at a time, and no end: as a stream is read.
struct Pages(Vec<Delivery>);

#[async_trait]
impl Reader for Pages {
    async fn next(&mut self) -> Result<Vec<Delivery>, BusFault> {
        if self.0.is_empty() {
            std::future::pending::<()>().await;
        }
        Ok(vec![self.0.remove(0)])
    }
}

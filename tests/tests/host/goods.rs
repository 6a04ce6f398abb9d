//! Products alone: one service on a broker and a database of its own.

use std::{cell::Cell, time::Duration};

use bytes::Bytes;
use messages::{
    EntityId, Envelope, Money, Origin, Partition, Quantity, Refusal, RequestId, Service, Subject,
    envelope, product,
    product::{Adjust, AdjustReason, Command, Create, Release, Reply, Reserve, View},
    wire,
};
use node::{
    bus::{Outbound, publish},
    entity::Entity as _,
    host::{Ask, CreationKey, Limits, Target, Unavailable},
};
use product_node::product::Product;
use sim::{Disk, Process, Stage};
use tokio::task::JoinHandle;

/// What became of an ask.
pub(crate) type Outcome = Result<product::Answer, Unavailable>;

/// Who says what is said by hand.
const SOURCE: &str = "somebody";

/// A service of products.
pub(crate) struct Goods {
    pub(crate) stage: Stage,
    pub(crate) disk: Disk,
    pub(crate) process: Process<Product>,
    limits: Limits,
    said: Cell<u64>,
}

impl Goods {
    /// All products in one partition, so that everything waits for everything.
    pub(crate) fn open() -> Self {
        Self::with(1, Limits::default())
    }

    pub(crate) fn with(partitions: u16, limits: Limits) -> Self {
        let (stage, disk) = (Stage::new(7, partitions), Disk::default());
        Self {
            process: stage.start(&disk, limits.clone()),
            stage,
            disk,
            limits,
            said: Cell::new(0),
        }
    }

    /// Ends the process as by `kill -9`, and starts another on what it left.
    pub(crate) fn start_again(self) -> Self {
        self.process.kill();
        Self {
            process: self.stage.start(&self.disk, self.limits.clone()),
            ..self
        }
    }

    pub(crate) async fn product(&self, stock: i64) -> EntityId {
        let made = self
            .put(Target::New { key: None }, None, create(stock))
            .await;
        view(made.unwrap()).id.entity()
    }

    /// Asks a product, and goes on.
    pub(crate) fn ask(
        &self,
        product: &EntityId,
        id: &str,
        command: Command,
    ) -> JoinHandle<Outcome> {
        self.put(Target::Entity(product.clone()), Some(id), command)
    }

    /// Asks for a product under a caller's key, and goes on.
    pub(crate) fn make(&self, key: &str, stock: i64) -> JoinHandle<Outcome> {
        let command = create(stock);
        let key = CreationKey {
            call: "POST /products".into(),
            key: key.into(),
            digest: messages::Digest::of("product.create", &envelope::Written(&command)),
        };
        self.put(Target::New { key: Some(key) }, None, command)
    }

    fn put(&self, target: Target, id: Option<&str>, command: Command) -> JoinHandle<Outcome> {
        let service = self.process.service.clone();
        let ask = Ask {
            target,
            command,
            request_id: id.map(RequestId::from),
            origin: Origin::Client,
            settle: None,
            traceparent: None,
        };
        tokio::spawn(async move { service.ask(ask).await })
    }

    /// Puts one message with these envelopes on the stream of a partition.
    pub(crate) async fn say(&self, partition: u16, envelopes: &[Vec<u8>]) {
        let payload = wire::join(envelopes.iter().map(Vec::as_slice));
        self.publish(partition, payload.into()).await;
    }

    /// Puts a message on the stream of a partition, whatever it is.
    pub(crate) async fn publish(&self, partition: u16, payload: Bytes) {
        self.said.set(self.said.get() + 1);
        let message = Outbound {
            subject: Subject::Command(Service::Product, Partition(partition)).to_string(),
            id: format!("said/{}", self.said.get()),
            headers: Vec::new(),
            payload,
        };
        publish(&*self.process.client, message).await.unwrap();
    }

    /// What the answers to the envelopes say, in their order: request id and answer.
    pub(crate) fn replies(&self) -> Vec<(String, product::Answer)> {
        let messages = self.stage.broker.messages("REPLY_ORDER");
        messages
            .iter()
            .flat_map(|message| wire::split(&message.payload))
            .map(|piece| envelope::decode::<product::Answer>(piece.unwrap()).unwrap())
            .map(|reply| (reply.request_id.to_string(), reply.body))
            .collect()
    }

    /// The reasons of the dead letters.
    pub(crate) fn dead(&self) -> Vec<String> {
        let letters = self.stage.broker.messages("DEAD");
        let reasons = letters.into_iter().flat_map(|letter| letter.headers);
        let reasons = reasons.filter(|(name, _)| name == "Onhand-Reason");
        reasons.map(|(_, reason)| reason).collect()
    }

    /// The product as it is committed.
    pub(crate) fn committed(&self, product: &EntityId) -> View {
        let read = self.disk.tables().state(product).unwrap();
        let state = Product::from_row(product, read.row).unwrap();
        view(Ok(Ok(state.reply(None))))
    }

    /// The ids in a product's ledger, in their order.
    pub(crate) fn ledger(&self, product: &EntityId) -> Vec<String> {
        let tables = self.disk.tables();
        let rows = tables.ledger.values().filter(|row| row.entity == *product);
        let behind_its_creation = rows.filter(|row| row.kind != "created");
        behind_its_creation
            .map(|row| row.request_id.to_string())
            .collect()
    }

    /// How far a partition's stream is decided.
    pub(crate) fn position(&self, partition: u16) -> u64 {
        let standing = self.disk.tables().standing(Partition(partition));
        standing.inbox.map_or(0, |position| position.sequence)
    }
}

/// A command to a product as it travels, its answer wanted.
pub(crate) fn said(product: &EntityId, id: &str, command: Command) -> Vec<u8> {
    wire::encode(&Envelope {
        request_id: RequestId::from(id),
        entity: product.clone(),
        source: Some(EntityId::from(SOURCE)),
        origin: Origin::Saga,
        reply_to: Some(Subject::Reply(Service::Order, Partition(0))),
        causation: None,
        traceparent: None,
        at: messages::Timestamp::default(),
        body: command,
    })
}

pub(crate) fn create(stock: i64) -> Command {
    Command::Create(Create {
        name: "mug".into(),
        price: Money::new(9_000).unwrap(),
        stock,
    })
}

pub(crate) fn adjust(delta: i64) -> Command {
    Command::Adjust(Adjust {
        delta,
        reason: AdjustReason::Manual,
    })
}

pub(crate) fn reserve(quantity: u32) -> Command {
    Command::Reserve(Reserve {
        order_id: "o".into(),
        quantity: Quantity::new(quantity).unwrap(),
    })
}

pub(crate) fn release(quantity: u32) -> Command {
    Command::Release(Release {
        order_id: "o".into(),
        quantity: Quantity::new(quantity).unwrap(),
        reason: None,
    })
}

/// The product that an answer shows.
pub(crate) fn view(outcome: Outcome) -> View {
    match outcome {
        Ok(Ok(Reply::Product(view))) => view,
        other => panic!("{other:?}"),
    }
}

/// The stock that is left after an adjustment.
pub(crate) fn left(outcome: Outcome) -> i64 {
    match outcome {
        Ok(Ok(Reply::Adjusted(adjusted))) => adjusted.remaining,
        other => panic!("{other:?}"),
    }
}

/// Why an ask was refused.
pub(crate) fn refused(outcome: Outcome) -> Refusal {
    match outcome {
        Ok(Err(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Lets time pass: whatever is on its way arrives.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

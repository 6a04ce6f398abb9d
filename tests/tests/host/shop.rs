//! Orders and products, each a service with a database of its own, on one broker.

use std::time::Duration;

use messages::{
    EntityId, Origin, Quantity, RequestId, event,
    order::{Command, Item, Place, Reply, Status, View},
};
use node::{
    entity::Entity as _,
    host::{Ask, Limits, Target, Unavailable},
};
use order_node::order::Order;
use sim::{Disk, Process};
use tokio::task::JoinHandle;

use crate::goods::{Goods, until};

/// The number of partitions of both services.
pub(crate) const PARTITIONS: u16 = 4;

/// What becomes of an ask.
pub(crate) type Asked = JoinHandle<Result<Reply, Unavailable>>;

/// A shop: products, and orders of them.
pub(crate) struct Shop {
    pub(crate) goods: Goods,
    pub(crate) disk: Disk,
    pub(crate) process: Process<Order>,
}

impl Shop {
    pub(crate) fn open() -> Self {
        Self::with(&Limits::default())
    }

    /// A shop with these limits.
    pub(crate) fn with(limits: &Limits) -> Self {
        let goods = Goods::with(PARTITIONS, limits.clone());
        let disk = Disk::default();
        Self {
            process: goods.stage.start(&disk, limits.clone()),
            goods,
            disk,
        }
    }

    /// Ends the orders' process as by `kill -9`, and starts another on what it left.
    pub(crate) fn start_orders_again(self) -> Self {
        self.process.kill();
        Self {
            process: self.goods.stage.start(&self.disk, Limits::default()),
            ..self
        }
    }

    /// Orders one piece, with an hour to get it, and answers with the order as it was placed.
    pub(crate) async fn order(&self, product: &EntityId) -> EntityId {
        let placed = self.place(product, None).await.unwrap();
        placed.unwrap().order.id.entity()
    }

    /// Orders one piece, and goes on; the answer may wait until the order is at rest.
    pub(crate) fn place(&self, product: &EntityId, settle: Option<Duration>) -> Asked {
        let place = Command::Place(Place {
            buyer_id: "u-1".parse().unwrap(),
            items: vec![Item {
                product_id: product.as_str().parse().unwrap(),
                quantity: Quantity::new(1).unwrap(),
            }],
            points: None,
            coupon_id: None,
            payment: None,
            payment_deadline_ms: 0,
            deadline_ms: 3_600_000,
            short: None,
        });
        self.ask(Target::New { key: None }, place, settle)
    }

    pub(crate) fn cancel(&self, order: &EntityId) -> Asked {
        self.ask(Target::Entity(order.clone()), Command::Cancel, None)
    }

    fn ask(&self, target: Target, command: Command, settle: Option<Duration>) -> Asked {
        let service = self.process.service.clone();
        let ask = Ask {
            target,
            command,
            request_id: None::<RequestId>,
            origin: Origin::Client,
            settle,
            traceparent: None,
        };
        tokio::spawn(async move { service.ask(ask).await.map(|answer| answer.unwrap()) })
    }

    /// The order as it is committed.
    pub(crate) fn committed(&self, order: &EntityId) -> View {
        let read = self.disk.tables().state(order).unwrap();
        Order::from_row(order, read.row).unwrap().view().unwrap()
    }

    /// Whether an order still owes anything.
    pub(crate) fn owes(&self, order: &EntityId) -> bool {
        self.disk.tables().states[order].owing
    }

    /// Waits until these orders stand so, and owe nothing any more.
    pub(crate) async fn rest(&self, orders: &[EntityId], status: Status) {
        let so = |order| self.committed(order).status == status && !self.owes(order);
        until("all orders are at rest", || orders.iter().all(so)).await;
    }

    /// Drops all connections, lets the broker be hurt, and takes everybody back.
    pub(crate) async fn while_away(&self, hurt: impl FnOnce()) {
        self.goods.stage.broker.disconnect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        hurt();
        self.goods.stage.broker.reconnect();
    }
}

/// The ids of the messages of a stream, in their order.
pub(crate) fn ids(goods: &Goods, stream: &str) -> Vec<String> {
    let messages = goods.stage.broker.messages(stream).into_iter();
    let headers = messages.flat_map(|message| message.headers);
    let ids = headers.filter(|(name, _)| name == "Nats-Msg-Id");
    ids.map(|(_, id)| id).collect()
}

/// The ids of the events that the stream has, in their order.
pub(crate) fn event_ids(goods: &Goods) -> Vec<String> {
    let messages = goods.stage.broker.messages("EVENTS").into_iter();
    messages
        .flat_map(|message| event::ids(&message.payload))
        .collect()
}

//! The two brokers that the script is played on, and how each is hurt.

use std::{path::Path, sync::Arc};

use async_nats::jetstream::{self, stream};
use async_trait::async_trait;
use messages::Service;
use node::bus::{
    Bus,
    nats::{Nats as Client, Settings},
};
use onhand_tests::{Nats, World};
use sim::{Broker, VirtualClock};

use super::{STREAM, WINDOW};

/// A broker that can be hurt.
#[async_trait(?Send)]
pub(super) trait Stage {
    fn bus(&self) -> Arc<dyn Bus>;
    /// Removes the oldest messages.
    async fn expire(&mut self, messages: u64);
    /// Ends.
    async fn end(&mut self);
    /// Starts again, with all that it had.
    async fn start_again(&mut self);
    /// Ends, and starts again as it was when this was last called.
    async fn fall_back(&mut self);
    /// Remembers how it is.
    async fn mark(&mut self);
    /// Ends, and starts again without anything.
    async fn lose_everything(&mut self);
}

/// The broker in memory.
pub(super) struct Simulated {
    broker: Broker,
    bus: Arc<dyn Bus>,
    marked: u64,
}

impl Simulated {
    pub(super) async fn start() -> Self {
        let broker = Broker::new(Arc::new(VirtualClock::default()));
        broker.remember_ids(i64::try_from(WINDOW.as_millis()).unwrap());
        let bus = broker.client(&Arc::default());
        bus.ensure_streams().await.unwrap();
        Self {
            broker,
            bus,
            marked: 0,
        }
    }
}

#[async_trait(?Send)]
impl Stage for Simulated {
    fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus)
    }

    async fn expire(&mut self, messages: u64) {
        self.broker
            .expire(STREAM, usize::try_from(messages).unwrap());
    }

    async fn end(&mut self) {
        self.broker.disconnect();
    }

    async fn start_again(&mut self) {
        self.broker.reconnect();
    }

    async fn mark(&mut self) {
        self.marked = self.bus.stream(STREAM).await.unwrap().last;
    }

    async fn fall_back(&mut self) {
        self.broker.disconnect();
        let newest = self.broker.messages(STREAM).last().map(|m| m.sequence);
        let lost = newest.unwrap_or(0) - self.marked;
        self.broker
            .lose_tail(STREAM, usize::try_from(lost).unwrap());
        self.broker.reconnect();
    }

    async fn lose_everything(&mut self) {
        self.broker.disconnect();
        self.broker.lose_everything();
        self.broker.reconnect();
    }
}

/// A real nats-server, whose tail is lost by putting its folder back as it was.
pub(super) struct Real {
    world: World,
    server: Nats,
    bus: Arc<dyn Bus>,
}

impl Real {
    pub(super) async fn start(world: &World) -> Self {
        let server = Nats::start(world).await;
        make_stream(&server).await;
        let settings = Settings {
            url: server.url(),
            name: "conformance".into(),
            replicas: 1,
            partitions: 4,
            services: vec![Service::Product],
            ..Settings::default()
        };
        Self {
            world: world.clone(),
            bus: Client::connect(settings).await.unwrap(),
            server,
        }
    }

    fn copied(&self) -> std::path::PathBuf {
        self.world.folder("marked")
    }
}

/// As the nodes make it, but with a window that a test can wait for.
async fn make_stream(server: &Nats) {
    let context = jetstream::new(server.connect().await);
    let config = stream::Config {
        name: STREAM.into(),
        subjects: vec!["cmd.product.*".into()],
        duplicate_window: WINDOW,
        allow_direct: true,
        ..stream::Config::default()
    };
    context.create_stream(config).await.unwrap();
}

#[async_trait(?Send)]
impl Stage for Real {
    fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus)
    }

    async fn expire(&mut self, messages: u64) {
        let context = jetstream::new(self.server.connect().await);
        let stream = context.get_stream(STREAM).await.unwrap();
        let first = stream.cached_info().state.first_sequence;
        stream.purge().sequence(first + messages).await.unwrap();
    }

    async fn end(&mut self) {
        self.server.stop().await;
    }

    async fn start_again(&mut self) {
        self.server.start_again().await;
    }

    async fn mark(&mut self) {
        self.server.stop().await;
        let copied = self.copied();
        std::fs::remove_dir_all(&copied).unwrap();
        copy(self.server.store(), &copied);
        self.server.start_again().await;
    }

    async fn fall_back(&mut self) {
        self.server.stop().await;
        self.server.delete_store();
        copy(&self.copied(), self.server.store());
        self.server.start_again().await;
    }

    async fn lose_everything(&mut self) {
        self.server.stop().await;
        self.server.delete_store();
        self.server.start_again().await;
        make_stream(&self.server).await;
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap(), to);
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

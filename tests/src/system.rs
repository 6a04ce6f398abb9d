//! A whole Onhand on this machine: broker, databases, nodes, in the shapes that people run it in.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use crate::{Client, Nats, Node, Postgres, World, place};

/// The services with a database of their own.
const SERVICES: [&str; 6] = ["order", "product", "point", "coupon", "payment", "ranking"];

/// Where the services keep what they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Files in the data folder.
    Sqlite,
    /// A database a service in one cluster.
    Postgres,
}

/// The nodes end before what they stand on does.
pub struct System {
    /// `onhand` alone, or a node a service, and what a test added.
    pub nodes: Vec<Node>,
    /// The broker, unless `onhand up` brought its own.
    pub nats: Option<Nats>,
    /// The databases, where they are not files.
    pub postgres: Option<Postgres>,
    /// What every node and tool is told.
    pub environment: BTreeMap<String, String>,
    /// The folder of it all.
    pub world: World,
}

impl System {
    /// `onhand up` as a person starts it: everything in one process, with a nats-server of its own.
    pub async fn embedded() -> Self {
        let mut system = Self::bare();
        let listen = format!("127.0.0.1:{}", place::free_port());
        let server = place::nats_server();
        system.tell("ONHAND_NATS_LISTEN", &listen);
        system.tell("ONHAND_NATS_SERVER", &server.to_string_lossy());
        system.add(Node::onhand(&system.world)).await;
        system
    }

    /// `onhand up` on a broker of the test's.
    pub async fn all_in_one(database: Database) -> Self {
        let mut system = Self::ground(database).await;
        system.add(Node::onhand(&system.world)).await;
        system
    }

    /// Each service as a process of its own.
    pub async fn separate(database: Database) -> Self {
        let mut system = Self::ground(database).await;
        system.start_separate().await;
        system
    }

    /// Starts each service as a process of its own.
    pub async fn start_separate(&mut self) {
        for node in [
            Node::product(&self.world),
            Node::point(&self.world),
            Node::coupon(&self.world),
            Node::payment(&self.world),
            Node::order(&self.world),
        ] {
            self.add(node).await;
        }
    }

    /// Broker and databases without any node.
    pub async fn ground(database: Database) -> Self {
        let mut system = Self::bare();
        let nats = Nats::start(&system.world).await;
        system.tell("ONHAND_NATS_URL", &nats.url());
        system.nats = Some(nats);
        if database == Database::Postgres {
            let postgres = Postgres::start(&system.world).await;
            for service in SERVICES {
                let name = format!("ONHAND_{}_DATABASE_URL", service.to_uppercase());
                system.tell(&name, &postgres.database(service).await);
            }
            system.postgres = Some(postgres);
        }
        system
    }

    /// A folder and nothing else.
    pub fn bare() -> Self {
        Self {
            nodes: Vec::new(),
            nats: None,
            postgres: None,
            environment: BTreeMap::new(),
            world: World::new(),
        }
    }

    /// Sets a variable for all nodes and tools that are started from now on.
    pub fn tell(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Starts one more node, and gives its number.
    pub async fn add(&mut self, mut node: Node) -> usize {
        for (name, value) in &self.environment {
            node.set(name, value);
        }
        self.nodes.push(node.started().await);
        self.nodes.len() - 1
    }

    /// The first node that runs this program.
    pub fn node(&mut self, program: &str) -> &mut Node {
        self.nodes
            .iter_mut()
            .find(|node| node.program() == program)
            .unwrap_or_else(|| panic!("no {program} in this system"))
    }

    /// The same, only to look at.
    pub fn peek(&self, program: &str) -> &Node {
        self.nodes
            .iter()
            .find(|node| node.program() == program)
            .unwrap_or_else(|| panic!("no {program} in this system"))
    }

    /// The broker of the test's.
    pub fn nats(&mut self) -> &mut Nats {
        self.nats.as_mut().expect("this system stands on a broker")
    }

    /// The cluster of the test's.
    pub fn postgres(&mut self) -> &mut Postgres {
        self.postgres.as_mut().expect("this system has a cluster")
    }

    /// A client of the first node of each program, which can turn to the next; the very first serves
    /// what has no other.
    pub fn client(&self) -> Client {
        let first = self.nodes.first().expect("a client needs a node").url();
        let nodes = self.nodes.iter();
        Client::new(first, nodes.map(|node| (node.program(), node.url())))
    }

    /// Stops every node, and demands that each ends well.
    pub async fn stop(&mut self) {
        for node in &mut self.nodes {
            node.stop().await;
        }
    }

    /// Starts every node again.
    pub async fn start_again(&mut self) {
        for node in &mut self.nodes {
            node.start_again().await;
        }
    }

    /// Runs a tool of `onhand` on this system and gives what came of it.
    pub async fn tool(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(place::program("onhand"));
        command
            .args(arguments)
            .env_clear()
            .env("ONHAND_DATA", self.world.folder("data"))
            .envs(&self.environment)
            .current_dir(self.world.path());
        tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("running a command does not panic")
            .expect("the tools can be run")
    }
}

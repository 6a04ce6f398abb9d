//! A nats-server of the test's own, to be hurt.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::process::Process;
use crate::{World, eventually, place};

/// A server with JetStream on a port and a store that stay the same over restarts.
pub struct Nats {
    world: World,
    name: String,
    port: u16,
    store: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    process: Option<Process>,
}

impl Nats {
    /// Starts a server with the defaults, those for syncing to disk included.
    pub async fn start(world: &World) -> Self {
        let mut server = Self::new(world, "nats-server");
        server.start_again().await;
        server
    }

    /// A server that is not started yet, and gets everything from its command line.
    pub fn new(world: &World, name: &str) -> Self {
        let mut server = Self::bare(world, name);
        let (port, store) = (server.port.to_string(), server.store.clone());
        for argument in ["--jetstream", "-a", "127.0.0.1", "-p", &port, "-sd"] {
            server = server.arg(argument);
        }
        server.arg(store)
    }

    /// A server that is not started yet, and gets from a file what nobody adds.
    pub fn configured(world: &World, name: &str, file: &Path) -> Self {
        Self::bare(world, name).arg("-c").arg(file)
    }

    fn bare(world: &World, name: &str) -> Self {
        Self {
            world: world.clone(),
            name: name.to_owned(),
            port: place::free_port(),
            store: world.folder(name).join("store"),
            arguments: Vec::new(),
            environment: Vec::new(),
            process: None,
        }
    }

    /// Adds an argument of the server's command line.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.arguments.push(arg.into());
        self
    }

    /// Adds a variable to its environment, which a configuration file may name.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Starts it, on the port and the store that it had before; returns when it talks.
    pub async fn start_again(&mut self) {
        self.launch();
        let (name, port) = (self.name.clone(), self.port);
        eventually(&name, async || {
            if let Some(end) = self.running().outcome() {
                panic!("{name} ended with {end}:\n{}", self.running().log_tail());
            }
            greeting(port).await
        })
        .await;
    }

    /// Starts it without waiting for it.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let mut command = Command::new(place::nats_server());
        command
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(self.world.folder(&self.name));
        self.process = Some(Process::start(&self.world, &self.name, &mut command));
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        let process = self.process.take();
        process.expect("only a running server is killed").kill9();
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(&mut self) {
        self.running().signal(Signal::TERM);
        self.running().ended().await;
        self.process = None;
    }

    /// Stops its clock.
    pub fn pause(&mut self) {
        self.running().signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn cont(&mut self) {
        self.running().signal(Signal::CONT);
    }

    /// Removes everything that it stored; only while it is down.
    pub fn delete_store(&mut self) {
        assert!(self.process.is_none(), "the store of a running server");
        std::fs::remove_dir_all(&self.store).expect("a server that ran has a store");
    }

    /// A client of it, without any rights of a user.
    pub async fn connect(&self) -> async_nats::Client {
        async_nats::connect(self.url())
            .await
            .expect("a running server takes clients")
    }

    fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server was started")
    }
}

/// A server greets each client with a line about itself, as soon as it is ready for one.
async fn greeting(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut first = [0; 5];
    stream.read_exact(&mut first).await?;
    match &first {
        b"INFO " => Ok(()),
        _ => Err(std::io::Error::other("it greets like no nats-server")),
    }
}

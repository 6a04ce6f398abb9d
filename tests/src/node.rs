//! One of the programs under test as a process: started, hurt, stopped, started again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::process::Process;
use crate::wait::{SOON, eventually_within};
use crate::{World, eventually, place};

/// What a node listens on, and where it lives, stay the same over restarts.
pub struct Node {
    world: World,
    program: &'static str,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    data: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Node {
    /// `onhand up`: every service in one process.
    pub fn onhand(world: &World) -> Self {
        let mut node = Self::new(world, "onhand");
        node.arguments.push("up".to_owned());
        node
    }

    /// The order-node alone.
    pub fn order(world: &World) -> Self {
        Self::new(world, "order-node")
    }

    /// The product-node alone.
    pub fn product(world: &World) -> Self {
        Self::new(world, "product-node")
    }

    /// The point-node alone.
    pub fn point(world: &World) -> Self {
        Self::new(world, "point-node")
    }

    /// The ranking-node alone.
    pub fn ranking(world: &World) -> Self {
        Self::new(world, "ranking-node")
    }

    /// The coupon-node alone.
    pub fn coupon(world: &World) -> Self {
        Self::new(world, "coupon-node")
    }

    /// The payment-node alone.
    pub fn payment(world: &World) -> Self {
        Self::new(world, "payment-node")
    }

    fn new(world: &World, program: &'static str) -> Self {
        Self {
            world: world.clone(),
            program,
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            data: world.folder("data"),
            port: place::free_port(),
            process: None,
        }
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Takes a variable out of its environment, which counts from its next start on.
    pub fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    /// Sets a variable of its environment, which counts from its next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Gives it a data folder of its own.
    #[must_use]
    pub fn data_in(mut self, folder: &str) -> Self {
        self.data = self.world.folder(folder);
        self
    }

    /// Starts it and waits until it can work.
    #[must_use]
    pub async fn started(mut self) -> Self {
        self.start_again().await;
        self
    }

    /// Starts it on the address and the data that it had before, and waits until it can work.
    pub async fn start_again(&mut self) {
        self.launch();
        self.ready().await;
    }

    /// Starts it without waiting for it.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.program);
        let mut command = Command::new(place::program(self.program));
        command
            .args(&self.arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("ONHAND_DATA", &self.data)
            .env("ONHAND_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("ONHAND_LOG_FORMAT", "json")
            .envs(&self.environment)
            .current_dir(&self.data);
        self.process = Some(Process::start(&self.world, self.program, &mut command));
    }

    /// Waits until it says that it can work.
    pub async fn ready(&mut self) {
        let what = format!("{} to be ready", self.program);
        let address = format!("{}/readyz", self.url());
        eventually(&what, async || {
            if let Some(end) = self.running().outcome() {
                panic!(
                    "{what}: it ended with {end}:\n{}",
                    self.running().log_tail()
                );
            }
            let answer = reqwest::get(&address).await.map_err(|e| e.to_string())?;
            if answer.status().is_success() {
                return Ok(());
            }
            Err(answer.text().await.map_err(|e| e.to_string())?)
        })
        .await;
    }

    /// Its HTTP address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The address that it wrote into its data folder.
    pub fn written_address(&self) -> String {
        let file = self.data.join(format!("{}.addr", self.program));
        std::fs::read_to_string(&file)
            .unwrap_or_else(|why| panic!("{}: {why}", file.display()))
            .trim()
            .to_owned()
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The name of its program.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// The process id.
    pub fn pid(&mut self) -> u32 {
        self.running().pid()
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        let process = self.process.take();
        process.expect("only a running node is killed").kill9();
    }

    /// Asks it to stop, and demands that it ends well.
    pub async fn stop(&mut self) {
        self.stop_by(Signal::TERM).await;
    }

    /// Stops it as Ctrl-C does, and demands that it ends well.
    pub async fn interrupt(&mut self) {
        self.stop_by(Signal::INT).await;
    }

    async fn stop_by(&mut self, signal: Signal) {
        self.running().signal(signal);
        let end = self.running().ended().await;
        let log = self.running().log_tail();
        self.process = None;
        assert!(end.success(), "{} ended with {end}:\n{log}", self.program);
    }

    /// Stops its clock.
    pub fn pause(&mut self) {
        self.running().signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn cont(&mut self) {
        self.running().signal(Signal::CONT);
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|process| process.outcome().is_none())
    }

    /// All that it wrote since it was started.
    pub fn log(&mut self) -> String {
        self.running().log()
    }

    /// Waits until it has ended by itself, with whatever code, and says what it wrote.
    pub async fn ended(&mut self) -> (std::process::ExitStatus, String) {
        let end = self.running().ended().await;
        let log = self.running().log();
        self.process = None;
        (end, log)
    }

    /// A whole gauge or counter of its metrics, summed over its labels; nothing where it has none.
    pub async fn metric(&self, name: &str) -> Option<u64> {
        let text = reqwest::get(format!("{}/metrics", self.url()))
            .await
            .ok()?
            .text()
            .await
            .ok()?;
        text.lines()
            .filter(|line| line.starts_with(name))
            .filter(|line| line[name.len()..].starts_with(['{', ' ']))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .reduce(|sum, value| sum + value)
    }

    /// Waits until it owns as many partitions as wanted.
    pub async fn owns(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        let what = format!("the partitions of {}", self.program);
        eventually_within(SOON, &what, async || {
            let owned = self.metric("onhand_partitions_owned").await;
            match owned {
                Some(owned) if wanted(owned) => Ok(owned),
                other => Err(format!("it owns {other:?}")),
            }
        })
        .await
    }

    fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("the node was started")
    }
}

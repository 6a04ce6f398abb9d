//! The processes of one service: how they are started, found by a client, and ended.

use std::sync::{Arc, Mutex, MutexGuard};

use node::{
    entity::Entity,
    host::{Limits, Service},
};
use sim::{Chance, Disk, Life, Machine, Process, Stage};

/// What a service is given besides its host.
type Finish<E> = Box<dyn Fn(&Machine, Service<E>) -> Service<E> + Send + Sync>;

/// The processes of one service, on one database.
pub(crate) struct Nodes<E: Entity> {
    stage: Arc<Stage>,
    disk: Disk,
    limits: Limits,
    finish: Finish<E>,
    running: Mutex<Vec<Option<Process<E>>>>,
}

impl<E: Entity> Nodes<E> {
    pub(crate) fn new(
        stage: &Arc<Stage>,
        processes: usize,
        limits: &Limits,
        finish: impl Fn(&Machine, Service<E>) -> Service<E> + Send + Sync + 'static,
    ) -> Self {
        Self {
            stage: Arc::clone(stage),
            disk: Disk::without_history(),
            limits: limits.clone(),
            finish: Box::new(finish),
            running: Mutex::new((0..processes).map(|_| None).collect()),
        }
    }

    pub(crate) const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Any process that runs, as a client finds it.
    pub(crate) fn any(&self, chance: &Chance) -> Option<(Service<E>, Arc<Life>)> {
        let running = self.lock();
        let there: Vec<_> = running
            .iter()
            .flatten()
            .filter(|process| !process.machine.life.is_over())
            .collect();
        if there.is_empty() {
            return None;
        }
        let process = chance.pick(&there);
        Some((process.service.clone(), Arc::clone(&process.machine.life)))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Process<E>>>> {
        self.running.lock().expect("no panic while it is locked")
    }
}

/// What can be done to the processes of any service.
#[async_trait::async_trait]
pub(crate) trait Hurt: Send + Sync {
    /// Starts a process, where it does not run.
    fn start(&self, process: usize);
    /// Starts a process in the place of one that goes on, and that nobody finds any more.
    fn start_beside(&self, process: usize);
    /// Tells a process to end, and waits until it has.
    async fn stop(&self, process: usize);
    /// The machine that a process runs on.
    fn machine(&self, process: usize) -> Option<Machine>;
    /// How many processes there are, whether they run or not.
    fn processes(&self) -> usize;
    /// The database.
    fn database(&self) -> &Disk;
}

#[async_trait::async_trait]
impl<E: Entity> Hurt for Nodes<E> {
    fn start(&self, process: usize) {
        let dead = |process: &Process<E>| process.machine.life.is_over();
        let free = self.lock()[process].as_ref().is_none_or(dead);
        if free {
            self.start_beside(process);
        }
    }

    fn start_beside(&self, process: usize) {
        let machine = self.stage.machine(&self.disk);
        let there = machine.clone();
        let new = machine.run(self.limits.clone(), |service| {
            (self.finish)(&there, service)
        });
        self.lock()[process] = Some(new);
    }

    async fn stop(&self, process: usize) {
        let stopped = self.lock()[process].take();
        if let Some(process) = stopped {
            let life = Arc::clone(&process.machine.life);
            tokio::select! {
                biased;
                () = life.over() => {}
                _ = process.stop() => life.end(),
            }
        }
    }

    fn machine(&self, process: usize) -> Option<Machine> {
        let running = self.lock();
        running[process].as_ref().map(|p| p.machine.clone())
    }

    fn processes(&self) -> usize {
        self.lock().len()
    }

    fn database(&self) -> &Disk {
        &self.disk
    }
}

//! The load: one thread that holds every connection. One, because it shares the machine with the
//! server that it measures, and needs neither locks that are fought over nor wake-ups between cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::args::{Pace, Setting};
use super::connection::{Connection, Outcome};
use super::pacing::Pacing;
use super::schedule::{Draw, Schedule};
use super::sold::Window;
use super::stop::Stop;
use super::tally::Tally;
use super::target::Target;
use super::work::Work;

/// How long orders may stay without an answer after the end; more than a server waits by default.
const DRAIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What a client waits where the server is at a limit or the connection was lost.
const BACK_OFF: Duration = Duration::from_millis(20);

/// One run to come.
pub(super) struct Load {
    /// Every address of what is measured; connections are spread over them.
    pub(super) targets: Vec<Target>,
    pub(super) work: Arc<Work>,
    pub(super) setting: Setting,
    pub(super) stop: Stop,
    /// Counts what is done, for whoever watches.
    pub(super) done: Arc<AtomicU64>,
}

impl Load {
    /// Runs to the end, or until it is stopped. Blocks, and is meant for a thread of its own.
    pub(super) fn run(self) -> Result<Tally> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the load's thread")?;
        runtime.block_on(drive(self))
    }
}

struct Shared {
    load: Load,
    pacing: Pacing,
    window: Window,
    tally: Mutex<Tally>,
}

async fn drive(load: Load) -> Result<Tally> {
    let (setting, plan) = (load.setting, *load.work.plan());
    let mut connections = Vec::with_capacity(setting.pace.connections());
    let targets = load.targets.iter().copied().cycle();
    for target in targets.take(setting.pace.connections()) {
        connections.push((Connection::open(target).await?, target));
    }
    let begin = Instant::now();
    let start = begin + setting.warm_up;
    let window = Window {
        start,
        end: start + setting.measured,
    };
    let shared = Arc::new(Shared {
        tally: Mutex::new(Tally::new(window, plan.goods, plan.refusals)),
        pacing: match setting.pace {
            Pace::Closed { .. } => Pacing::closed(),
            Pace::Open { per_second, .. } => Pacing::open(Schedule::new(per_second), begin),
            Pace::Stages { per_second, .. } => {
                let third = (setting.warm_up + setting.measured) / 3;
                Pacing::open(Schedule::stages(&per_second, third), begin)
            }
        },
        load,
        window,
    });
    let releaser = {
        let shared = Arc::clone(&shared);
        std::thread::spawn(move || {
            shared
                .pacing
                .release(window.end, || shared.load.stop.is_set());
        })
    };
    let mut clients = JoinSet::new();
    for (connection, seed) in connections.into_iter().zip(1..) {
        clients.spawn(client(Arc::clone(&shared), connection, Draw::new(seed)));
    }
    drain(&mut clients, &shared).await?;
    releaser
        .join()
        .expect("the schedule is arithmetic and a sleep");
    let mut tally = shared.tally();
    tally.give_up();
    for due in shared.pacing.unsent(window.end) {
        tally.never_sent(due);
    }
    Ok(std::mem::replace(&mut tally, Tally::new(window, 0, &[])))
}

/// Waits for every client, but not for ever.
async fn drain(clients: &mut JoinSet<()>, shared: &Shared) -> Result<()> {
    let deadline = shared.window.end + DRAIN;
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            ended = clients.join_next() => match ended {
                None => return Ok(()),
                Some(client) => client.context("a client of the load broke")?,
            },
            _ = look.tick() => {
                if shared.load.stop.is_set() || Instant::now() >= deadline {
                    clients.shutdown().await;
                    return Ok(());
                }
            }
        }
    }
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().expect("counting does not panic")
    }

    fn over(&self) -> bool {
        self.load.stop.is_set() || Instant::now() >= self.window.end
    }
}

async fn client(
    shared: Arc<Shared>,
    (mut connection, target): (Connection, Target),
    mut draw: Draw,
) {
    while let Some(due) = shared.pacing.next(|| shared.over()).await {
        let Some(mut request) = shared.load.work.next(&mut draw) else {
            return;
        };
        let (wish, takes) = (request.wish, std::mem::take(&mut request.takes));
        shared.tally().sent(&takes);
        let outcome = connection.ask(&request).await;
        let backs_off = outcome == Outcome::Busy;
        if outcome == Outcome::Done {
            shared.load.done.fetch_add(1, Ordering::Relaxed);
        }
        let times = (due, Instant::now());
        shared.tally().answered(wish, &takes, times, outcome);
        if backs_off {
            tokio::time::sleep(BACK_OFF).await;
        }
        if !connection.usable() {
            let Some(another) = reconnect(&shared, target).await else {
                return;
            };
            connection = another;
        }
    }
}

async fn reconnect(shared: &Shared, target: Target) -> Option<Connection> {
    while !shared.over() {
        match Connection::open(target).await {
            Ok(connection) => return Some(connection),
            Err(fault) => shared.tally().unexpected(fault.to_string()),
        }
        tokio::time::sleep(BACK_OFF).await;
    }
    None
}

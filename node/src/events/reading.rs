//! A reader of events in a process: reads, commits, and begins again where anything fails.
//!
//! Invariant: a commit holds what is made of events together with their ids and the position behind
//! them. So a session that ends, however it ends, lost nothing and counted nothing twice; the next
//! one goes on from the database.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messages::subject;
use tokio::{sync::watch, time::Instant};

use super::{EventId, Follower, Mirror, Place, Projection, Seen, taking::take};
use crate::{
    bus::Bus,
    host::StartError,
    store::{EventDatabase, EventWriter, StoreFault},
};

/// How often the writer's connection is looked at when no events come.
const LOOK: Duration = Duration::from_secs(1);
/// For how long what comes is gathered, counted from when the last was taken: what comes alone is
/// taken at once, and many share a commit, which costs a sync of the disk and more than a few events.
const TOGETHER: Duration = Duration::from_millis(100);
/// How long a process waits before it looks again whether it may write.
const STANDBY: Duration = Duration::from_millis(500);

/// A reader of events in this process.
pub struct Reading<P: Projection>(Arc<Inner<P>>);

impl<P: Projection> Clone for Reading<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<P: Projection> {
    bus: Arc<dyn Bus>,
    database: EventDatabase,
    mirror: Arc<dyn Mirror<P::Body>>,
    reread_ms: u64,
    state: Mutex<State>,
}

/// What a reader does at the moment.
enum State {
    /// It has no database yet, or not any more.
    Away,
    /// Another process writes into its database.
    StandingBy,
    /// It writes; the flag says whether it follows the stream.
    Writing(Arc<AtomicBool>),
}

impl<P: Projection> Reading<P> {
    /// A reader that makes its tables in this database, and has `mirror` follow them.
    pub fn new(
        bus: Arc<dyn Bus>,
        database: EventDatabase,
        mirror: Arc<dyn Mirror<P::Body>>,
        reread_ms: u64,
    ) -> Self {
        Self(Arc::new(Inner {
            bus,
            database,
            mirror,
            reread_ms,
            state: Mutex::new(State::Away),
        }))
    }

    /// What it lacks to be ready; empty when it is. One that stands by is: what another process
    /// writes into the database is read from it all the same.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.0.bus.link().borrow().connected {
            missing.push("broker".to_owned());
        }
        match &*self.state() {
            State::Away => missing.push(format!("the database of {}", P::NAME)),
            State::Writing(following) if !following.load(Ordering::Acquire) => {
                missing.push(format!("stream {}", subject::EVENTS.0));
            }
            State::StandingBy | State::Writing(_) => {}
        }
        missing
    }

    /// Reads until told to stop.
    ///
    /// # Errors
    /// Where the configuration does not fit the database: trying again is vain.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<(), StartError> {
        let mut told = String::new();
        loop {
            let ended = self.session(stop.clone()).await;
            self.0.mirror.forget();
            match ended {
                Ok(()) => told.clear(),
                Err(StoreFault::Misconfigured(reason)) => return Err(StartError(reason)),
                Err(error) => {
                    self.become_(State::Away);
                    // Once a reason: it may be away for long.
                    if told != error.to_string() {
                        told = error.to_string();
                        tracing::warn!(reader = P::NAME, %error, "reading events again from the database's position");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(STANDBY) => {}
                () = asked_to(&mut stop) => return Ok(()),
            }
        }
    }

    /// One life: from the lock to the first fault. Ends well where another process writes, or when
    /// told to stop.
    async fn session(&self, mut stop: watch::Receiver<bool>) -> Result<(), StoreFault> {
        let Some(mut writer) = self.0.database.writer().await? else {
            self.become_(State::StandingBy);
            return Ok(());
        };
        let standing = writer.standing().await?;
        let mut seen: Seen = standing
            .seen
            .into_iter()
            .map(|(source, number)| EventId { source, number })
            .collect();
        let place = standing.position.map_or(Place::First, Place::Behind);
        let subjects = P::KINDS.iter().map(|kind| subject::event(kind)).collect();
        let bus = Arc::clone(&self.0.bus);
        let mut follower = Follower::new(bus, subjects, place, self.0.reread_ms);
        self.become_(State::Writing(follower.following()));
        let mirror = &*self.0.mirror;
        let loaded = meanwhile(&mut writer, &mut stop, mirror.load(&self.0.database)).await?;
        if let Some(loaded) = loaded {
            loaded?;
            let mut until = Instant::now();
            while let Some(deliveries) =
                meanwhile(&mut writer, &mut stop, follower.gather(until)).await?
            {
                until = Instant::now() + TOGETHER;
                let stream = follower.stream();
                take::<P>(&mut writer, &mut seen, mirror, stream, &deliveries).await?;
            }
        }
        writer.close().await;
        Ok(())
    }

    fn become_(&self, state: State) {
        *self.state() = state;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("no panic while the state is locked")
    }
}

/// Waits for something, and looks after the writer's connection meanwhile; `None` where told to
/// stop before it came.
async fn meanwhile<T>(
    writer: &mut EventWriter,
    stop: &mut watch::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Result<Option<T>, StoreFault> {
    let mut work = pin!(work);
    let mut looks = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
    loop {
        tokio::select! {
            done = &mut work => return Ok(Some(done)),
            _ = looks.tick() => writer.confirm().await?,
            () = asked_to(stop) => return Ok(None),
        }
    }
}

/// Waits until told to stop; whoever could say so being gone is as good.
async fn asked_to(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

//! A reader of events in a process: reads, commits, and begins again where anything fails.
//!
//! Invariant: a commit holds what is made of events together with their ids and the position behind
//! them. So a session that ends, however it ends, lost nothing and counted nothing twice; the next
//! one goes on from the database.

use std::{
    collections::BTreeSet,
    pin::pin,
    slice,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messages::{Event, subject, wire};
use tokio::sync::watch;

use super::{EventId, Follower, Place, Projection, Seen};
use crate::{
    bus::{Bus, Delivery},
    failpoint::{self, Point},
    host::StartError,
    store::{CommitError, EventBatch, EventDatabase, EventWriter, Position, StoreFault, Write},
    telemetry::names,
};

/// How often the writer's connection is looked at when no events come.
const LOOK: Duration = Duration::from_secs(1);
/// How long a process waits before it looks again whether it may write.
const STANDBY: Duration = Duration::from_millis(500);

/// A reader of events in this process.
pub struct Reading<P: Projection>(Arc<Inner<P>>);

impl<P: Projection> Clone for Reading<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<P> {
    bus: Arc<dyn Bus>,
    database: EventDatabase,
    reread_ms: u64,
    state: Mutex<State>,
    projection: std::marker::PhantomData<P>,
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
    /// A reader that makes its tables in this database.
    pub fn new(bus: Arc<dyn Bus>, database: EventDatabase, reread_ms: u64) -> Self {
        Self(Arc::new(Inner {
            bus,
            database,
            reread_ms,
            state: Mutex::new(State::Away),
            projection: std::marker::PhantomData,
        }))
    }

    /// Its database, for its own lists and searches.
    pub fn database(&self) -> &EventDatabase {
        &self.0.database
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
            match self.session(stop.clone()).await {
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
        let mut looks = tokio::time::interval(LOOK);
        loop {
            let deliveries = {
                let mut next = pin!(follower.next());
                loop {
                    tokio::select! {
                        deliveries = &mut next => break deliveries,
                        _ = looks.tick() => writer.confirm().await?,
                        () = asked_to(&mut stop) => {
                            writer.close().await;
                            return Ok(());
                        }
                    }
                }
            };
            take::<P>(&mut writer, &mut seen, follower.stream(), &deliveries).await?;
        }
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

/// Waits until told to stop; whoever could say so being gone is as good.
async fn asked_to(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Commits what is made of messages.
async fn take<P: Projection>(
    writer: &mut EventWriter,
    seen: &mut Seen,
    stream: &str,
    deliveries: &[Delivery],
) -> Result<(), StoreFault> {
    let Some(last) = deliveries.last() else {
        return Ok(());
    };
    let (mut ids, mut events) = (Vec::new(), Vec::new());
    for delivery in deliveries {
        match understand::<P>(delivery) {
            Ok((id, event)) if seen.insert(&id) => {
                ids.push(id);
                events.push(event);
            }
            Ok(_) => count::<P>("repeat", 1),
            Err(reason) => put_aside::<P>(delivery.sequence, &reason),
        }
    }
    let position = Position {
        stream: stream.to_owned(),
        sequence: last.sequence,
        at: last.at,
    };
    let whole = batch(seen, P::writes(&events), &ids, Some(position.clone()));
    failpoint::reach(P::NAME, Point::Committing);
    match writer.commit(whole).await {
        Ok(()) => {
            failpoint::reach(P::NAME, Point::Committed);
            count::<P>("new", ids.len());
        }
        Err(CommitError::Refused(_)) => {
            one_by_one::<P>(writer, seen, &ids, &events).await?;
            let rest = batch(seen, Vec::new(), &[], Some(position));
            writer.commit(rest).await.map_err(fault)?;
        }
        Err(error) => return Err(fault(error)),
    }
    let behind = u32::try_from(last.pending).unwrap_or(u32::MAX);
    metrics::gauge!(names::READER_BEHIND, "service" => P::NAME).set(f64::from(behind));
    Ok(())
}

/// Commits each event alone, so that one that the database refuses stops no other: that one counts
/// as had, and is told in the log.
async fn one_by_one<P: Projection>(
    writer: &mut EventWriter,
    seen: &Seen,
    ids: &[EventId],
    events: &[Event<P::Body>],
) -> Result<(), StoreFault> {
    for (id, event) in ids.iter().zip(events) {
        let (id, event) = (slice::from_ref(id), slice::from_ref(event));
        match writer.commit(batch(seen, P::writes(event), id, None)).await {
            Ok(()) => count::<P>("new", 1),
            Err(CommitError::Refused(reason)) => {
                tracing::error!(reader = P::NAME, event = %id[0], reason, "the database refuses what an event makes: it is left out");
                count::<P>("refused", 1);
                let nothing = batch(seen, Vec::new(), id, None);
                writer.commit(nothing).await.map_err(fault)?;
            }
            Err(error) => return Err(fault(error)),
        }
    }
    Ok(())
}

fn batch(
    seen: &Seen,
    writes: Vec<Write>,
    ids: &[EventId],
    position: Option<Position>,
) -> EventBatch {
    let sources: BTreeSet<&str> = ids.iter().map(|id| id.source.as_str()).collect();
    EventBatch {
        writes,
        seen: ids
            .iter()
            .map(|id| (id.source.clone(), id.number))
            .collect(),
        forget: sources
            .into_iter()
            .map(|source| (source.to_owned(), seen.floor(source)))
            .filter(|(_, floor)| *floor > 0)
            .collect(),
        position,
    }
}

fn understand<P: Projection>(delivery: &Delivery) -> Result<(EventId, Event<P::Body>), String> {
    let event: Event<P::Body> =
        wire::from_slice(&delivery.payload).map_err(|error| error.to_string())?;
    if event.v != 1 {
        return Err(format!("version {} of the form", event.v));
    }
    let id = event
        .id
        .parse()
        .map_err(|error| format!("{:?}: {error}", event.id))?;
    Ok((id, event))
}

/// What cannot be read stays in the stream, where a person finds it by its sequence.
fn put_aside<P: Projection>(sequence: u64, reason: &str) {
    tracing::error!(
        reader = P::NAME,
        sequence,
        reason,
        "an event cannot be read: it is left out"
    );
    count::<P>("unreadable", 1);
}

fn count<P: Projection>(outcome: &'static str, events: usize) {
    let events = u64::try_from(events).unwrap_or(u64::MAX);
    metrics::counter!(names::EVENTS_TAKEN, "reader" => P::NAME, "outcome" => outcome)
        .increment(events);
}

fn fault(error: CommitError) -> StoreFault {
    match error {
        CommitError::Unknown(fault) => fault,
        CommitError::Refused(reason) | CommitError::Stale(reason) => {
            StoreFault::Unreachable(reason)
        }
    }
}

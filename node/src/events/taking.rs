//! How a batch of messages is taken in: understood, committed with what is made of it, and told to
//! the mirror. One that the database refuses stops no other.

use std::{collections::BTreeSet, slice};

use messages::{Event, event, wire};

use super::{EventId, Mirror, Projection, Seen};
use crate::{
    bus::Delivery,
    failpoint::{self, Point},
    store::{CommitError, EventBatch, EventWriter, Position, StoreFault, Write},
    telemetry::names,
};

/// How many events one commit takes, and those besides that the last of their messages has.
const TOGETHER: usize = 4_096;

/// Commits what is made of messages.
pub(super) async fn take<P: Projection>(
    writer: &mut EventWriter,
    seen: &mut Seen,
    mirror: &dyn Mirror<P::Body>,
    stream: &str,
    deliveries: &[Delivery],
) -> Result<(), StoreFault> {
    let mut rest = deliveries;
    while !rest.is_empty() {
        let (mut ids, mut events) = (Vec::new(), Vec::new());
        let mut messages = 0;
        for delivery in rest {
            messages += 1;
            read::<P>(delivery, seen, &mut ids, &mut events);
            if ids.len() >= TOGETHER {
                break;
            }
        }
        let (taken, behind) = rest.split_at(messages);
        if let Some(last) = taken.last() {
            commit::<P>(writer, seen, mirror, &ids, &events, position(stream, last)).await?;
            let behind = u32::try_from(last.pending).unwrap_or(u32::MAX);
            metrics::gauge!(names::READER_BEHIND, "service" => P::NAME).set(f64::from(behind));
        }
        rest = behind;
    }
    Ok(())
}

/// The events of a message that were not had before.
fn read<P: Projection>(
    delivery: &Delivery,
    seen: &mut Seen,
    ids: &mut Vec<EventId>,
    events: &mut Vec<Event<P::Body>>,
) {
    for event in event::split(&delivery.payload) {
        let event = event.map_err(|error| error.to_string());
        match event.and_then(understand::<P>) {
            Ok((id, event)) if seen.insert(&id) => {
                ids.push(id);
                events.push(event);
            }
            Ok(_) => count::<P>("repeat", 1),
            Err(reason) => put_aside::<P>(delivery.sequence, &reason),
        }
    }
}

fn position(stream: &str, last: &Delivery) -> Position {
    Position {
        stream: stream.to_owned(),
        sequence: last.sequence,
        at: last.at,
    }
}

/// Commits events together with their ids and the position behind them.
async fn commit<P: Projection>(
    writer: &mut EventWriter,
    seen: &Seen,
    mirror: &dyn Mirror<P::Body>,
    ids: &[EventId],
    events: &[Event<P::Body>],
    position: Position,
) -> Result<(), StoreFault> {
    let whole = batch(seen, P::writes(events), ids, Some(position.clone()));
    failpoint::reach(P::NAME, Point::Committing);
    match writer.commit(whole).await {
        Ok(()) => {
            failpoint::reach(P::NAME, Point::Committed);
            mirror.committed(events);
            count::<P>("new", ids.len());
        }
        Err(CommitError::Refused(_)) => {
            one_by_one::<P>(writer, seen, mirror, ids, events).await?;
            let rest = batch(seen, Vec::new(), &[], Some(position));
            writer.commit(rest).await.map_err(fault)?;
        }
        Err(error) => return Err(fault(error)),
    }
    Ok(())
}

/// Commits each event alone, so that one that the database refuses stops no other: that one counts
/// as had, and is told in the log.
async fn one_by_one<P: Projection>(
    writer: &mut EventWriter,
    seen: &Seen,
    mirror: &dyn Mirror<P::Body>,
    ids: &[EventId],
    events: &[Event<P::Body>],
) -> Result<(), StoreFault> {
    for (id, event) in ids.iter().zip(events) {
        let (id, event) = (slice::from_ref(id), slice::from_ref(event));
        match writer.commit(batch(seen, P::writes(event), id, None)).await {
            Ok(()) => {
                mirror.committed(event);
                count::<P>("new", 1);
            }
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

fn understand<P: Projection>(event: &[u8]) -> Result<(EventId, Event<P::Body>), String> {
    let event: Event<P::Body> = wire::from_slice(event).map_err(|error| error.to_string())?;
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

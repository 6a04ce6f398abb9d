//! What is committed leaves: answers, commands and events, in the order of the commits.
//!
//! Beside the journal, so that a commit does not wait for what the one before it sends. Where it
//! is stopped half way nothing is lost: what is owed is in the database, and is asked for again.

use std::{collections::BTreeMap, sync::Arc};

use messages::EntityId;
use tokio::sync::mpsc;

use super::{
    answers::Answers,
    dead::Aside,
    job::Decision,
    schedule::Schedule,
    telling::Telling,
    turn::{Told, Touched},
};
use crate::{
    entity::Entity,
    failpoint::{self, Point},
    store::PositionWrite,
    telemetry::names,
};

/// What one commit made durable.
pub(super) struct Durable<E: Entity> {
    pub(super) touched: BTreeMap<EntityId, Touched<E>>,
    pub(super) told: Vec<Told>,
    pub(super) decisions: Vec<Decision<E>>,
    pub(super) positions: Vec<PositionWrite>,
}

// By hand, since the derived one would ask the same of `E`.
impl<E: Entity> Default for Durable<E> {
    fn default() -> Self {
        Self {
            touched: BTreeMap::new(),
            told: Vec::new(),
            decisions: Vec::new(),
            positions: Vec::new(),
        }
    }
}

/// What the publisher works with.
pub(super) struct Publisher<E: Entity> {
    pub(super) durable: mpsc::UnboundedReceiver<Durable<E>>,
    pub(super) aside: Arc<Aside>,
    pub(super) answers: Answers<E>,
    pub(super) schedule: Arc<Schedule<E>>,
    pub(super) telling: Arc<Telling>,
    /// Tells the intake what has come to its end, so that it is put away.
    pub(super) finished: mpsc::UnboundedSender<EntityId>,
}

impl<E: Entity> Publisher<E> {
    /// Publishes until the journal is gone.
    pub(super) async fn run(mut self) {
        while let Some(durable) = self.durable.recv().await {
            self.publish(durable);
        }
    }

    fn publish(&mut self, durable: Durable<E>) {
        self.passed(&durable.positions);
        for touched in durable.touched.values() {
            let finished = touched.debts.is_empty() && touched.state.finished();
            touched.slot.finish(finished);
        }
        for decision in durable.decisions {
            let slot = Arc::clone(&decision.slot);
            self.answers.give(decision);
            slot.end();
        }
        failpoint::reach(E::SERVICE.name(), Point::Answered);
        for (entity, touched) in durable.touched {
            self.answers.committed(&entity, &touched.state);
            self.schedule
                .update(&entity, &touched.state, touched.debts, false);
            if touched.slot.finished() {
                // The intake is gone when the session has ended, and so is everything in memory.
                let _ = self.finished.send(entity);
            }
        }
        count(&durable.told);
        self.telling.tell(durable.told);
        self.answers.let_held_go();
    }

    /// These positions are committed.
    fn passed(&mut self, positions: &[PositionWrite]) {
        for write in positions {
            let (partition, sequence) = (write.partition, write.position.sequence);
            self.answers.passed(partition, sequence);
            self.aside.passed(partition, sequence);
        }
    }
}

/// Once a kind, since looking a counter up costs more than adding to it.
fn count(told: &[Told]) {
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (kind, _) in told.iter().filter_map(|told| told.event.as_ref()) {
        *kinds.entry(kind).or_default() += 1;
    }
    for (kind, events) in kinds {
        metrics::counter!(names::EVENTS, "kind" => kind).increment(events);
    }
}

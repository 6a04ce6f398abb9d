//! Who waits for an entity: for its rest, or for every state that is committed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use messages::{EntityId, RequestId};
use tokio::sync::{mpsc, oneshot};

use super::job::Answer;
use crate::entity::Entity;

enum Watcher<E: Entity> {
    Settled {
        command: E::Command,
        request_id: RequestId,
        answer: oneshot::Sender<Answer<E>>,
    },
    Every(mpsc::UnboundedSender<Arc<E>>),
}

/// The watchers of a session.
pub(super) struct Watchers<E: Entity> {
    watchers: Mutex<BTreeMap<EntityId, Vec<Watcher<E>>>>,
    count: AtomicUsize,
}

impl<E: Entity> Default for Watchers<E> {
    fn default() -> Self {
        Self {
            watchers: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }
}

impl<E: Entity> Watchers<E> {
    /// Is told what the first committed state that is at rest answers to this command.
    pub(super) fn settled(
        &self,
        entity: &EntityId,
        command: E::Command,
        request_id: RequestId,
    ) -> oneshot::Receiver<Answer<E>> {
        let (answer, receiver) = oneshot::channel();
        let watcher = Watcher::Settled {
            command,
            request_id,
            answer,
        };
        self.add(entity, watcher);
        receiver
    }

    /// Is told every committed state from now on.
    pub(super) fn every(&self, entity: &EntityId) -> mpsc::UnboundedReceiver<Arc<E>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.add(entity, Watcher::Every(sender));
        receiver
    }

    /// Tells a state that is committed.
    pub(super) fn tell(&self, entity: &EntityId, state: &Arc<E>) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut watchers = self
            .watchers
            .lock()
            .expect("no panic while the watchers are locked");
        let Some(waiting) = watchers.remove(entity) else {
            return;
        };
        let before = waiting.len();
        let stay: Vec<Watcher<E>> = waiting
            .into_iter()
            .filter_map(|watcher| match watcher {
                Watcher::Settled {
                    command,
                    request_id,
                    answer,
                } if state.settled() => {
                    let _ = answer.send(state.answer_at_rest(&command, &request_id));
                    None
                }
                Watcher::Settled { ref answer, .. } => (!answer.is_closed()).then_some(watcher),
                Watcher::Every(sender) => sender
                    .send(Arc::clone(state))
                    .ok()
                    .map(|()| Watcher::Every(sender)),
            })
            .collect();
        self.count.fetch_sub(before - stay.len(), Ordering::AcqRel);
        if !stay.is_empty() {
            watchers.insert(entity.clone(), stay);
        }
    }

    fn add(&self, entity: &EntityId, watcher: Watcher<E>) {
        let mut watchers = self
            .watchers
            .lock()
            .expect("no panic while the watchers are locked");
        watchers.entry(entity.clone()).or_default().push(watcher);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Ends all waiting.
    pub(super) fn clear(&self) {
        self.watchers
            .lock()
            .expect("no panic while the watchers are locked")
            .clear();
        self.count.store(0, Ordering::Release);
    }
}

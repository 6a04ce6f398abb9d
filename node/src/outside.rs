//! Calls to the outside world (a gateway, say): an entity owes them, the host keeps the schedule,
//! and a handler of the service's carries them out.
//!
//! Invariant: a call is made after the commit of the state that owes it, and again until a change
//! settles it. Its outcome reaches the entity as a command, and is decided like any other; an
//! outcome that nobody knows is never told. Read next: `crate::host`.

use async_trait::async_trait;
use messages::RequestId;

use crate::entity::Entity;

/// A call that an entity owes. What is called, and with what, its handler reads from the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The id under which it is made until it is settled. Another call of this entity has another.
    pub id: RequestId,
    /// The trace that this belongs to.
    pub traceparent: Option<String>,
}

/// Carries out the calls that a service's entities owe.
#[async_trait]
pub trait Outside<E: Entity>: Send + Sync + 'static {
    /// Makes a call that this state owes, and answers what the entity is to be told of it: nothing
    /// where the outcome is not known. Then it is made again, after a pause.
    ///
    /// `again` says that it may have been made before: by a try of unknown outcome, in this life of
    /// the process or an earlier one. It is dropped where it takes too long, or the host ends.
    async fn call(&self, state: &E, call: &Call, again: bool) -> Vec<E::Command>;
}

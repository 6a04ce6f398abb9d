//! How a client asks: any process that runs, which may die meanwhile, and no longer than he likes.

use std::time::Duration;

use messages::{EntityId, Origin, Refusal, RequestId};
use node::{
    entity::Entity,
    host::{Ask, Target},
};
use sim::Chance;
use tokio::time::sleep;

use crate::nodes::Nodes;

/// What a client knows of an ask: nothing, where no answer came.
pub(crate) type Told<E> = Option<Result<<E as Entity>::Reply, Refusal>>;

/// How long a client waits before he tries another process.
const AGAIN: Duration = Duration::from_millis(150);

/// Asks once.
pub(crate) async fn once<E: Entity>(
    nodes: &Nodes<E>,
    chance: &Chance,
    ask: Ask<E::Command>,
) -> Told<E> {
    let patience = Duration::from_millis(*chance.pick(&[40, 400, 3_000, 9_000, 9_000]));
    let Some((service, life)) = nodes.any(chance) else {
        sleep(AGAIN).await;
        return None;
    };
    let answered = async {
        life.pass().await;
        let answer = service.ask(ask).await;
        life.pass().await;
        answer
    };
    let answer = tokio::select! {
        biased;
        () = life.over() => None,
        () = sleep(patience) => None,
        answer = answered => answer.ok(),
    };
    if answer.is_none() {
        sleep(AGAIN).await;
    }
    answer
}

/// Asks so many times at most, until there is an answer.
pub(crate) async fn often<E: Entity>(
    nodes: &Nodes<E>,
    chance: &Chance,
    ask: &Ask<E::Command>,
    times: u64,
) -> Told<E> {
    for _ in 0..times {
        if let Some(answer) = once(nodes, chance, ask.clone()).await {
            return Some(answer);
        }
    }
    None
}

/// A question to a known entity.
pub(crate) fn of<C>(entity: &EntityId, command: C, key: Option<&str>) -> Ask<C> {
    Ask {
        target: Target::Entity(entity.clone()),
        command,
        request_id: key.map(RequestId::from),
        origin: Origin::Client,
        settle: None,
        traceparent: None,
    }
}

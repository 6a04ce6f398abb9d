//! An order sets out when its turn has come, and counts until it is at rest.

use std::{sync::Arc, time::Duration};

use messages::order::{Reply, Status};
use node::{edge::Problem, entity::Entity as _};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, timeout},
};

use super::Orders;
use crate::order::Order;

impl Orders {
    /// Waits in line, and then has an order set out. One that nobody waits for keeps its place until
    /// it is at rest: where each were answered at once and forgotten, all of them would be let in.
    pub(super) async fn admitted(
        &self,
        at_once: bool,
        order: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        let mut place = self.admission.place().await?;
        let reply = place.during(order).await?;
        if at_once && reply.order.status == Status::Pending {
            // Where another process owns it, that one alone sees it come to rest.
            if let Some(states) = self.service.watch(&reply.order.id.entity()) {
                let rest = timeout(self.wait, rest(states));
                tokio::spawn(async move { place.during(rest).await });
            }
        }
        Ok(reply)
    }

    /// How long an answer may still wait for its order to come to rest.
    pub(super) fn left(&self, arrived: Instant) -> Duration {
        self.wait.saturating_sub(arrived.elapsed())
    }
}

async fn rest(mut states: UnboundedReceiver<Arc<Order>>) {
    while let Some(order) = states.recv().await {
        if order.settled() {
            return;
        }
    }
}

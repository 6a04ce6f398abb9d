//! An order sets out when its turn has come, and counts until it is at rest.

use std::{pin::Pin, time::Duration};

use messages::{
    Origin,
    order::{Command, Reply, Status},
};
use node::{edge::Problem, host::Ask};
use tokio::time::Instant;

use super::Orders;

impl Orders {
    /// Waits in line, and then has an order set out. One that nobody waits for keeps its place until
    /// it is at rest: where each were answered at once and forgotten, all of them would be let in.
    ///
    /// The order is pinned where it was made: given on by value each function would keep room for it
    /// twice, as its argument and where it pins it, for every order under way.
    pub(super) async fn admitted(
        &self,
        at_once: bool,
        order: Pin<&mut impl Future<Output = Result<Reply, Problem>>>,
    ) -> Result<Reply, Problem> {
        let mut place = self.admission.place().await?;
        let reply = place.during(order).await?;
        if at_once && reply.order.status == Status::Pending {
            let service = self.service.clone();
            let rest = Ask {
                target: reply.order.id.entity().into(),
                command: Command::Get,
                request_id: None,
                origin: Origin::Client,
                settle: Some(self.wait),
                traceparent: None,
            };
            tokio::spawn(async move { place.during(service.ask(rest)).await });
        }
        Ok(reply)
    }

    /// How long an answer may still wait for its order to come to rest.
    pub(super) fn left(&self, arrived: Instant) -> Duration {
        self.wait.saturating_sub(arrived.elapsed())
    }
}

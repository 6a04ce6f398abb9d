//! An order as it moves: server-sent events until it is at rest.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, stream};
use messages::{OrderId, id::kind, order::Command};
use node::{
    edge::{PathId, Problem, Read, Trace},
    host::Service,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc::UnboundedReceiver};

use super::{Orders, view::OrderBody};
use crate::order::Order;

/// How often an order is asked for that another process owns.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// One event, as it is described to readers of the document.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the stream is written as text")]
struct OrderEvent {
    /// Always `order`.
    #[schema(example = "order")]
    event: String,
    /// The order as it stands then, as JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// The order now and whenever it moves, until it is at rest.
#[utoipa::path(
    get,
    path = "/orders/{id}/events",
    params(("id" = String, Path, format = Uuid)),
    responses(
        (status = 200, description = "events named `order`, each with the order as it stands then", content_type = "text/event-stream", body = OrderEvent),
        Read,
    )
)]
pub(super) async fn events(
    State(orders): State<Orders>,
    PathId(id): PathId<kind::Order>,
    trace: Trace,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let place = Arc::clone(&orders.followers).try_acquire_owned();
    let place = place.map_err(|_| Problem::RetryLater {
        missing: vec!["a place among those who follow orders".to_owned()],
    })?;
    // Watched before it is read, so that nothing falls in between.
    let moves = orders.service.watch(&id.entity());
    let reply = orders
        .service
        .ask(trace.clone().ask(id.entity(), Command::Get))
        .await??;
    let following = Following {
        service: orders.service,
        id,
        trace,
        moves,
        told: Told::Next(reply.order.into()),
        _place: place,
    };
    let events = stream::unfold(following, async |following| following.next().await);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// One who follows an order.
struct Following {
    service: Service<Order>,
    id: OrderId,
    trace: Trace,
    /// Its committed states, as long as this process owns it.
    moves: Option<UnboundedReceiver<Arc<Order>>>,
    told: Told,
    _place: OwnedSemaphorePermit,
}

/// How far a follower is.
enum Told {
    /// This is to be told next.
    Next(OrderBody),
    /// This was told last.
    Last(OrderBody),
}

impl Following {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let order = match self.told {
            Told::Next(order) => order,
            Told::Last(order) if order.at_rest() => return None,
            Told::Last(last) => loop {
                let order = Self::state(&mut self.moves, &self.service, self.id, &self.trace).await;
                if let Some(order) = order.filter(|order| *order != last) {
                    break order;
                }
            },
        };
        let event = Event::default()
            .event("order")
            .json_data(&order)
            .expect("an order is always JSON");
        self.told = Told::Last(order);
        Some((Ok(event), self))
    }

    /// The order's next state where it is owned here, else as it stands a little later.
    async fn state(
        moves: &mut Option<UnboundedReceiver<Arc<Order>>>,
        service: &Service<Order>,
        id: OrderId,
        trace: &Trace,
    ) -> Option<OrderBody> {
        if let Some(owned) = moves {
            if let Some(order) = owned.recv().await {
                return order.view().map(OrderBody::from);
            }
            // Ownership is lost, and with it the last states, perhaps.
            *moves = None;
        }
        tokio::time::sleep(POLL_EVERY).await;
        let reply = service
            .ask(trace.clone().ask(id.entity(), Command::Get))
            .await;
        // Whoever cannot be asked right now is asked again.
        Some(reply.ok()?.ok()?.order.into())
    }
}

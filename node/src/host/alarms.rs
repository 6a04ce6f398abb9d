//! Alarms: entities are woken when the time that their state named has come.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    job::{Job, Route},
    schedule::Schedule,
};
use crate::entity::Entity;

/// Wakes entities whose time has come.
pub(super) async fn raise<E: Entity>(
    schedule: Arc<Schedule<E>>,
    jobs: mpsc::Sender<Job<E>>,
    partitions: u16,
) {
    loop {
        for due in schedule.due().await {
            let job = Job {
                partition: due.entity.partition(partitions),
                entity: due.entity,
                request_id: messages::RequestId::from("ALARM"),
                origin: messages::Origin::Saga,
                command: due.command,
                source: None,
                traceparent: None,
                creation: None,
                fresh: false,
                resent: false,
                route: Route::Own,
                permit: None,
            };
            if jobs.send(job).await.is_err() {
                return;
            }
        }
    }
}

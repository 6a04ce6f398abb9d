//! Requests that come in, and their answers, so many side by side.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::fault;
use crate::bus::{BusFault, Request};

/// How many requests are answered side by side.
const REQUESTS_MAX: usize = 1024;

/// Hands on what is asked on `subjects` until the receiver is dropped.
pub(super) async fn serve(
    inward: &async_nats::Client,
    subjects: Vec<String>,
) -> Result<mpsc::Receiver<Request>, BusFault> {
    let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
    let places = Arc::new(Semaphore::new(REQUESTS_MAX));
    for subject in subjects {
        let mut subscription = inward.subscribe(subject).await.map_err(fault)?;
        let (requests, client, places) = (requests.clone(), inward.clone(), Arc::clone(&places));
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = subscription.next() => message,
                    () = requests.closed() => None,
                };
                let Some(message) = message else { break };
                let Some(reply) = message.reply else { continue };
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    break;
                };
                let (answer, answered) = oneshot::channel();
                let request = Request {
                    subject: message.subject.to_string(),
                    payload: message.payload,
                    answer,
                };
                if requests.send(request).await.is_err() {
                    break;
                }
                let client = client.clone();
                tokio::spawn(async move {
                    if let Ok(payload) = answered.await {
                        // Where this fails the asker's wait ends, and it asks again.
                        let _ = client.publish(reply, payload).await;
                    }
                    drop(place);
                });
            }
        });
    }
    Ok(receiver)
}

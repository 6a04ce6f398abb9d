//! Many calls outside the load, side by side: a million products one after another would take an
//! hour.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::Value;

use super::connection::Connection;
use super::target::Target;

/// How many connections call side by side.
const SIDE_BY_SIDE: usize = 128;

/// Calls once for each item, and hands over the answers in the items' order.
pub(super) async fn for_each<T: Sync>(
    target: Target,
    items: &[T],
    call: impl AsyncFn(&mut Connection, &T) -> Result<Value>,
) -> Result<Vec<Value>> {
    let (next, call) = (AtomicUsize::new(0), &call);
    let next = &next;
    let callers = (0..SIDE_BY_SIDE.min(items.len())).map(async |_| {
        let mut connection = Connection::open(target).await?;
        let mut answers = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else {
                return Ok::<_, anyhow::Error>(answers);
            };
            answers.push((place, call(&mut connection, item).await?));
        }
    });
    let mut answers: Vec<(usize, Value)> = try_join_all(callers).await?.concat();
    answers.sort_unstable_by_key(|(place, _)| *place);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

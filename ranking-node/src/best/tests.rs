//! What is kept in memory is what the database has, and is trusted only as long as it must be.

use std::sync::Mutex;

use node::{events::Projection as _, store::EventBatch};

use super::*;
use crate::{
    sales::{Sales, tests::event},
    top::tests::{id, sold, today},
};

const TODAY: &str = "2026-01-31T10:00:00.000Z";

#[tokio::test]
async fn memory_says_what_the_database_says_with_its_names() {
    let (database, _folder) = sold(&[(1, 0, 5), (1, 2, 5), (2, 1, 12), (3, 29, 90)]).await;
    let best = best(&database);
    let question = (today(), 30, 5);
    let asked = best.search(question).await.expect("a ranking");
    best.load(&database).await.expect("it is there");
    assert!(best.window().is_some());
    assert_eq!(best.search(question).await.expect("a ranking"), asked);
    assert_eq!(asked[0].name, "product 3");
    assert_eq!(
        quantities(&best).await,
        [(id(3), 90), (id(2), 12), (id(1), 10)]
    );
}

#[tokio::test]
async fn what_is_committed_counts_and_is_taken_back() {
    let (database, _folder) = sold(&[(1, 0, 5)]).await;
    let best = best(&database);
    best.load(&database).await.expect("it is there");
    let (yes, no) = ("order.confirmed", "order.cancelled");
    let placed = [event(yes, TODAY, &[(2, 7)]), event(yes, TODAY, &[(2, 2)])];
    let undone = [event(no, TODAY, &[(2, 7)])];
    for (events, expected) in [(&placed[..], 9), (&undone[..], 2)] {
        // As a reader does it: first the tables, then memory.
        let mut writer = database.writer().await.expect("a writer").expect("alone");
        let rows = Sales::writes(events);
        let batch = EventBatch {
            writes: rows,
            ..EventBatch::default()
        };
        writer.commit(batch).await.expect("rows");
        writer.close().await;
        best.committed(events);
        let found = quantities(&best).await;
        assert!(found.contains(&(id(2), expected)), "{found:?}");
        best.forget();
        assert_eq!(quantities(&best).await, found, "the database says so too");
        best.load(&database).await.expect("it is there");
    }
}

#[tokio::test]
async fn where_another_process_writes_the_database_is_asked() {
    let (database, _folder) = sold(&[(1, 0, 5)]).await;
    let best = best(&database);
    best.committed(&[event("order.confirmed", TODAY, &[(7, 7)])]);
    assert_eq!(quantities(&best).await, [(id(1), 5)]);
}

#[tokio::test]
async fn at_midnight_the_oldest_day_is_out_of_reach() {
    let (database, _folder) = sold(&[(1, 29, 5), (2, 28, 3)]).await;
    let clock = Arc::new(Set(Mutex::new(TODAY)));
    let best = Best::new(database.clone(), clock.clone());
    best.load(&database).await.expect("it is there");
    assert_eq!(quantities(&best).await, [(id(1), 5), (id(2), 3)]);
    *clock.0.lock().expect("nobody panics") = "2026-02-01T00:00:00.000Z";
    let found = best.sellers(30, 5).await.expect("a ranking");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].product_id, found[0].quantity), (id(2), 3));
}

async fn quantities(best: &Best) -> Vec<(ProductId, i64)> {
    let found = best.search((today(), 30, 5)).await.expect("a ranking");
    found.iter().map(|s| (s.product_id, s.quantity)).collect()
}

fn best(database: &EventDatabase) -> Best {
    Best::new(database.clone(), Arc::new(Set(Mutex::new(TODAY))))
}

/// A clock that is set by hand.
struct Set(Mutex<&'static str>);

impl Clock for Set {
    fn now(&self) -> messages::Timestamp {
        self.0
            .lock()
            .expect("nobody panics")
            .parse()
            .expect("a time")
    }
}
